//! Each input of a review in its place, and there something else than the file or folder that it should be: it is a finding in the
//! document, and never as if nothing stood there.

use crate::support::tree::copy;
use crate::support::world::{World, root};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Every input of a small project: those that are there, those that may be, and what else of their kind could be; whether it is a
/// folder, and whether a difference reads it.
const INPUTS: &[(&str, bool, bool)] = &[
    ("cutter.toml", false, true),
    ("review/matrix.txt", false, false),
    ("review/requests.jsonl", false, false),
    ("policies/app.cedar", false, true),
    ("policies/app.cedarschema", false, true),
    ("policies/people.json", false, true),
    ("policies/allowed_signers", false, true),
    ("policies/more.cedar", false, true),
    ("policies/more.json", false, true),
    ("policies/invariants", true, true),
    ("policies/invariants/never.cedar", false, true),
    ("policies/invariants/more.cedar", false, true),
    ("entities", true, true),
    ("entities/e.json", false, true),
    ("entities/more.json", false, true),
    ("plans", true, false),
    ("plans/p.json", false, false),
];

/// What may stand there instead.
const STANDINGS: &[&str] = &["a link to nowhere", "a link to itself", "a FIFO", "the other of file and folder"];

#[test]
fn what_stands_in_the_place_of_an_input_and_cannot_be_read_is_a_finding() {
    let mut wrong = Vec::new();
    for (input, is_folder, is_compared) in INPUTS {
        for standing in STANDINGS {
            let world = World::empty();
            for folder in ["", "old/"] {
                copy(&root().join("tests/suite/review/cases/app"), &world.path(folder));
            }
            put(&world.path(input), standing, *is_folder);
            let runs = [&["validate"][..], &["--no-cache"], &["diff", "old/policies", "policies"]];
            // What only the whole review reads is not in the others.
            let of_review = input.starts_with("review/");
            let asked = runs.iter().enumerate().filter(|(at, _)| match at {
                0 => !of_review,
                1 => of_review || input.starts_with("policies/invariants"),
                _ => *is_compared,
            });
            for (_, words) in asked {
                if let Err(why) = found(&world, words, input) {
                    wrong.push(format!("{input} is {standing}: {words:?}: {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_link_of_a_revision_is_a_finding_since_git_keeps_only_where_it_leads() {
    for (input, to) in [("entities", "facts"), ("cutter.toml", "c.toml"), ("policies/people.json", "p.json")] {
        let world = World::empty();
        copy(&root().join("tests/suite/review/cases/app"), world.folder());
        fs::rename(world.path(input), world.path(input).with_file_name(to)).unwrap();
        symlink(to, world.path(input)).unwrap();
        world.commit();
        found(&world, &["diff", "HEAD", "policies"], &format!("HEAD:{input}")).unwrap();
    }
}

fn put(path: &Path, standing: &str, is_folder: bool) {
    match path.is_dir() {
        true => fs::remove_dir_all(path).unwrap(),
        false => drop(fs::remove_file(path)),
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match standing {
        "a link to nowhere" => symlink("nope/at/all", path).unwrap(),
        "a link to itself" => symlink(path.file_name().unwrap(), path).unwrap(),
        "a FIFO" => mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap(),
        _ if is_folder => fs::write(path, "").unwrap(),
        _ => fs::create_dir(path).unwrap(),
    }
}

/// Whether the document has exactly one finding that is not valid and names the input, and nothing is said to be proved without it.
fn found(world: &World, words: &[&str], input: &str) -> Result<(), String> {
    let output = world.review_in(world.folder(), &[words, &["--format", "json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = || format!("{:?} {text} {}", output.status.code(), String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_str(&text).map_err(|_| said())?;
    let names = |finding: &&Value| {
        finding["rule"] == "V01" && finding["message"].as_str().unwrap().contains(&format!("`{input}`"))
    };
    let named = document["findings"].as_array().unwrap().iter().filter(names).count();
    let proved = document["parts"].as_array().unwrap().iter().any(|part| part["name"] == "prove");
    let is_right = output.status.code() == Some(3) && named == 1 && !(proved && input.starts_with("policies/"));
    if is_right { Ok(()) } else { Err(said()) }
}
