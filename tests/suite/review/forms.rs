//! The forms of output: each names rule, file and line, and SARIF fits its schema.

use crate::review::world::longer_life;
use crate::support::world::World;

#[test]
fn every_form_names_the_rule_the_file_and_the_line() {
    let world = World::edited("00-seed-report.cedar", "@evidence(\"secrets:outputs\")\n", "");
    let text = world.read("policies/00-seed-report.cedar");
    let line = text[..text.find("@id(\"no-secret-logging\")").unwrap()].lines().count() + 1;
    for (form, expected) in [
        ("table", format!("00-seed-report.cedar:{line}:1")),
        ("github", format!("00-seed-report.cedar,line={line},")),
        ("markdown", format!("00-seed-report.cedar:{line}")),
        ("junit", format!("00-seed-report.cedar:{line}: ")),
        ("json", format!("\"line\": {line},")),
        ("sarif", format!("\"startLine\": {line}")),
    ] {
        let output = world.review(&["lint", "--policies", "POLICIES", "--format", form]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(4), "{form}");
        assert!(shown.contains(&expected) && shown.contains("L03"), "{form}: {shown}");
    }
}

#[test]
fn what_fails_nothing_is_no_failure_in_any_form() {
    let world = World::edited("00-seed-report.cedar", "@severity(\"critical\")\n", "@severity( \"critical\")\n");
    for (form, least, exit, expected) in [
        ("junit", "warning", 0, "failures=\"0\" errors=\"0\""),
        ("junit", "warning", 0, "<system-out>V02 not-formatted: "),
        ("junit", "note", 4, "<failure type=\"V02 not-formatted\""),
        ("json", "warning", 0, "\"failed\": 0"),
        ("json", "note", 4, "\"failed\": 1"),
    ] {
        let output = world.review(&["validate", "--policies", "POLICIES", "--format", form, "--fail-on", least]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(exit) && shown.contains(expected), "{form} {least}: {shown}");
    }
}

/// What is printed is kept: by a terminal, a log of CI, a comment.
#[test]
fn no_form_repeats_a_secret_that_it_tells_of() {
    let secret = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    let noted = format!("// {secret}\n@severity(\"critical\")\n");
    let world = World::edited("00-seed-report.cedar", "@severity(\"critical\")\n", &noted);
    for form in ["table", "github", "markdown", "junit", "json", "sarif"] {
        let output = world.review(&["lint", "--policies", "POLICIES", "--format", form]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(4) && shown.contains("L12"), "{form}: {shown}");
        assert!(!shown.contains(secret), "{form}: {shown}");
    }
}

#[test]
fn sarif_has_what_code_scanning_asks_for() {
    let world = World::edited("00-seed-report.cedar", "@evidence(\"secrets:outputs\")\n", "");
    let output = world.review(&["lint", "--policies", "POLICIES", "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    assert_eq!((sarif["version"].as_str(), run["tool"]["driver"]["name"].as_str()), (Some("2.1.0"), Some("cutter")));
    let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
    assert_eq!(rule["id"], result["ruleId"]);
    assert!(rule["help"]["text"].as_str().unwrap().contains("## Why it matters"));
    assert!(result["partialFingerprints"].is_object() && result["message"]["text"].is_string());
}

#[test]
fn sarif_fits_the_official_schema_whatever_became_of_the_review() {
    let schema = std::fs::read_to_string("tests/suite/review/sarif/sarif-schema-2.1.0.json").unwrap();
    // Two of its patterns have a lone bracket, which only lenient engines read.
    let schema = schema.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}\\\\]?$");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let shipped = World::edited("permits.cedar", "context.to", "context.to");
    let invalid = World::edited("permits.cedar", "context.to", "context.two");
    let wide = longer_life();
    for (world, arguments) in [
        (&shipped, "lint --policies POLICIES"),
        (&shipped, "--policies POLICIES --solver /nonexistent/cvc5"),
        (&invalid, "--policies POLICIES"),
        (&wide, "diff policies POLICIES"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').chain(["--format", "sarif"]).collect();
        let mut sarif: serde_json::Value = serde_json::from_slice(&world.review(&arguments).stdout).unwrap();
        let errors: Vec<String> = validator.iter_errors(&sarif).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{arguments:?}: {errors:?}");
        sarif["runs"][0]["results"] = serde_json::json!([{ "level": "grave" }]);
        assert!(!validator.is_valid(&sarif));
    }
}
