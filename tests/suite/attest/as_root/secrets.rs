//! No secret leaves with a report: not from a variable, not in a well-known shape, not in a log that it is given.

use crate::attest::scene::{SECRET, Scene};
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
    assert_eq!(crate::attest::scene::row(&ran.json(), "forbidden", "no-secret-logging")["status"], "UNKNOWN");
    let (exit, report) = scene.report();
    assert_eq!(
        (exit, &crate::attest::scene::row(&report, "forbidden", "no-secret-logging")["status"]),
        (5, &"NOT_DONE".into())
    );
}
