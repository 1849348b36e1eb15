//! What would stop a run later is said before it begins.

use crate::support::world::{PLAN, World, shell};
use serde_json::{Value, json};

/// The shipped plan with other rows.
fn with_rows(rows: Value) -> World {
    let world = World::shipped();
    world.edit(PLAN, |plan| plan["actions"] = rows);
    world
}

#[test]
fn a_plan_of_several_users_and_a_ledger_in_a_folder_is_warned_of() {
    let world = World::shipped();
    let ran = world.cutter(&format!("authorize {PLAN}"));
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("verify-agent") && ran.stderr.contains("[ledger.database]"), "{}", ran.stderr);
    let alone = with_rows(json!([{"id": "flip-off", "effect": "switch-off", "finally": true}]));
    assert_eq!(alone.cutter(&format!("authorize {PLAN}")).stderr, "");
}

#[test]
fn rows_that_run_programs_of_their_own_are_named() {
    let world = with_rows(json!([{"id": "mine", "argv": [shell(), "-c", "true"]}]));
    let ran = world.cutter(&format!("authorize {PLAN}"));
    assert_eq!(ran.exit, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("`mine` run programs that no effect declares"), "{}", ran.stderr);
}

#[test]
fn a_plan_whose_report_nobody_could_sign_is_refused_before_the_run() {
    let label = "x".repeat(14 * 1024 * 1024);
    let world =
        with_rows(json!([{"id": "flip-off", "effect": "switch-off", "finally": true, "labels": {"why": label}}]));
    let ran = world.cutter(&format!("authorize {PLAN} --error-format json"));
    assert_eq!(ran.exit, 3, "{}", ran.stderr.chars().take(2000).collect::<String>());
    let found: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(found["errors"][0]["code"], "plan-too-large", "{found}");
}
