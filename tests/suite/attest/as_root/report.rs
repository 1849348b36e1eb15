//! Report 07, reproduced: nothing approved, four free actions done, and every ban measured.

use crate::attest::scene::{FREE, Scene, row};
use crate::support::world::{PLAN, root};
use regex::Regex;
use std::fs;

/// The walk of the readiness task: look, capture, four actions, capture, report.
pub fn readiness() -> Scene {
    let scene = Scene::new();
    assert_eq!(scene.cutter(&format!("authorize {PLAN}")).exit, 5);
    assert_eq!(scene.capture("a.json"), 0);
    scene.do_what_is_free();
    assert_eq!(scene.capture("b.json"), 0);
    scene
}

/// What is new in every run, by what it is.
fn steady(scene: &Scene, text: &str) -> String {
    let folder = scene.path("").display().to_string();
    let mut text = text.replace(folder.trim_end_matches('/'), "FOLDER");
    for (pattern, name) in [
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+(\.[0-9]+)?Z", "TIME"),
        (r"(?m)^- date_utc: .*$", "- date_utc: DATE"),
        (r"\b[0-9]{19}\b", "SYSTEM-IDENTIFIER"),
        (r"tree v0.4-skeleton: [0-9]+ files, [0-9]+ bytes", "tree v0.4-skeleton: N files, N bytes"),
        (r"\| (tree:v0.4-skeleton) \| [^|]* \| [^|]* \|", "| $1 | N files, N bytes | N files, N bytes |"),
        (r"host:(cron|units) \| [^|]* \| [^|]* \|", "host:$1 | N values | N values |"),
        (r"runtime-root: ([0-9]+) files, [0-9]+ bytes", "runtime-root: $1 files, N bytes"),
        (r"(runtime-root \| .* \| [0-9]+ files), [0-9]+ bytes \|", "$1, N bytes |"),
        (r"host (cron|units): [0-9]+ values", "host $1: N values"),
        (r"\b[0-9a-f]{12}\b", "DIGEST"),
        (r": sh -c .*", ": sh -c COMMAND"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    text
}

#[test]
fn report_07_is_reproduced_on_the_test_database_line_by_line() {
    let scene = readiness();
    let ran = scene.attest("--format markdown --full");
    assert_eq!(ran.exit, 5, "{}{}", ran.stdout, ran.stderr);
    compare(&steady(&scene, &ran.stdout), "report.md");
    let ran = scene.attest("--format markdown");
    assert!(ran.stdout.lines().count() <= 70, "{}", ran.stdout);
    compare(&steady(&scene, &ran.stdout), "page.md");
    let ran = scene.attest("");
    assert!(ran.stdout.lines().count() <= 90, "{}", ran.stdout);
}

#[test]
fn a_gap_that_no_done_row_packages_leaves_the_question_to_the_runs_own_word() {
    let scene = Scene::new();
    assert_eq!(scene.capture("a.json"), 0);
    for action in FREE.into_iter().filter(|action| *action != "read-source-registries") {
        assert_eq!(scene.exec(action).exit, 0, "{action}");
    }
    assert_eq!(scene.capture("b.json"), 0);
    let (exit, report) = scene.report();
    let ban = row(&report, "forbidden", "no-artifact-request");
    assert_eq!((exit, &ban["status"], &ban["basis"]), (5, &"NOT_ATTEMPTED".into(), &"self_reported".into()), "{ban}");
    let gaps = row(&report, "non_mutation", "report:gaps")["final"].to_string();
    assert!(gaps.contains("GAP8"), "{gaps}");
}

fn compare(found: &str, name: &str) {
    let golden = root().join("tests/suite/attest").join(name);
    if std::env::var_os("CUTTER_WRITE_GOLDEN").is_some() {
        fs::write(&golden, found).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap();
    for (number, (expected, found)) in (1..).zip(expected.lines().zip(found.lines())) {
        assert_eq!(expected, found, "line {number} of tests/suite/attest/{name}");
    }
    assert_eq!(expected, found);
}
