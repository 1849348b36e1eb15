//! `cutter review` as a user runs it: exit codes, forms of output, and a difference between two bundles.

use std::path::Path;
use std::process::{Command, Output};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// A copy of the shipped bundle with one edit, beside the shipped one.
    fn with(file: &str, from: &str, to: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(Path::new("policies"), &folder.path().join("policies"));
        let path = folder.path().join("policies").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        Self { folder }
    }

    fn policies(&self) -> String {
        self.folder.path().join("policies").display().to_string()
    }

    fn review(&self, arguments: &[&str]) -> Output {
        let policies = self.policies();
        let arguments: Vec<&str> =
            arguments.iter().map(|a| if *a == "POLICIES" { policies.as_str() } else { a }).collect();
        Command::new(env!("CARGO_BIN_EXE_cutter"))
            .arg("review")
            .args(arguments)
            .env("XDG_CACHE_HOME", self.folder.path())
            .output()
            .unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn slipped_expiry() -> World {
    World::with(
        "gates.cedar",
        "context.approval.expires_at <= context.run.now",
        "context.approval.expires_at < context.run.now",
    )
}

#[test]
fn a_widening_is_refuted_with_a_request_and_may_be_allowed() {
    let world = slipped_expiry();
    let output = world.review(&["diff", "policies", "POLICIES", "--format", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &document["findings"][0];
    assert_eq!((finding["rule"].as_str(), finding["about"].as_str()), (Some("D01"), Some("Person open_gate Gate")));
    let place = &finding["places"][0];
    let text = std::fs::read_to_string(place["file"].as_str().unwrap()).unwrap();
    let line = usize::try_from(place["line"].as_u64().unwrap()).unwrap();
    assert!(text.lines().nth(line - 1).unwrap().contains("expires_at < context.run.now"));
    assert_eq!(finding["counterexample"]["decision"], "allow");
    assert_eq!(world.review(&["diff", "policies", "POLICIES", "--allow-widening"]).status.code(), Some(0));
    // The other way round it only narrows.
    assert_eq!(world.review(&["diff", "POLICIES", "policies"]).status.code(), Some(0));
}

#[test]
fn a_counterexample_is_written_as_request_entities_and_test_case() {
    let world = slipped_expiry();
    let found = world.folder.path().join("found");
    let folder = found.display().to_string();
    let output = world.review(&["prove", "--policies", "POLICIES", "--counterexamples", &folder]);
    assert_eq!(output.status.code(), Some(4));
    let read = |kind: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(found.join(format!("never-opens-not-after-expiry.{kind}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(read("request")["resource"].as_str().unwrap().split("::").nth(1), Some("Gate"));
    assert!(read("entities").as_array().is_some_and(|entities| !entities.is_empty()));
    assert_eq!(read("test")[0]["decision"], "deny");
}

#[test]
fn every_form_names_the_rule_the_file_and_the_line() {
    let world = World::with("forbidden.cedar", "@evidence(\"secrets:outputs\")\n", "");
    let text = std::fs::read_to_string(Path::new(&world.policies()).join("forbidden.cedar")).unwrap();
    let line = text[..text.find("@id(\"no-secret-logging\")").unwrap()].lines().count() + 1;
    for (form, expected) in [
        ("table", format!("forbidden.cedar:{line}:1")),
        ("github", format!("forbidden.cedar,line={line},")),
        ("markdown", format!("forbidden.cedar:{line}")),
        ("junit", format!("forbidden.cedar:{line}: ")),
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
fn sarif_has_what_code_scanning_asks_for() {
    let world = World::with("forbidden.cedar", "@evidence(\"secrets:outputs\")\n", "");
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
fn a_bundle_that_does_not_validate_is_exit_3() {
    let world = World::with("permits.cedar", "context.to", "context.two");
    assert_eq!(world.review(&["--policies", "POLICIES"]).status.code(), Some(3));
}

#[test]
fn a_missing_solver_is_exit_7_with_the_install_line() {
    let world = World::with("permits.cedar", "context.to", "context.to");
    let output = world.review(&["prove", "--policies", "POLICIES", "--solver", "/nonexistent/cvc5"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8(output.stdout).unwrap().contains("apt-get install cvc5"));
}

#[test]
fn a_table_that_differs_is_exit_4_at_its_first_line() {
    let world = World::with("permits.cedar", "Cutter::Group::\"verifier\"", "Cutter::Group::\"planner\"");
    let output = world.review(&["matrix", "--policies", "POLICIES", "--check", "review/matrix.txt"]);
    assert_eq!(output.status.code(), Some(4));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("M01") && shown.contains("write_verify"), "{shown}");
}

#[test]
fn an_allowed_finding_is_gone_and_a_stale_allowance_is_found() {
    let above = "// Values of credentials stay";
    let world = World::with("forbidden.cedar", above, &format!("// cutter-allow: L03 nothing to see\n{above}"));
    let output = world.review(&["lint", "--policies", "POLICIES"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("L15"));
    let path = Path::new(&world.policies()).join("forbidden.cedar");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("@evidence(\"secrets:outputs\")\n", "", 1)).unwrap();
    assert_eq!(world.review(&["lint", "--policies", "POLICIES"]).status.code(), Some(0));
}
