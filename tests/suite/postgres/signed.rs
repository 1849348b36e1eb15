//! Captures that somebody vouches for, signed when they are made.

use crate::postgres::companion::Witness;
use crate::postgres::scene::Scene;
use std::process::{Command, Output};

/// A scene with an observer's key.
pub struct Office {
    pub scene: Scene,
}

impl Office {
    pub fn new() -> Self {
        let office = Self { scene: Scene::new() };
        for name in ["observer", "stranger"] {
            office.scene.make_key(name, "ed25519");
        }
        let line = format!("observer namespaces=\"cutter-evidence\" {}", office.scene.public_key("observer"));
        let text = line + "# cutter-signer: observer = Cutter::Person::\"observer\"\n";
        office.scene.write("signers", &text);
        office
    }

    pub fn keygen(&self) -> Command {
        let mut command = Command::new("ssh-keygen");
        command.current_dir(self.scene.folder());
        command
    }

    pub fn capture(&self, name: &str, key: &str) -> Output {
        self.scene.run(&["evidence", "capture", "--format", "json", "--output", name, "--sign", &format!("keys/{key}")])
    }
}

#[test]
fn a_signature_is_never_overwritten_and_needs_a_file() {
    let office = Office::new();
    office.scene.write("a.json.sig", "precious");
    let refused = office.capture("a.json", "observer");
    assert_eq!(refused.status.code(), Some(1));
    assert!(!office.scene.path("a.json").exists());
    assert_eq!(office.scene.read("a.json.sig"), "precious");
    let refused = office.scene.run(&["evidence", "capture", "--sign", "keys/observer"]);
    assert!(refused.status.code() == Some(3) && refused.stdout.is_empty());
}

#[test]
fn a_witness_signs_what_it_wrote_and_nothing_that_was_put_in_its_place() {
    let office = Office::new();
    let folder = office.scene.folder();
    let witness = Witness::with(&office.scene, &["--sign", "keys/observer"]);
    let (_, shown) = witness.end("TERM");
    let signed = std::fs::read(folder.join("w.ndjson")).unwrap();
    let mut keygen = office.keygen();
    keygen.args(["-Y", "verify", "-n", "cutter-evidence", "-I", "observer", "-s", "w.ndjson.sig", "-f"]);
    let input = std::fs::File::open(folder.join("w.ndjson")).unwrap();
    assert!(keygen.arg("signers").stdin(input).output().unwrap().status.success(), "{shown}");
    for forge in ["rename", "overwrite"] {
        for name in ["w.ndjson", "w.ndjson.sig"] {
            std::fs::remove_file(folder.join(name)).unwrap_or_default();
        }
        let witness = Witness::with(&office.scene, &["--sign", "keys/observer"]);
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
