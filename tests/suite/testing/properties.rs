//! Properties: faults that were planted are found by them alone, kept as cases, and what reaches nothing says so.

use crate::support::ran::Ran;
use crate::support::world::{World, mode};
use serde_json::Value;

/// What is planted in the shipped bundle: a policy's file, what stood there, what stands there now, and the property that fails.
const PLANTED: [(&str, &str, &str, &str); 8] = [
    (
        "gates",
        "duration(\"12h\")) < context",
        "duration(\"12h\")) <= context",
        "always of shipped: valid-approval-opens",
    ),
    (
        "gates",
        "duration(\"1h\")) < context",
        "duration(\"3600001ms\")) < context",
        "never of bans: break-glass-is-short",
    ),
    ("gates", "votes.president >= 1", "votes.president >= 0", "never of bans: sg3-has-a-president"),
    ("gates", "votes.council >= 2", "votes.council >= 1", "never of bans: sg3-has-two-of-the-council"),
    ("preconditions", "resource.units <= 3", "resource.units <= 4", "never of bans: start-only-on-one-to-three-units"),
    ("preconditions", "tests.failed == 0", "tests.failed <= 1", "never of bans: start-needs-tests"),
    (
        "preconditions",
        "taken_at > context.run.now",
        "taken_at >= context.run.now",
        "never of bans: cut-needs-own-backup",
    ),
    ("preconditions", "cutplan.units >= 1", "cutplan.units >= 0", "never of bans: cut-needs-small-cutplan-twice"),
];

/// The same in a domain of its own, a file each: what stood there, what stands there now, and the invariant that fails.
const PLANTED_IN_THE_WARD: [(&str, &str, &str, &str); 12] = [
    ("bans", "amount * context.times <=", "amount * context.times - 1 <=", "daily-dose"),
    ("bans", "weight >= 40", "weight >= 39", "light"),
    ("bans", "< duration(\"72h\")", "<= duration(\"72h\")", "reviewed"),
    ("bans", "getTag(\"risk\") >= 3", "getTag(\"risk\") >= 4", "night"),
    ("bans", "beds >= 10", "beds >= 9", "rate-big"),
    ("bans", "10.0.0.0/8", "10.0.0.0/7", "in-the-house"),
    ("bans", "\"ward-*\"", "\"ward*\"", "labelled"),
    ("bans", "[\"nurse\", \"doctor\"]", "[\"nurse\"]", "staffed"),
    ("bans", "\"90d\")) > context", "\"90d\")) >= context", "serviced"),
    ("bans", "beds_free <= 8", "beds_free <= 9", "free"),
    ("permits", "pharmacists >= 2", "pharmacists >= 1", "two-pharmacists"),
    ("permits", "\"1h\"", "\"3600001ms\"", "night-is-short"),
];

fn failed(ran: &Ran) -> Vec<String> {
    let report = ran.json();
    let properties = report["properties"]["properties"].as_array().unwrap().clone();
    let failed = properties.iter().filter(|property| property["outcome"] == "failed");
    failed.map(|property| property["name"].as_str().unwrap().to_owned()).collect()
}

