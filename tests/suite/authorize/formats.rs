//! `--format`: each command has its own forms, and refuses any other word before it does anything.

use crate::support::golden::golden;
use crate::support::ran::Ran;
use crate::support::world::{PLAN, World};

/// Every form that some command has.
const WORDS: [&str; 8] = ["table", "json", "markdown", "ndjson", "sarif", "junit", "github", "line"];

const NONE: &[&str] = &[];
const TABLE_OR_JSON: &[&str] = &["table", "json"];
const TABLE_JSON_OR_MARKDOWN: &[&str] = &["table", "json", "markdown"];
const REVIEW: &[&str] = &["table", "json", "markdown", "sarif", "junit", "github"];

/// A command, what it needs besides, and its forms.
const COMMANDS: &[(&str, &str, &[&str])] = &[
    ("authorize", "PLAN --attest statement.json", &["table", "json", "markdown", "ndjson"]),
    ("attest", "PLAN --attest report.json", &["table", "json", "markdown", "line"]),
    ("approval request", "PLAN", TABLE_OR_JSON),
    ("approval show", "approvals/FLIP.json", TABLE_OR_JSON),
    ("approval sign", "PLAN --key key", NONE),
    ("approval verify", "PLAN", TABLE_OR_JSON),
    ("approval list", "PLAN", TABLE_OR_JSON),
    ("backup self-test", "", NONE),
    ("package", "PLAN --output made", TABLE_OR_JSON),
    ("exec", "PLAN flip-on", NONE),
    ("run", "PLAN", TABLE_OR_JSON),
    ("guard", "PLAN", NONE),
    ("observe", "--key key --for root", NONE),
    ("enforce sql", "--package .", TABLE_OR_JSON),
    ("explain", "PLAN flip-on", TABLE_OR_JSON),
    ("evidence capture", "", TABLE_JSON_OR_MARKDOWN),
    ("evidence compare", "a.json b.json", TABLE_JSON_OR_MARKDOWN),
    ("evidence grants", "--package .", TABLE_JSON_OR_MARKDOWN),
    ("evidence targets", "PLAN --package .", TABLE_JSON_OR_MARKDOWN),
    ("evidence witness", "--record record.ndjson", &["table", "ndjson"]),
    ("ledger init", "--ledger made", TABLE_OR_JSON),
    ("ledger verify", "", TABLE_OR_JSON),
    ("ledger head", "", TABLE_OR_JSON),
    ("ledger accept-place", "", NONE),
    ("log", "", &["table", "json", "ndjson"]),
    ("bundle sign", "--key key", TABLE_OR_JSON),
    ("bundle verify", "", TABLE_OR_JSON),
    ("plan sign", "PLAN --key key", TABLE_OR_JSON),
    ("plan verify", "PLAN", TABLE_OR_JSON),
    ("verify", "statement.json", TABLE_OR_JSON),
    ("replay", "decisions.json", TABLE_OR_JSON),
    ("review", "--policies nowhere --counterexamples found", REVIEW),
    ("review validate", "", REVIEW),
    ("review lint", "", REVIEW),
    ("review prove", "--policies nowhere --counterexamples found", REVIEW),
    ("review coverage", "--policies nowhere --counterexamples found", REVIEW),
    ("review diff", "nowhere nowhere --counterexamples found", REVIEW),
    ("review mutate", "--policies nowhere --counterexamples found", REVIEW),
    ("review matrix", "", NONE),
    ("review matrix", "--check cutter.toml", REVIEW),
    ("review rules", "", NONE),
    ("schema plan", "", NONE),
    ("schema attestation", "", NONE),
    ("schema run", "", NONE),
    ("schema prelude", "", NONE),
    ("schema merged", "", NONE),
    ("test", "nowhere", &["table", "json", "junit", "github"]),
];

#[test]
fn every_command_is_in_the_table_of_forms() {
    let world = World::shipped();
    let mut found = Vec::new();
    leaves(&world, "", &mut found);
    let mut known: Vec<String> = COMMANDS.iter().map(|(command, _, _)| (*command).to_owned()).collect();
    known.dedup();
    known.sort();
    found.push("review".to_owned());
    found.sort();
    assert_eq!(found, known);
}

#[test]
fn a_form_that_a_command_does_not_have_is_a_usage_error_that_names_its_own_and_nothing_is_written() {
    let world = World::shipped();
    world.cutter("ledger init");
    let before = world.listing();
    for (command, rest, forms) in COMMANDS {
        for word in WORDS.iter().filter(|word| !forms.contains(word)) {
            let ran = run(&world, command, rest, word);
            assert_eq!((ran.exit, ran.stdout.as_str()), (64, ""), "{command} {word}: {}", ran.stderr);
            let said = match forms {
                [] => "--format".to_owned(),
                forms => format!("[possible values: {}]", forms.join(", ")),
            };
            assert!(ran.stderr.contains(&said), "{command} {word}: {}", ran.stderr);
            assert_eq!(world.listing(), before, "{command} {word}");
        }
    }
}

#[test]
fn a_form_that_a_command_has_is_never_a_usage_error() {
    let world = World::shipped();
    world.cutter("ledger init");
    for (command, rest, forms) in COMMANDS {
        for word in *forms {
            let ran = run(&world, command, rest, word);
            assert!(ran.exit != 64, "{command} {word}: {}", ran.stderr);
        }
    }
}

#[test]
fn sql_to_print_has_no_form() {
    let ran = World::shipped().cutter("ledger init --ledger postgres --print --format json");
    assert_eq!((ran.exit, ran.stdout.as_str()), (64, ""), "{}", ran.stderr);
}

/// What everybody reads first of a command; a changed word is reviewed like code.
#[test]
fn the_help_of_each_command_is_a_golden_file() {
    let world = World::shipped();
    let mut commands = Vec::new();
    leaves(&world, "", &mut commands);
    commands.extend(["".to_owned(), "review".to_owned()]);
    for command in commands {
        let help = world.cutter(&format!("{command} --help"));
        assert_eq!((help.exit, help.stderr.as_str()), (0, ""), "{command}");
        let name = if command.is_empty() { "cutter".to_owned() } else { command.replace(' ', "-") };
        golden(&format!("help/{name}.txt"), &help.stdout);
    }
}

fn run(world: &World, command: &str, rest: &str, word: &str) -> Ran {
    world.cutter(&format!("{command} {} --format {word}", rest.replace("PLAN", PLAN)))
}

/// The commands that have no commands of their own, as the help lists them.
fn leaves(world: &World, command: &str, found: &mut Vec<String>) {
    let help = world.cutter(&format!("{command} --help")).stdout;
    let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> =
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    if names.is_empty() {
        found.push(command.to_owned());
    }
    names.iter().for_each(|name| leaves(world, format!("{command} {name}").trim(), found));
}
