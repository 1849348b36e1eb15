//! Properties: faults that were planted are found by them alone, kept as cases, and what reaches nothing says so.

use crate::support::ran::Ran;
use crate::support::world::World;
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
    let ran = world.cutter("test --properties --cases 0 --format json");
    assert_eq!(ran.exit, 4, "{}{}", ran.stdout, ran.stderr);
    let mut expected: Vec<&str> = PLANTED.iter().map(|(.., property)| *property).collect();
    let mut found = failed(&ran);
    expected.sort_unstable();
    found.sort();
    assert_eq!(found, expected);
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
