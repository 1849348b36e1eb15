//! What cases reach: policies that fired, that were decisive, and conditions that were seen true, and false.

use crate::support::world::World;
use serde_json::Value;

const HEAD: &str = "now = \"2026-05-21T08:15:00Z\"\nplan = \"plan.json\"\n";

fn table(cells: &str) -> String {
    format!(
        "{HEAD}[[table]]\nsays = \"tested or not\"\nrow = \"deploy\"\ncolumns = [\"facts.tests_passed\", \"basis\"]\ncells = [{cells}]\n"
    )
}

/// By cells: of two policies fired and decisive, and of the one condition true and false.
const REACHED: [(&str, [u64; 4]); 3] = [
    ("[true, \"permitted\"]", [1, 1, 1, 0]),
    ("[false, \"precondition\"]", [2, 2, 0, 1]),
    ("[true, \"permitted\"], [false, \"precondition\"]", [2, 2, 1, 1]),
];

#[test]
fn what_cases_reach_is_counted_by_policy_and_by_condition_in_each_direction() {
    let world = World::example("rollout");
    for (cells, reached) in REACHED {
        world.write("cases/deploy.toml", table(cells));
        let report = world.cutter("test cases --coverage --format json").json();
        let coverage = &report["coverage"];
        let of = |name: &str| coverage[name]["of"].as_u64().unwrap();
        assert_eq!(["fired", "decisive", "seen_true", "seen_false"].map(of), reached, "{cells}: {coverage:#}");
    }
}

#[test]
fn what_is_missed_is_shown_with_its_place_and_less_than_asked_for_is_a_failure() {
    let world = World::example("rollout");
    world.write("cases/deploy.toml", table(REACHED[0].0));
    let ran = world.cutter("test cases --coverage");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    for said in ["coverage  0 %", "deploy-needs-green-tests policies/rollout.cedar:8", "never false:", ":20)"] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    // Whoever asks for a least share is told which is smaller, in every form.
    for (form, said) in [
        ("table", "coverage  TOO LITTLE  policies fired"),
        ("table", "at least 1 % of each was asked for"),
        ("json", "\"min\": 1"),
        ("junit", "<failure message=\"0 of 1 (0 %), of 1 %\"/>"),
        ("github", "::error title=cutter test::conditions seen false: 0 of 1 (0 %25), of 1 %25"),
    ] {
        let ran = world.cutter(&format!("test cases --coverage --min 1 --format {form}"));
        assert!(ran.exit == 4 && ran.stdout.contains(said), "{form}: {} {}", ran.exit, ran.stdout);
    }
    assert_eq!(world.cutter("test cases --coverage --min 101").exit, 64);
    world.write("cases/deploy.toml", table(REACHED[2].0));
    let ran = world.cutter("test cases --coverage --min 100");
    assert_eq!(ran.exit, 0, "{}", ran.stdout);
    assert!(ran.stdout.contains("coverage  100 %"), "{}", ran.stdout);
}

/// A policy whose absence no case would show fired, and was not decisive.
#[test]
fn a_second_ban_before_the_same_row_is_decisive_only_where_a_case_names_it() {
    let world = World::example("rollout");
    let text = world.read("policies/rollout.cedar");
    let twin = text.split("\n\n").nth(1).unwrap().replace("deploy-needs-green-tests", "another-ban");
    world.append("policies/rollout.cedar", &format!("\n{twin}"));
    world.write("cases/deploy.toml", table("[false, \"precondition\"]"));
    let decisive = |world: &World| {
        let report = world.cutter("test cases --coverage --format json").json();
        let policies = report["coverage"]["policies"].as_array().unwrap().clone();
        let decisive = policies.iter().filter(|policy| policy["decisive"] != 0);
        decisive.map(|policy| policy["id"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(decisive(&world), ["ci-deploys-to-staging"]);
    world.replace("cases/deploy.toml", "\"basis\"]", "\"policies\"]");
    world.replace("cases/deploy.toml", "\"precondition\"", "[\"another-ban\"]");
    assert_eq!(decisive(&world), ["another-ban"]);
}
