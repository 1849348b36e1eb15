//! `cutter replay`: recorded decisions asked again of other policies; only what comes out otherwise is shown.

use crate::support::scrubbed::scrubbed;
use crate::support::world::World;
use serde_json::Value;

/// The shortest example, its decisions in each form that is recorded, and a bundle without its ban.
fn recorded(passed: bool) -> World {
    let world = World::example("rollout");
    if !passed {
        world.replace("entities/facts.json", "true", "false");
    }
    for (form, file) in [("ndjson", "log.ndjson"), ("json", "decisions.json")] {
        world.cutter(&format!("authorize plan.json --format {form} --output {file} --attest statement.json"));
        world.remove_if_there(if form == "ndjson" { "statement.json" } else { "none" });
    }
    crate::support::tree::copy(&world.path("policies"), &world.path("other"));
    world.remove_if_there("other/invariants");
    let text = world.read("other/rollout.cedar");
    world.write("other/rollout.cedar", text.split("\n\n").next().unwrap());
    world
}

#[test]
fn decisions_of_every_recorded_form_come_out_the_same_by_the_same_policies() {
    for passed in [true, false] {
        let world = recorded(passed);
        for file in ["log.ndjson", "decisions.json", "statement.json"] {
            let ran = world.cutter(&format!("replay {file}"));
            assert_eq!(ran.exit, 0, "{file}: {}{}", ran.stdout, ran.stderr);
            assert!(ran.stdout.starts_with("replay  THE SAME  1 decisions"), "{file}: {}", ran.stdout);
        }
    }
}

#[test]
fn a_decision_from_deny_to_allow_is_shown_with_why_and_fails() {
    let world = recorded(false);
    for file in ["log.ndjson", "decisions.json", "statement.json"] {
        let ran = world.cutter(&format!("replay {file} --policies other"));
        assert_eq!(ran.exit, 4, "{file}: {}{}", ran.stdout, ran.stderr);
        for said in
            ["WIDENED", "decided deny by deploy-needs-green-tests", "would be decided allow by ci-deploys-to-staging"]
        {
            assert!(ran.stdout.contains(said), "{file}, {said}: {}", ran.stdout);
        }
    }
    let world = recorded(true);
    world.replace("other/rollout.cedar", "\"staging\"", "\"production\"");
    world.replace(
        "entities/facts.json",
        "[\n",
        "[{\"uid\": {\"type\": \"Rollout::Site\", \"id\": \"production\"}, \"attrs\": {}, \"parents\": []},\n",
    );
    let ran = world.cutter("replay log.ndjson --policies other");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("NARROWED") && ran.stdout.contains("would be decided deny by no policy"),
        "{}",
        ran.stdout
    );
}

#[test]
fn results_of_parts_add_up_to_the_result_of_the_whole() {
    let world = recorded(false);
    let line = world.read("log.ndjson");
    world.write("whole.ndjson", line.repeat(5));
    world.write("part-a.ndjson", line.repeat(2));
    world.write("part-b.ndjson", line.repeat(3));
    for name in ["whole", "part-a", "part-b"] {
        world.cutter(&format!("replay {name}.ndjson --policies other --format json --output {name}.json"));
    }
    let sum = world.cutter("replay --merge part-a.json part-b.json --format json");
    assert_eq!(sum.exit, 4);
    let (sum, whole): (Value, Value) = (sum.json(), world.read("whole.json").parse().unwrap());
    for name in ["decisions", "same", "deny_to_allow", "allow_to_deny", "not_asked"] {
        assert_eq!(sum[name], whole[name], "{name}");
    }
    assert_eq!(sum["deny_to_allow"], 5);
}

