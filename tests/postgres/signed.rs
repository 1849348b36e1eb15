//! Captures that somebody vouches for: signed when they are made, checked when they are compared.

use crate::companion::Witness;
use crate::scene::Scene;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A scene with an observer's key, and a trust root that only root can change.
struct Office {
    scene: Scene,
    safe: TempDir,
}

impl Office {
    fn new() -> Self {
        let safe = tempfile::Builder::new().prefix("cutter-test-").tempdir_in("/var/lib").unwrap();
        std::fs::set_permissions(safe.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let office = Self { scene: Scene::new(), safe };
        for name in ["observer", "stranger"] {
            let mut keygen = office.keygen();
            assert!(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name]).status().unwrap().success());
        }
        let key = office.scene.read("observer.pub");
        let line = format!("observer namespaces=\"cutter-evidence\" {}\n", key.trim());
        let text = line + "# cutter-signer: observer = Cutter::Person::\"observer\"\n";
        std::fs::write(office.trust(), text).unwrap();
        std::fs::set_permissions(office.trust(), std::fs::Permissions::from_mode(0o644)).unwrap();
        office
    }

    fn keygen(&self) -> Command {
        let mut command = Command::new("ssh-keygen");
        command.current_dir(self.scene.folder.path());
        command
    }

    fn trust(&self) -> std::path::PathBuf {
        self.safe.path().join("trusted_signers")
    }

    fn capture(&self, name: &str, key: &str) -> Output {
        self.scene.run(&["evidence", "capture", "--format", "json", "--output", name, "--sign", key])
    }

    fn compare(&self, format: &str) -> Output {
        let trust = self.trust();
        let trust = trust.to_str().unwrap();
        self.scene.run(&["evidence", "compare", "a.json", "b.json", "--trust", trust, "--format", format])
    }
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
        let input = std::fs::File::open(office.scene.folder.path().join(name)).unwrap();
        assert!(keygen.arg(office.trust()).stdin(input).output().unwrap().status.success());
    }
    let output = office.compare("json");
    let comparison: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for end in ["baseline", "final"] {
        assert_eq!(comparison["signed"][end]["entity"], "Cutter::Person::\"observer\"");
    }
    let table = String::from_utf8(office.compare("table").stdout).unwrap();
    assert!(table.contains("baseline  signed by observer, Cutter::Person::\"observer\""), "{table}");
}

#[test]
fn a_capture_that_was_changed_or_signed_by_a_stranger_or_for_something_else_is_untrusted() {
    let office = Office::new();
    office.capture("a.json", "observer");
    office.scene.capture("b.json");
    let kept = office.scene.read("a.json");
    let sign_again = |key: &str, namespace: &str| {
        std::fs::remove_file(office.scene.folder.path().join("a.json.sig")).unwrap();
        let mut keygen = office.keygen();
        assert!(keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f", key, "a.json"]).status().unwrap().success());
    };
    let cases: [(&str, &dyn Fn()); 4] = [
        ("is not over these bytes", &|| office.scene.write("a.json", &(kept.clone() + " "))),
        ("the key", &|| sign_again("stranger", "cutter-evidence")),
        ("cutter-plan", &|| sign_again("observer", "cutter-plan")),
        ("does not begin", &|| office.scene.write("a.json.sig", "none")),
    ];
    for (words, bend) in cases {
        bend();
        let output = office.compare("json");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(8) && output.stdout.is_empty() && error.contains(words),
            "{words}: {error}"
        );
        office.scene.write("a.json", &kept);
    }
}

#[test]
fn a_signature_is_never_overwritten_and_needs_a_file() {
    let office = Office::new();
    office.scene.write("a.json.sig", "precious");
    let refused = office.capture("a.json", "observer");
    assert_eq!(refused.status.code(), Some(1));
    assert!(!office.scene.folder.path().join("a.json").exists());
    assert_eq!(office.scene.read("a.json.sig"), "precious");
    let refused = office.scene.run(&["evidence", "capture", "--sign", "observer"]);
    assert!(refused.status.code() == Some(3) && refused.stdout.is_empty());
}

#[test]
fn a_witness_signs_what_it_wrote_and_nothing_that_was_put_in_its_place() {
    let office = Office::new();
    let folder = office.scene.folder.path();
    let witness = Witness::with(&office.scene, &["--sign", "observer"]);
    let (_, shown) = witness.end("TERM");
    let signed = std::fs::read(folder.join("w.ndjson")).unwrap();
    let mut keygen = office.keygen();
    keygen.args(["-Y", "verify", "-n", "cutter-evidence", "-I", "observer", "-s", "w.ndjson.sig", "-f"]);
    let input = std::fs::File::open(folder.join("w.ndjson")).unwrap();
    assert!(keygen.arg(office.trust()).stdin(input).output().unwrap().status.success(), "{shown}");
    for forge in ["rename", "overwrite"] {
        for name in ["w.ndjson", "w.ndjson.sig"] {
            std::fs::remove_file(folder.join(name)).unwrap_or_default();
        }
        let witness = Witness::with(&office.scene, &["--sign", "observer"]);
        if forge == "rename" {
            // The record of another time, in which nothing was seen.
            std::fs::write(folder.join("forged"), &signed).unwrap();
            std::fs::rename(folder.join("forged"), folder.join("w.ndjson")).unwrap();
        } else {
            let mut file = std::fs::OpenOptions::new().write(true).open(folder.join("w.ndjson")).unwrap();
            std::io::Write::write_all(&mut file, b"{\"line\":\"OPENED").unwrap();
        }
        let (exit, shown) = witness.end("TERM");
        assert!(exit == Some(8) && shown.contains("is not what the witness wrote"), "{forge}: {shown}");
        assert!(!folder.join("w.ndjson.sig").exists());
    }
}
