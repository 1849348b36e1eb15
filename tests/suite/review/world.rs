//! A copy of the shipped bundle on disk, with one edit, and `cutter review` run over it.

use crate::support::scrubbed::scrubbed;
use crate::support::tree::copy;
use crate::support::world::{World, mode, root};
use std::path::Path;
use std::process::Output;

impl World {
    /// A copy of the shipped bundle with one edit.
    pub fn edited(file: &str, from: &str, to: &str) -> Self {
        let world = Self::empty();
        for name in ["policies", "entities"] {
            copy(&root().join(name), &world.path(name));
        }
        std::fs::copy(root().join("cutter.toml"), world.path("cutter.toml")).unwrap();
        world.replace(&format!("policies/{file}"), from, to);
        world
    }

    pub fn policies(&self) -> String {
        self.path("policies").display().to_string()
    }

    pub fn review(&self, arguments: &[&str]) -> Output {
        self.review_in(Path::new("."), arguments)
    }

    pub fn review_in(&self, folder: &Path, arguments: &[&str]) -> Output {
        let policies = self.policies();
        let arguments: Vec<&str> =
            arguments.iter().map(|a| if *a == "POLICIES" { policies.as_str() } else { a }).collect();
        let mut command = self.command(&[&["review"], &*arguments].concat());
        command.current_dir(folder).env("XDG_CACHE_HOME", self.folder()).output().unwrap()
    }

    /// Commits the project as it is.
    pub fn commit(&self) {
        for arguments in
            [&["init", "-q"][..], &["add", "policies", "entities", "cutter.toml"], &["commit", "-qm", "one"]]
        {
            let output = scrubbed("git")
                .current_dir(self.folder())
                .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
                .args(arguments)
                .output();
            assert!(output.unwrap().status.success(), "{arguments:?}");
        }
    }

    /// A shell script that stands for a solver.
    pub fn script(&self, name: &str, body: &str) -> String {
        self.write(name, format!("#!/bin/sh\n{body}\n"));
        let path = self.path(name);
        mode(&path, 0o755);
        path.display().to_string()
    }

    /// Only one file of invariants, so that a proof is soon done.
    pub fn keep_little(&self) {
        for entry in std::fs::read_dir(self.path("policies/invariants")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() != "who.cedar" {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

/// An approval of any gate that may live for an hour more.
pub fn longer_life() -> World {
    World::edited("gates.cedar", "duration(\"12h\")", "duration(\"13h\")")
}