#[test]
fn what_is_no_request_any_more_is_not_taken_for_the_same() {
    let world = recorded(true);
    world.replace("policies/rollout.cedarschema", "tests_passed: Bool", "tests_passed: Bool, failures: Long");
    world.write("entities/facts.json", world.read("entities/facts.json").replace("true", "true, \"failures\": 0"));
    let ran = world.cutter("replay log.ndjson");
    assert_eq!(ran.exit, 7, "{}{}", ran.stdout, ran.stderr);
    world.write("empty.ndjson", "");
    assert_eq!(world.cutter("replay empty.ndjson").exit, 7);
    world.write("broken.ndjson", world.read("log.ndjson") + "{\n");
    assert_eq!(world.cutter("replay broken.ndjson").exit, 3);
}

/// What is done to a recorded decision or to the facts, and why the decision cannot be asked then.
const UNASKED: [(&str, &str, &str, &str); 6] = [
    ("log.ndjson", "\"context\":", "\"contexts\":", "`context` is not there"),
    ("log.ndjson", "\"decision\":", "\"decided\":", "`decision` is not there"),
    ("log.ndjson", "\"resource\":", "\"resources\":", "`resource` is not there"),
    ("log.ndjson", "\"decision\":\"deny\"", "\"decision\":\"DENY\"", "is `DENY`"),
    ("log.ndjson", "Rollout::Action::", "Action::", "does not fit"),
    ("entities/facts.json", "\"tests_passed\"", "\"tests\"", "do not fit"),
];

#[test]
fn what_is_no_whole_decision_or_cannot_be_judged_is_not_taken_for_the_same() {
    let mut wrong = Vec::new();
    for (file, from, to, why) in UNASKED {
        let world = recorded(false);
        let line = world.read("log.ndjson");
        world.replace(file, from, to);
        if file == "log.ndjson" {
            world.write("log.ndjson", line + &world.read("log.ndjson"));
        }
        let ran = world.cutter("replay log.ndjson");
        let is_said = ran.stdout.contains(why) || ran.stderr.contains(why);
        let is_counted = file != "log.ndjson" || ran.stdout.contains("2 decisions: 1 the same");
        if !(ran.exit == 7 && is_counted || ran.exit == 3 && why == "do not fit") || !is_said {
            wrong.push(format!("{to}: {} {}{}", ran.exit, ran.stdout, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A ban that fails to evaluate decides nothing, and what is not there has no attributes that could be read.
    let world = recorded(false);
    world.replace("policies/rollout.cedar", "tests_passed };", "tests_passed || 9223372036854775807 + 1 > 0 };");
    let ran = world.cutter("replay log.ndjson");
    assert!(ran.exit == 7 && ran.stdout.contains("overflow"), "{} {}{}", ran.exit, ran.stdout, ran.stderr);
    let world = recorded(false);
    world.replace("policies/rollout.cedarschema", "entity Site;", "entity Site { open: Bool };");
    world.replace("entities/facts.json", "\"staging\"}, \"attrs\": {}", "\"elsewhere\"}, \"attrs\": {\"open\": true}");
    let ran = world.cutter("replay log.ndjson");
    assert!(ran.exit == 7 && ran.stdout.contains("not among the facts"), "{} {}{}", ran.exit, ran.stdout, ran.stderr);
}

#[test]
fn the_policies_of_a_revision_are_asked_instead_of_those_that_lie_there() {
    let world = recorded(false);
    let git = |arguments: &[&str]| {
        let mut command = scrubbed("git");
        command.arg("-C").arg(world.folder()).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "policies", "cutter.toml", "entities", "plan.json"]);
    git(&["commit", "-qm", "the policies that decided"]);
    world.remove("policies");
    std::fs::rename(world.path("other"), world.path("policies")).unwrap();
    let there = world.cutter("replay log.ndjson");
    assert_eq!(there.exit, 4, "{}{}", there.stdout, there.stderr);
    let before = world.cutter("replay log.ndjson --against main");
    assert_eq!(before.exit, 0, "{}{}", before.stdout, before.stderr);
    let unknown = world.cutter("replay log.ndjson --against nowhere");
    assert!(unknown.exit == 1 && unknown.stderr.contains("nowhere"), "{}: {}", unknown.exit, unknown.stderr);
}