/// Whether the case that a property left fails by itself, is asked first, and holds once the fault is gone.
fn is_kept(world: &World, property: &str, mend: impl FnOnce()) {
    let word = |letter: char| !letter.is_alphanumeric();
    let name = property.split(word).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    let file = format!("tests/policy/found/{name}.json");
    let ran = world.cutter("test --format json");
    let first = ran.json()["cases"][0].clone();
    assert_eq!((ran.exit, &first["passed"], &first["file"]), (4, &Value::Bool(false), &Value::from(file)), "{first:#}");
    mend();
    let ran = world.cutter("test --format json");
    assert_eq!(ran.json()["cases"][0]["passed"], true, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn an_off_by_one_in_each_of_eight_policies_of_the_shipped_bundle_is_found_by_properties_alone() {
    let world = World::shipped();
    for (file, from, to, _) in PLANTED {
        world.replace(&format!("policies/{file}.cedar"), from, to);
    }
    let ran = world.cutter("test --properties --cases 0 --limit 120 --format json");
    assert_eq!(ran.exit, 4, "{}{}", ran.stdout, ran.stderr);
    let mut expected: Vec<&str> = PLANTED.iter().map(|(.., property)| *property).collect();
    let mut found = failed(&ran);
    expected.sort_unstable();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn one_in_each_of_twelve_policies_of_a_ward_is_found_by_properties_alone() {
    let world = World::ward();
    for (file, from, to, _) in PLANTED_IN_THE_WARD {
        world.replace(&format!("policies/{file}.cedar"), from, to);
    }
    let ran = world.cutter("test --properties --cases 0 --limit 120 --format json");
    assert_eq!(ran.exit, 4, "{}{}", ran.stdout, ran.stderr);
    let mut expected: Vec<String> =
        PLANTED_IN_THE_WARD.iter().map(|(.., invariant)| format!("never of bans: {invariant}")).collect();
    let mut found = failed(&ran);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn where_a_sum_can_overflow_a_case_is_written_for_each_ban_all_the_same() {
    let world = World::example("rollout");
    world.replace("policies/rollout.cedarschema", "tests_passed: Bool", "tests_passed: Bool, failed: Long, left: Long");
    world.replace("entities/facts.json", "true", "true, \"failed\": 0, \"left\": 0");
    let sum = "\n@id(\"few-fail\")\n@title(\"Deploy what fails\")\n@tier(\"absolute\")\n@severity(\"high\")\n@evidence(\"none\")\n@advice(\"mend it\")\nforbid (principal, action == Rollout::Action::\"deploy\", resource)\nunless { context.run.facts.failed + context.run.facts.left <= 3 };\n";
    world.append("policies/rollout.cedar", sum);
    let ran = world.cutter("test --init");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("2 cases written") && !ran.stdout.contains("no request"), "{}", ran.stdout);
    let ran = world.cutter("test");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    // That the sum overflows all the same is found, and the policy is named.
    let ran = world.cutter("test --properties --cases 0");
    assert_eq!(ran.exit, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("FAILED  no policy fails to evaluate") && ran.stdout.contains("`few-fail` fails"),
        "{}",
        ran.stdout
    );
}

#[test]
fn one_in_a_policy_of_another_domain_is_found_kept_and_asked_first() {
    let world = World::example("billing");
    let file = "policies/permits.cedar";
    world.replace(file, "votes.finance >= 2", "votes.finance >= 1");
    let ran = world.cutter("test --properties --cases 0 --format json");
    let property = "never of bans: two-of-finance";
    assert_eq!((ran.exit, failed(&ran)), (4, vec![property.to_owned()]), "{}", ran.stderr);
    is_kept(&world, property, || world.replace(file, "votes.finance >= 1", "votes.finance >= 2"));
}

#[test]
fn one_in_the_shortest_bundle_is_found_kept_and_asked_first() {
    let world = World::example("rollout");
    let count = |file: &str, bound: &str| {
        let bounded = format!("tests_passed && context.run.facts.failures {bound} }};");
        world.replace(file, "tests_passed };", &bounded);
    };
    world.replace("policies/rollout.cedarschema", "tests_passed: Bool", "tests_passed: Bool, failures: Long");
    world.replace("entities/facts.json", "true", "true, \"failures\": 0");
    let invariants =
        world.listing().into_iter().map(|(path, _)| path).find(|path| path.to_string_lossy().contains("invariants"));
    let invariants = invariants.unwrap().strip_prefix(world.folder()).unwrap().to_string_lossy().into_owned();
    count(&invariants, "<= 0");
    count(&invariants, "<= 0");
    count("policies/rollout.cedar", "<= 1");
    let ran = world.cutter("test --properties --cases 0 --format json");
    assert_eq!((ran.exit, failed(&ran)), (4, vec!["never of bans: never-untested".to_owned()]), "{}", ran.stderr);
    let mend = || world.replace("policies/rollout.cedar", "failures <= 1", "failures <= 0");
    is_kept(&world, "never of bans: never-untested", mend);
}

#[test]
fn properties_of_the_examples_hold_and_the_same_number_walks_the_same_way() {
    for (example, least) in [("billing", 20), ("rollout", 5)] {
        let world = World::example(example);
        let run = |more: &str| world.cutter(&format!("test --properties --cases 100 --format json {more}"));
        let ran = run("");
        assert_eq!(ran.exit, 0, "{example}: {}{}", ran.stdout, ran.stderr);
        let report = ran.json()["properties"].clone();
        assert!(report["properties"].as_array().unwrap().len() >= least, "{example}: {report:#}");
        assert_eq!(run("--jobs 1").json()["properties"]["requests"], report["requests"]);
        assert_ne!(run("--seed 2").json()["properties"]["requests"], report["requests"]);
    }
}

/// A policy that breaks what is true of any bundle, and the property that says so.
const BROKEN: [(&str, &str); 5] = [
    (
        "forbid (principal, action == Billing::Action::\"close_month\", resource)\nwhen { context.run.gates.contains(Cutter::Gate::\"SWITCH\") };",
        "more gates or fewer bans never deny",
    ),
    (
        "forbid (principal, action == Billing::Action::\"preview\", resource)\nwhen { context.run.mode == Cutter::Mode::\"live\" };",
        "a dry run may do no more than a live run",
    ),
    (
        "forbid (principal, action == Billing::Action::\"turn_posting\", resource)\nwhen { !context.to && context.run.facts.posting_on };",
        "turning off is never barred",
    ),
    // It names a gate, and no gate lifts it.
    (
        "@gate(\"SWITCH\") forbid (principal, action == Billing::Action::\"post_batch\", resource)\nwhen { resource.closed };",
        "opening its gate lifts an approval ban",
    ),
    // It asks for an approval that nothing needs.
    (
        "@gate(\"SWITCH\") forbid (principal, action == Billing::Action::\"post_batch\", resource)\nunless { context.run.gates.contains(Cutter::Gate::\"SWITCH\") || context.run.gates.contains(Cutter::Gate::\"CLOSE\") };",
        "the gates that are needed are enough, and none is too many",
    ),
];

#[test]
fn each_property_of_any_bundle_is_failed_by_a_policy_that_breaks_it() {
    for (policy, property) in BROKEN {
        let world = World::example("billing");
        let tier = if policy.starts_with("@gate") { "approval" } else { "absolute" };
        let head = format!(
            "\n@id(\"broken\")\n@title(\"Broken\")\n@tier(\"{tier}\")\n@severity(\"low\")\n@evidence(\"none\")\n@advice(\"mend it\")\n"
        );
        world.append("policies/bans.cedar", &format!("{head}{policy}\n"));
        let ran = world.cutter("test --properties --cases 0 --format json");
        assert_eq!(ran.exit, 4, "{property}: {}{}", ran.stdout, ran.stderr);
        assert!(failed(&ran).contains(&property.to_owned()), "{property}: {:?}", failed(&ran));
    }
}

/// What is planted in the books, by file: what stands there, and what stands there then; and the only properties that fail.
type Planted = (&'static [(&'static str, &'static str, &'static str)], &'static [&'static str]);

