//! No secret leaves with a report: not from a variable, not in a well-known shape, not in a log that it is given.

use crate::attest::scene::{SECRET, Scene, row};
use crate::support::world::PLAN;

#[test]
fn a_secret_in_the_plan_a_log_or_the_evidence_ends_everything_and_is_never_repeated() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    let refused = |arguments: &str, place: &str| {
        let ran = scene.attest(&format!("{arguments} --attest report.json"));
        assert_eq!(ran.exit, 8, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(place), "no `{place}` in {}", ran.stderr);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(SECRET) && !text.contains("staple") && !text.contains("ghp_"), "{text}");
        }
        assert!(!scene.path("report.json").exists() && !scene.path(".cutter/attestations").exists());
    };
    scene.write("run.log", format!("first\nusing {SECRET}\n"));
    refused("--log run.log", "run.log:2 holds the value of `CUTTER_TEST_TOKEN`");
    scene.write("run.log", format!("token ghp_{}\n", "a1B2".repeat(10)));
    refused("--log run.log", "run.log:1 holds a token of GitHub");
    let plan = scene.read(PLAN);
    scene.write(
        PLAN,
        plan.replace("\"gate\": \"G7 optional execution\"", "\"gate\": \"correct horse battery \\\"staple\\\"\""),
    );
    scene.sign();
    refused("", "the attestation at /predicate/decisions/plan/labels/gate holds the value of `CUTTER_TEST_TOKEN`");
    scene.write(PLAN, plan.replace("\"G7 optional execution\"", "\"postgres://u:hunter2@db/x\""));
    scene.sign();
    refused("", "holds a URL with a password");
}

#[test]
fn a_secret_that_is_a_name_itself_is_not_repeated_in_the_place_of_the_finding() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    let plan = scene.read(PLAN);
    let label = r#""postgres://u:hunter2@db/x": "postgres://u:hunter2@db/x""#;
    scene.write(PLAN, plan.replace("\"gate\": \"G7 optional execution\"", label));
    scene.sign();
    let ran = scene.attest("--attest report.json");
    assert_eq!(ran.exit, 8, "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2") && ran.stderr.contains("labels/<member 1>"), "{}", ran.stderr);
}

#[test]
fn a_variable_that_is_not_set_here_leaves_the_ban_unknown() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    scene.write("run.log", "nothing\n");
    let ran = scene.attest_with("--log run.log --format json", &[("CUTTER_TEST_TOKEN", "")]);
    assert_eq!(ran.exit, 7, "{}", ran.stderr);
    assert_eq!(row(&ran.json(), "forbidden", "no-secret-logging")["status"], "UNKNOWN");
    let (exit, report) = scene.report();
    assert_eq!((exit, &row(&report, "forbidden", "no-secret-logging")["status"]), (5, &"NOT_DONE".into()));
}

/// What the rows of the report say of secrets in outputs: of the ban, and of what was looked at.
fn rows(report: &serde_json::Value) -> (String, String, String) {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (ban, looked) = (row(report, "forbidden", "no-secret-logging"), row(report, "non_mutation", "secrets:outputs"));
    (text(&ban["status"]), text(&ban["basis"]), text(&looked["final"]))
}

#[test]
fn what_programs_wrote_is_known_by_the_records_of_their_ends() {
    let scene = Scene::new();
    scene.capture("a.json");
    assert_eq!(scene.exec("author-backup-runner").exit, 0);
    scene.capture("b.json");
    let (status, basis, looked) = rows(&scene.report().1);
    assert_eq!((status.as_str(), basis.as_str()), ("NOT_DONE", "derived"));
    assert!(looked.starts_with("none found") && looked.ends_with("what 1 of 1 programs wrote"), "{looked}");
    // Where a value was not known when the program ran, nobody looked for it.
    let scene = Scene::new();
    scene.capture("a.json");
    let ran = scene.cutter_with(&format!("exec {PLAN} author-backup-runner"), &[("CUTTER_TEST_TOKEN", "")]);
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    scene.capture("b.json");
    let (status, basis, looked) = rows(&scene.report().1);
    assert_eq!((status.as_str(), basis.as_str()), ("NOT_DONE", "self_reported"));
    assert!(looked.ends_with("what 0 of 1 programs wrote"), "{looked}");
}

#[test]
fn a_secret_that_a_program_wrote_is_a_contradiction_and_the_report_says_which_kind() {
    let scene = Scene::new();
    scene.configure(|config| {
        let (before, rest) = config.split_once("argv = [\"/usr/bin/install\"").unwrap();
        let (_, after) = rest.split_once('\n').unwrap();
        format!("{before}argv = ['/usr/bin/printf', 'correct horse %s \"staple\"\\n', 'battery']\n{after}")
    });
    scene.sign();
    scene.capture("a.json");
    let ran = scene.exec("author-backup-runner");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stderr.contains("staple"), "{}", ran.stderr);
    scene.capture("b.json");
    let (exit, report) = scene.report();
    let (status, basis, looked) = rows(&report);
    assert_eq!((exit, status.as_str(), basis.as_str()), (6, "DONE", "derived"), "{looked}");
    let said = report["predicate"]["contradictions"].to_string();
    assert!(said.contains("`author-backup-runner` wrote the value of `CUTTER_TEST_TOKEN`, 1 times"), "{said}");
    assert!(!report.to_string().contains("horse battery"));
}
