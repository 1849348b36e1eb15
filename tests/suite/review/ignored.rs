//! What `.gitignore` files ignore is no policy that was forgotten; and whatever a repository says, no program of its is run.

use crate::support::scrubbed::scrubbed;
use crate::support::tree::copy;
use crate::support::world::{World, root};
use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs;
use std::os::unix::fs::symlink;

/// `.gitignore` files of a work tree by their folders, and whether they ignore `policies/old.cedar.txt`.
const CASES: &[(&[(&str, &str)], bool)] = &[
    (&[], false),
    (&[("", "*.cedar.txt")], true),
    (&[("", "/policies/old.*")], true),
    (&[("", "# old\n\nold.cedar.txt\r\n")], true),
    (&[("", "old.cedar")], false),
    (&[("", "/old.cedar.txt")], false),
    (&[("policies/", "/old.cedar.txt")], true),
    (&[("", "*.txt"), ("policies/", "!old.cedar.txt")], false),
    (&[("", "*.txt\n!old.cedar.txt")], false),
    (&[("", "[")], false),
];

#[test]
fn what_gitignore_files_of_the_work_tree_ignore_is_no_policy_that_was_forgotten() {
    let mut wrong = Vec::new();
    for (files, is_ignored) in CASES {
        let world = app();
        fs::create_dir(world.path(".git")).unwrap();
        for (folder, text) in *files {
            world.write(&format!("{folder}.gitignore"), text);
        }
        if is_refused(&world) == *is_ignored {
            wrong.push(format!("{files:?}"));
        }
    }
    // Without a work tree there is nothing that git could be told.
    let world = app();
    world.write(".gitignore", "*.cedar.txt");
    assert!(is_refused(&world));
    // What cannot be read ignores nothing, and holds nobody up.
    let world = app();
    fs::create_dir(world.path(".git")).unwrap();
    mkfifoat(CWD, world.path(".gitignore"), Mode::from_raw_mode(0o644)).unwrap();
    symlink("nowhere", world.path("policies/.gitignore")).unwrap();
    assert!(is_refused(&world));
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_program_of_a_repository_or_of_path_is_run_to_read_a_bundle() {
    let world = app();
    let arm = "git init -q . && git add policies && printf '#!/bin/sh\\ntouch '$PWD/ran'\\n' > git && chmod 755 git && cp git evil
git config core.fsmonitor $PWD/evil && git update-index --fsmonitor; rm -f ran";
    assert!(scrubbed("sh").args(["-c", arm]).current_dir(world.folder()).status().unwrap().success());
    let path = format!("{}:{}", world.folder().display(), std::env::var("PATH").unwrap());
    world.command(&["review", "validate"]).env("PATH", path).output().unwrap();
    assert!(!world.path("ran").exists(), "a program of somebody else's was run");
    let mut git = scrubbed("git");
    git.args(["check-ignore", "-q", "policies/old.cedar.txt"]).current_dir(world.folder()).status().unwrap();
    assert!(world.path("ran").exists(), "git would run nothing, so that this shows nothing");
}

fn app() -> World {
    let world = World::empty();
    copy(&root().join("tests/suite/review/cases/app"), &world.path(""));
    world.write("policies/old.cedar.txt", "permit(principal, action, resource);");
    world
}

/// Whether a review says that the file was forgotten.
fn is_refused(world: &World) -> bool {
    let output = world.command(&["review", "validate"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    said.contains("old.cedar.txt` looks like a policy and would not be loaded")
}
