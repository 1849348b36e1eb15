//! What `authorize` and `explain` show, kept as files: at 80 and 140 columns, plain and coloured.

use crate::ledger::scene::{self, run, started};
use crate::support::golden::golden;
use crate::support::world::{World, scripted};
use cutter::digest::Digest;
use cutter::ledger::Started;
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

const READY: &str = "plans/o9-first-production-run.json";
const NOW: &str = "--now 2026-05-21T08:15:00Z";

/// In four forms: two widths, plain and coloured; plain lines fit.
fn shown(name: &str, arguments: &str) {
    let world = World::shipped();
    for columns in ["80", "140"] {
        for (color, suffix) in [("never", ""), ("always", "-colour")] {
            let ran = world.cutter_with(&format!("{arguments} --color {color}"), &[("COLUMNS", columns)]);
            golden(&format!("{name}-{columns}{suffix}.txt"), &without_digests(&ran.stdout));
            if color == "never" {
                let wide = ran.stdout.lines().find(|line| line.width() > columns.parse().unwrap());
                assert_eq!(wide, None, "{columns}");
            }
        }
    }
}

#[test]
fn authorize_of_a_plan_that_needs_approvals_looks_as_kept() {
    shown("authorize-ready", &format!("authorize {READY} {NOW}"));
}

#[test]
fn authorize_of_a_plan_that_is_denied_for_good_looks_as_kept() {
    shown("authorize-denied", &format!("authorize plans/forbidden-sampler.json {NOW}"));
}

#[test]
fn authorize_of_a_plan_that_is_allowed_looks_as_kept() {
    shown("authorize-authorized", &format!("authorize plans/generic-dryrun.json {NOW}"));
}

#[test]
fn explain_of_a_row_that_needs_an_approval_looks_as_kept() {
    shown("explain-approval", &format!("explain {READY} flip-on {NOW}"));
}

#[test]
fn explain_of_a_row_with_gaps_looks_as_kept() {
    shown("explain-gaps", &format!("explain {READY} start {NOW}"));
}

#[test]
fn authorize_as_markdown_looks_as_kept() {
    let ran = World::shipped().cutter(&format!("authorize {READY} {NOW} --format markdown"));
    let long = |line: &&str| !line.contains("sha256");
    let text: String = ran.stdout.lines().filter(long).map(|line| format!("{line}\n")).collect();
    golden("authorize-ready.md", &text);
}

#[test]
fn the_next_command_names_the_plan_and_the_flags_as_they_were_typed() {
    let world = World::shipped();
    std::fs::rename(world.path("policies"), world.path("the policies")).unwrap();
    world.cutter("ledger init --ledger lid");
    let ran = world.cutter_words(&["authorize", "--policies", "the policies", READY, "--ledger", "lid"]);
    let next =
        "next    cutter approval request plans/o9-first-production-run.json --policies 'the policies' --ledger lid\n";
    assert!(ran.stdout.contains(next), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_plan_that_is_allowed_names_the_first_row_that_runs_something() {
    let world = World::shipped();
    world.declare("rehearse", "action = 'Iu::Action::\"dry_run\"'\nresource = 'Iu::Document'", &scripted("true"));
    world.edit("plans/generic-dryrun.json", |plan| {
        plan["mode"] = "live".into();
        let document = "Iu::Document::\"generic-three-units\"";
        plan["actions"] = json!([{"id": "re hearse", "effect": "rehearse", "resource": document}]);
    });
    let ran = world.cutter("authorize plans/generic-dryrun.json");
    let next = "next    cutter exec plans/generic-dryrun.json 're hearse'\n";
    assert!(ran.exit == 0 && ran.stdout.contains(next), "{}{}", ran.stdout, ran.stderr);
    // What ended well is not suggested again; what failed is.
    assert_eq!(world.cutter("ledger init").exit, 0);
    let plan: serde_json::Value = serde_json::from_str(&world.read("plans/generic-dryrun.json")).unwrap();
    let ledger = scene::folder(world.path(".cutter"));
    for (status, next) in [(1, next), (0, "next    nothing left to run: ")] {
        let start = Started {
            plan: Digest::of(world.read("plans/generic-dryrun.json").as_bytes()),
            repeatable: true,
            ..started(plan["run"].as_str().unwrap(), "re hearse", &[])
        };
        run(&ledger, &start, Some(status));
        let ran = world.cutter("authorize plans/generic-dryrun.json");
        assert!(ran.exit == 0 && ran.stdout.contains(next), "{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a_plan_of_two_thousand_long_and_wide_names_has_one_line_a_row() {
    let world = World::shipped();
    let rows: Vec<String> = (0..2000)
        .map(|number| {
            let name = if number % 2 == 0 { "very-long-name-".repeat(20) } else { "日本語の行".repeat(20) };
            format!(
                r#"{{"id":"{number}-{name}-{number}","action":"Iu::Action::\"read\"","resource":"Iu::Document::\"generic-three-units\""}}"#
            )
        })
        .collect();
    let text = world.read("plans/generic-dryrun.json");
    let (head, _) = text.split_once("\"actions\"").unwrap();
    world.write("plan.json", format!("{head}\"actions\": [{}]}}", rows.join(",")));
    let ran = world.cutter_with("authorize plan.json", &[("COLUMNS", "80")]);
    let rows: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("ok ")).collect();
    assert_eq!((ran.exit, rows.len()), (0, 2000), "{}", ran.stderr);
    assert!(rows.iter().all(|line| line.width() <= 80 && line.contains('…') && line.contains("read generic-three")));
}

/// Digests depend on every policy; what is shown of them is only how long they are.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut clean = String::new();
    for word in text.split_inclusive([' ', '\n', '\u{1b}']) {
        match is_digest(word.trim_end_matches([' ', '\n', '\u{1b}'])) {
            true => clean.push_str(&format!("############{}", &word[12..])),
            false => clean.push_str(word),
        }
    }
    clean
}