const PLANTED_ALONE: [Planted; 3] = [
    // What is called final, and what the gate of something else lifts.
    (
        &[(
            "policies/bans.cedar",
            "// Deny: a closed month.",
            "@id(\"planted\")\n@title(\"Post what is planted\")\n@tier(\"absolute\")\n@severity(\"low\")\n@evidence(\"none\")\n@advice(\"mend it\")\nforbid (principal, action == Billing::Action::\"post_batch\", resource)\nwhen { context.batch == \"planted\" }\nunless { context.run.gates.contains(Cutter::Gate::\"SWITCH\") };\n\n// Deny: a closed month.",
        )],
        &["no gate lifts what is final, and after its gates only its gaps bar a row"],
    ),
    // The same insert, called a preview.
    (
        &[(
            "cutter.toml",
            "[database]",
            "[effects.post-quietly]\naction = 'Billing::Action::\"preview\"'\nresource = 'Billing::Book::\"2026-10\"'\ndoes = \"posts\"\nargv = [\"/usr/lib/postgresql/16/bin/psql\", \"-X\", \"-c\", \"INSERT INTO billing.entry SELECT * FROM billing.staged WHERE batch = '2026-10-b'\"]\npin = \"root-owned\"\n\n[database]",
        )],
        &["`post-quietly` needs what `post` needs, whose work it does"],
    ),
    // The program of every effect, for a row to run as it likes.
    (
        &[(
            "policies/permits.cedar",
            "// Off is the safe state.",
            "@id(\"closers-run-programs\")\npermit (principal in Cutter::Group::\"closers\", action == Cutter::Action::\"run_program\", resource);\n\n// Off is the safe state.",
        )],
        &[
            "a row that runs the program of `close` by itself needs what `close` needs",
            "a row that runs the program of `post` by itself needs what `post` needs",
        ],
    ),
];

