//! Signed captures are checked, under a trust root, when they are compared.

use crate::postgres::signed::Office;
use std::process::Output;

/// Compares two captures under a trust root that says what the office's `signers` says.
fn compare(office: &Office, format: &str) -> Output {
    office.scene.trust(&office.scene.read("signers"));
    let trust = office.scene.trust_path().display().to_string();
    office.scene.run(&["evidence", "compare", "a.json", "b.json", "--trust", &trust, "--format", format])
}

#[test]
fn signed_captures_are_compared_and_name_who_vouches_for_them() {
    let office = Office::new();
    for name in ["a.json", "b.json"] {
        let output = office.capture(name, "observer");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        // Anybody can check it without cutter.
        let mut keygen = office.keygen();
        keygen.args(["-Y", "verify", "-n", "cutter-evidence", "-I", "observer", "-s", &format!("{name}.sig"), "-f"]);
        let input = std::fs::File::open(office.scene.path(name)).unwrap();
        assert!(keygen.arg("signers").stdin(input).output().unwrap().status.success());
    }
    let output = compare(&office, "json");
    let comparison: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for end in ["baseline", "final"] {
        assert_eq!(comparison["signed"][end]["entity"], "Cutter::Person::\"observer\"");
    }
    let table = String::from_utf8(compare(&office, "table").stdout).unwrap();
    assert!(table.contains("baseline  signed by observer, Cutter::Person::\"observer\""), "{table}");
}

#[test]
fn a_capture_that_was_changed_or_signed_by_a_stranger_or_for_something_else_is_untrusted() {
    let office = Office::new();
    office.capture("a.json", "observer");
    office.scene.capture("b.json");
    let kept = office.scene.read("a.json");
    let sign_again = |key: &str, namespace: &str| office.scene.keygen_sign(key, namespace, "a.json");
    let cases: [(&str, &dyn Fn()); 4] = [
        ("is not over these bytes", &|| office.scene.write("a.json", &(kept.clone() + " "))),
        ("the key", &|| sign_again("stranger", "cutter-evidence")),
        ("cutter-plan", &|| sign_again("observer", "cutter-plan")),
        ("does not begin", &|| office.scene.write("a.json.sig", "none")),
    ];
    for (words, bend) in cases {
        bend();
        let output = compare(&office, "json");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(8) && output.stdout.is_empty() && error.contains(words),
            "{words}: {error}"
        );
        office.scene.write("a.json", &kept);
    }
}
