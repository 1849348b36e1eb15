//! What a review writes: never over what it reads, and of the files that it reads only what `--fix` puts right.

use crate::support::tree::copy;
use crate::support::world::{World, root};
use std::os::unix::fs::symlink;

/// A small project, with a plan's folder, and requests that are stored where a link leads into the policies.
fn app() -> World {
    let world = World::empty();
    for folder in ["", "old/"] {
        copy(&root().join("tests/suite/review/cases/app"), &world.path(folder));
    }
    std::fs::create_dir(world.path("plans")).unwrap();
    world.write("review/notes.jsonl", "{\"a\": 1}\nnot a request\n");
    symlink("../policies/app.cedar", world.path("review/linked.jsonl")).unwrap();
    world
}

/// Words of a review that would write over what is read, or over what somebody else wrote.
const REFUSED: &[&str] = &[
    "--write-requests --requests cutter.toml",
    "--write-requests --requests policies/app.cedar",
    "--write-requests --requests policies/new.jsonl",
    "--write-requests --requests entities/new.jsonl",
    "--write-requests --requests plans/new.jsonl",
    "--write-requests --requests review/linked.jsonl",
    "--write-requests --requests review/notes.jsonl",
    "prove --counterexamples policies",
    "prove --counterexamples policies/found",
    "prove --counterexamples entities",
    "matrix --output entities/matrix.txt",
    "validate --output plans/result.json --format json",
    "validate --output cutter.toml --format json",
    "--output review/notes.jsonl --requests review/notes.jsonl",
    "--output review/matrix.txt",
    "diff policies policies --output policies/app.cedar",
    "diff policies old/policies --output old/entities/e.json",
    "diff policies old/policies --output old/cutter.toml",
];

#[test]
fn a_review_writes_nothing_over_what_it_reads() {
    let mut wrong = Vec::new();
    for words in REFUSED {
        let world = app();
        let kept = [
            "cutter.toml",
            "policies/app.cedar",
            "entities/e.json",
            "review/notes.jsonl",
            "old/cutter.toml",
            "old/entities/e.json",
        ];
        let before = kept.map(|name| world.read(name));
        let ran = world.cutter(&format!("review {words}"));
        let is_same = kept.map(|name| world.read(name)) == before;
        let folders = [("policies", 5), ("entities", 1), ("plans", 0)]
            .map(|(name, files)| std::fs::read_dir(world.path(name)).unwrap().count() == files);
        if ran.exit != 1 || !ran.stderr.contains("is not written") || !is_same || folders.contains(&false) {
            wrong.push(format!("{words}: {} {} {folders:?}", ran.exit, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn line_ends_and_marks_are_put_right_in_every_file_that_is_refused_for_them() {
    let world = World::example("billing");
    let made = world.cutter("review matrix --output review/matrix.txt");
    assert_eq!(made.exit, 0, "{}", made.stderr);
    let table = world.read("review/matrix.txt");
    world.write("review/matrix.txt", format!("\u{feff}{}", table.replace('\n', "\r\n")));
    world.write("entities/more.json", "\u{feff}[]\r\n");
    world.write("entities/windows.json", "[]\r\n");
    let signers = world.read("policies/allowed_signers");
    world.write("policies/allowed_signers", format!("\u{feff}{}", signers.replace('\n', "\r\n")));
    world.write("policies/bans.cedar", world.read("policies/bans.cedar").replace('\n', "\r\n"));
    let ran = world.cutter("review --fix --no-cache");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    for (name, text) in [
        ("entities/more.json", "[]\n"),
        // Nothing refuses it, and somebody may have signed what stands there.
        ("entities/windows.json", "[]\r\n"),
        ("policies/allowed_signers", &*signers),
        ("review/matrix.txt", &*table),
    ] {
        assert_eq!(world.read(name), text, "{name}");
    }
}
