//! A copy of the shipped bundle on disk, with one edit, and `cutter review` run over it.

use crate::support::scrubbed::scrubbed;
use crate::support::tree::copy;
use std::path::Path;
use std::process::Output;

/// A changed copy of the bundle in a folder of its own.
pub struct World {
    pub folder: tempfile::TempDir,
}

impl World {
    /// A copy of the shipped bundle with one edit, beside the shipped one.
    pub fn with(file: &str, from: &str, to: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(Path::new("policies"), &folder.path().join("policies"));
        let path = folder.path().join("policies").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        Self { folder }
    }

    pub fn policies(&self) -> String {
        self.folder.path().join("policies").display().to_string()
    }

    pub fn review(&self, arguments: &[&str]) -> Output {
        self.review_in(Path::new("."), arguments)
    }

    pub fn review_in(&self, folder: &Path, arguments: &[&str]) -> Output {
        let policies = self.policies();
        let arguments: Vec<&str> =
            arguments.iter().map(|a| if *a == "POLICIES" { policies.as_str() } else { a }).collect();
        scrubbed(env!("CARGO_BIN_EXE_cutter"))
            .current_dir(folder)
            .arg("review")
            .args(arguments)
            .env("XDG_CACHE_HOME", self.folder.path())
            .output()
            .unwrap()
    }

    /// Commits the policies as they are.
    pub fn commit(&self) {
        for arguments in [&["init", "-q"][..], &["add", "policies"], &["commit", "-qm", "one"]] {
            let output = scrubbed("git")
                .current_dir(self.folder.path())
                .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
                .args(arguments)
                .output();
            assert!(output.unwrap().status.success(), "{arguments:?}");
        }
    }

    /// A shell script that stands for a solver.
    pub fn script(&self, name: &str, body: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// Only one file of invariants, so that a proof is soon done.
    pub fn keep_little(&self) {
        for entry in std::fs::read_dir(Path::new(&self.policies()).join("invariants")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() != "who.cedar" {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

/// An approval that is good for a millisecond more.
pub fn slipped_expiry() -> World {
    World::with(
        "gates.cedar",
        "context.approval.expires_at <= context.run.now",
        "context.approval.expires_at < context.run.now",
    )
}
