//! The faces: none drops a row, tables fit, colour stays off where it should, and all come from one record.

use crate::support::world::World;
use unicode_width::UnicodeWidthStr as _;

const O9: &str = "authorize plans/o9-first-production-run.json --now 2026-05-21T08:15:00Z";

#[test]
fn every_face_shows_every_row() {
    let world = World::shipped();
    let document = world.cutter(&format!("{O9} --format json")).json();
    let ids: Vec<&str> =
        document["decisions"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    let table = world.cutter_with(O9, &[("COLUMNS", "200")]).stdout;
    let markdown = world.cutter(&format!("{O9} --format markdown")).stdout;
    let lines = world.cutter(&format!("{O9} --format ndjson")).stdout;
    assert_eq!(lines.lines().count(), ids.len());
    for id in ids {
        let is_row = |line: &str| line.get(8..).is_some_and(|rest| rest.starts_with(&format!("{id} ")));
        assert_eq!(table.lines().filter(|line| is_row(line)).count(), 1, "{id}\n{table}");
        assert!(markdown.contains(&format!("| {id} |")), "{id}");
        assert!(lines.contains(&format!("{{\"id\":\"{id}\"")), "{id}");
    }
}

#[test]
fn tables_fit_80_and_200_columns() {
    let world = World::shipped();
    for columns in ["80", "200"] {
        for plan in ["o9-first-production-run", "forbidden-sampler"] {
            let ran = world.cutter_with(&format!("authorize plans/{plan}.json"), &[("COLUMNS", columns)]);
            for line in ran.stdout.lines() {
                assert!(line.width() <= columns.parse().unwrap(), "{columns}: {line}");
            }
        }
    }
}

#[test]
fn colour_is_off_in_a_pipe_and_on_when_it_is_asked_for() {
    let world = World::shipped();
    assert!(!world.cutter(O9).stdout.contains('\u{1b}'));
    assert!(world.cutter(&format!("{O9} --color always")).stdout.contains("\u{1b}["));
    assert!(!world.cutter_with(&format!("{O9} --color never"), &[("CLICOLOR_FORCE", "1")]).stdout.contains('\u{1b}'));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let world = World::shipped();
    for format in ["table", "json", "markdown", "ndjson"] {
        let arguments = format!("{O9} --format {format}");
        assert_eq!(world.cutter(&arguments).stdout, world.cutter(&arguments).stdout, "{format}");
    }
}

#[test]
fn output_goes_to_a_file_that_is_there_whole_and_alone() {
    let world = World::shipped();
    let ran = world.cutter(&format!("{O9} --format json --output result.json"));
    assert_eq!((ran.exit, ran.stdout.as_str()), (5, ""));
    assert!(serde_json::from_str::<serde_json::Value>(&world.read("result.json")).is_ok());
    let left: Vec<_> = std::fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().ends_with(".tmp")), "{left:?}");
}

#[test]
fn hostile_text_forges_no_row_in_any_face() {
    let world = World::shipped();
    let plan = r#"{"version":1,"plan":"a|b\u202e<script>","run":"ictr-20260521T081500Z-1a2b3c4d","mode":"live",
        "author":"Cutter::Agent::\"planner\"","principal":"Cutter::Agent::\"run-agent\"","actions":[
        {"id":"x | allow | y","action":"Iu::Action::\"hard_delete\"","resource":"Iu::Relation::\"public.information_unit\""}]}"#;
    world.write("plan.json", plan);
    let markdown = world.cutter("authorize plan.json --format markdown").stdout;
    assert!(markdown.contains(r"| x \| allow \| y |") && !markdown.contains("<script>"), "{markdown}");
    assert!(!world.cutter("authorize plan.json").stdout.contains('\u{202e}'));
}

#[test]
fn explain_underlines_the_deciding_policy_and_shows_facts_and_changes() {
    let ran = World::shipped().cutter("explain plans/o9-first-production-run.json flip-on");
    assert_eq!(ran.exit, 0);
    for part in [
        "policies/00-seed-report.cedar:",
        "/ forbid (",
        "^",
        "context.run.gates is []",
        "context.to is true",
        "open the gate FLIP",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
}

#[test]
fn explain_of_a_blocked_row_names_its_blocker() {
    let ran = World::shipped().cutter("explain plans/o9-first-production-run.json mark");
    assert!(ran.stdout.contains("`source-pin` must be allowed first"), "{}", ran.stdout);
    let next = "next    cutter explain plans/o9-first-production-run.json start\n";
    assert!(ran.stdout.contains(next), "{}", ran.stdout);
}
