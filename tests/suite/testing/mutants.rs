//! `review mutate`: who notices a small change of a policy, and what is said of one that nobody notices.

use crate::support::world::World;
use serde_json::Value;

const HEAD: &str = "now = \"2026-05-21T08:15:00Z\"\nplan = \"plan.json\"\n[[table]]\nsays = \"tested or not\"\nrow = \"deploy\"\ncolumns = [\"facts.tests_passed\", \"basis\"]\n";

fn findings(world: &World, more: &str) -> (i32, Vec<String>, String) {
    let ran = world.cutter(&format!("review mutate --no-cache --format json {more}"));
    let report = ran.json();
    let found = report["findings"].as_array().unwrap().iter();
    let said =
        found.map(|finding| format!("{}: {}", finding["about"].as_str().unwrap_or_default(), finding["message"]));
    let part = report["parts"].as_array().unwrap().iter().find(|part| part["name"] == "mutate").cloned();
    (ran.exit, said.collect(), part.unwrap_or(Value::Null)["summary"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_mutant_that_nothing_notices_survives_until_an_invariant_or_a_case_notices_it() {
    let world = World::example("rollout");
    let (exit, survivors, summary) = findings(&world, "");
    assert!(survivors.iter().all(|said| !said.contains("dropped")), "{survivors:#?} {summary}");
    world.remove("policies/invariants");
    let (without, more, summary) = findings(&world, "");
    assert_eq!(without, 4, "{exit} {summary}");
    assert!(more.len() > survivors.len() && more.iter().any(|said| said.contains("dropped")), "{more:#?}");
    world.write(
        "tests/policy/deploy.toml",
        format!("{HEAD}cells = [[true, \"permitted\"], [false, \"precondition\"]]\n"),
    );
    let (_, fewer, _) = findings(&world, "");
    assert!(fewer.len() < more.len() && fewer.iter().all(|said| !said.contains("dropped")), "{fewer:#?}");
}

#[test]
fn what_the_budget_left_out_is_undecided_and_never_clean() {
    let world = World::example("rollout");
    let (exit, survivors, summary) = findings(&world, "--budget 0");
    assert_eq!((exit, survivors.len()), (7, 0), "{summary}");
    assert!(summary.contains("not run"), "{summary}");
}

#[test]
fn a_survivor_is_shown_with_a_ready_case_for_code_scanning_and_as_a_file() {
    let world = World::example("rollout");
    world.remove("policies/invariants");
    let ran = world.cutter("review mutate --no-cache --format sarif --counterexamples found");
    assert_eq!(ran.exit, 4, "{}", ran.stderr);
    assert!(ran.json()["runs"][0]["results"].as_array().unwrap().iter().any(|result| result["ruleId"] == "T01"));
    let cases: Vec<_> =
        world.listing().into_iter().filter(|(path, _)| path.to_string_lossy().ends_with(".test.json")).collect();
    // There are two policies, and a case for each of their survivors that a request can show.
    assert!(cases.len() > 2, "{cases:?}");
    for (path, _) in cases {
        let ran = world.cutter(&format!("test {}", path.display()));
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    }
}