#[test]
fn a_fault_that_only_one_property_is_about_is_found_by_that_property_alone() {
    for (edits, properties) in PLANTED_ALONE {
        let world = World::example("billing");
        for (file, from, to) in edits {
            world.replace(file, from, to);
        }
        let ran = world.cutter("test --properties --cases 0 --format json");
        assert_eq!(ran.exit, 4, "{properties:?}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(failed(&ran), properties, "{}", ran.stdout);
        // What is left behind is asked first, and holds once the fault is gone; without the effect there is nothing to ask.
        let mend = || edits.iter().for_each(|(file, from, to)| world.replace(file, to, from));
        if let ([property], true) = (properties, edits.iter().all(|(file, ..)| *file != "cutter.toml")) {
            is_kept(&world, property, mend);
        }
    }
}

/// What stands in the bans of the books, what stands there then, and the gaps that nothing closes any more.
const UNCLOSABLE: [(&str, &str, &[&str]); 2] = [
    // No batch is and is not in the book; and nothing is posted, whether posting is on or not.
    (
        "when { resource.batches.contains(context.batch) };",
        "when { resource.batches.contains(context.batch) || !resource.batches.contains(context.batch) };",
        &["the gap BATCH can be closed: post-each-batch-once", "the gap POSTING can be closed: post-needs-posting-on"],
    ),
    // What would close it, the ban of another gap bars.
    (
        "unless { context.run.facts.posting_on };",
        "unless { context.run.facts.posting_on && resource.closed };",
        &["the gap POSTING can be closed: post-needs-posting-on"],
    ),
];

#[test]
fn a_gap_that_nothing_closes_is_found_by_the_property_that_it_can_be_closed_and_by_no_other() {
    for (from, to, properties) in UNCLOSABLE {
        let world = World::example("billing");
        world.replace("policies/bans.cedar", from, to);
        let ran = world.cutter("test --properties --cases 0 --format json");
        assert_eq!(
            (ran.exit, failed(&ran)),
            (4, properties.iter().map(ToString::to_string).collect()),
            "{}",
            ran.stderr
        );
        // Each is shown by a request that its ban bars, and no request by itself is a case of it.
        let report = ran.json()["properties"]["properties"].clone();
        for property in report.as_array().unwrap().iter().filter(|property| property["outcome"] == "failed") {
            let ban = property["name"].as_str().unwrap().rsplit(' ').next().unwrap();
            let policies = property["found"]["policies"].as_array().unwrap();
            assert!(policies.contains(&ban.into()) && property["found"]["case"].is_null(), "{property:#}");
        }
        assert!(!world.path("tests/policy/found").exists());
    }
}

#[test]
fn a_property_that_no_request_is_about_is_starved_and_not_held() {
    let world = World::example("rollout");
    let vacuous = "\n@id(\"nothing\")\n@of(\"bans\")\nforbid (\n  principal == Cutter::Agent::\"ci\",\n  action == Rollout::Action::\"deploy\",\n  resource\n)\nwhen { context.run.facts.tests_passed }\nwhen { !context.run.facts.tests_passed };\n";
    world.write("policies/invariants/vacuous.cedar", vacuous);
    let ran = world.cutter("test --properties --cases 50");
    assert_eq!(ran.exit, 7, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("STARVED  never of bans: nothing"), "{}", ran.stdout);
}

#[test]
fn without_a_solver_nothing_is_held() {
    let world = World::example("rollout");
    let ran = world.cutter("test --properties --solver /nowhere/cvc5");
    assert_ne!(ran.exit, 0);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("/nowhere/cvc5"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn what_the_solver_leaves_open_is_said_and_nothing_that_it_concerns_is_held() {
    let world = World::example("rollout");
    let ban = "\n@id(\"marked\")\n@title(\"Deploy what is marked\")\n@tier(\"absolute\")\n@severity(\"low\")\n@evidence(\"none\")\n@advice(\"mend it\")\nforbid (principal, action == Rollout::Action::\"deploy\", resource)\nwhen { context.run.id == \"marked\" && !context.run.facts.tests_passed };\n";
    world.append("policies/rollout.cedar", ban);
    assert_eq!(world.cutter("test --properties --cases 0").exit, 0);
    // It knows everything but what speaks of one text.
    let cvc5 = std::env::var("CVC5").unwrap_or_else(|_| "cvc5".to_owned());
    let solver = format!(
        "#!/bin/sh\ncase \"$1\" in --version) exec {cvc5} --version; esac\n\
         sed -u -e '/^(reset)/{{x;s/.*//;x}}' -e '/\"marked\"/h' \
         -e '/^(check-sat)/{{x;/marked/{{x;s/.*/(echo \"unknown\")/;b}};x}}' | exec {cvc5} \"$@\"\n"
    );
    world.write("solver", solver);
    mode(&world.path("solver"), 0o755);
    let run = |format: &str| world.cutter(&format!("test --properties --cases 0 --solver ./solver --format {format}"));
    let ran = run("json");
    assert_eq!(ran.exit, 7, "{}{}", ran.stdout, ran.stderr);
    let report = ran.json()["properties"].clone();
    let open = report["unanswered"].as_array().unwrap();
    let marked = open.iter().find(|open| open["about"] == "marked").unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(marked["request_types"], serde_json::json!(["Agent deploy Site"]), "{marked:#}");
    for property in report["properties"].as_array().unwrap() {
        assert_eq!(property["outcome"], "unmeasured", "{property:#}");
    }
    let shown = run("table").stdout;
    assert!(shown.contains("properties  NOT FULLY MEASURED  0 of "), "{shown}");
    assert!(shown.contains("  unknown  ") && shown.contains("  open     marked"), "{shown}");
    assert!(run("junit").stdout.contains("<error message=\"not fully measured, as the solver left open"));
    assert!(run("github").stdout.contains("::error title=cutter test::") && run("github").exit == 7);
}
