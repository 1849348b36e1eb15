//! Stored requests answer what a solver would have to look for, and only where Cedar confirms them; every run asks the same.

use crate::support::tree::copy;
use crate::support::world::{World, root};
use serde_json::Value;

/// A small bundle of cutter's own.
fn small() -> World {
    let world = World::empty();
    copy(&root().join("tests/suite/review/cases/app"), world.folder());
    world
}

/// The exit code, the findings of proofs and coverage, and what each of the two says it asked.
fn review(world: &World, arguments: &str) -> (Option<i32>, Vec<String>, [String; 2]) {
    let arguments: Vec<&str> = arguments.split_whitespace().chain(["--format", "json"]).collect();
    let output = world.review_in(world.folder(), &arguments);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = document["findings"].as_array().unwrap().iter().map(|of| format!("{} {}", of["rule"], of["about"]));
    let said = |name: &str| {
        let mut parts = document["parts"].as_array().unwrap().iter();
        parts.find(|part| part["name"] == name).unwrap()["summary"].as_str().unwrap().to_owned()
    };
    (output.status.code(), findings.collect(), [said("prove"), said("coverage")])
}

/// The number before these words.
fn count(summary: &str, words: &str) -> usize {
    let before = summary.split(words).next().filter(|before| *before != summary);
    before.map_or(0, |before| before.trim_end().rsplit([' ', '(']).next().unwrap().parse().unwrap())
}

#[test]
fn what_a_stored_request_shows_is_not_asked_of_the_solver_and_comes_out_the_same() {
    let world = small();
    let (exit, findings, alone) = review(&world, "--no-cache");
    assert_eq!(review(&world, "--no-cache --write-requests").0, exit);
    let lines = world.read("review/requests.jsonl");
    let (again, found, [prove, coverage]) = review(&world, "--no-cache");
    assert_eq!((again, &found), (exit, &findings));
    assert!(count(&prove, " shown by stored") > 0 && count(&coverage, " shown by stored") > 0, "{prove}; {coverage}");
    assert!(count(&prove, " solved by") < count(&alone[0], " solved by"), "{prove}; {alone:?}");
    // Rewritten, what still shows something stays as it is.
    review(&world, "--no-cache --write-requests");
    assert_eq!(world.read("review/requests.jsonl"), lines);
}

#[test]
fn a_stored_request_that_cedar_does_not_confirm_shows_nothing() {
    let world = small();
    // It can match nothing any more, and no request that was stored before says otherwise.
    review(&world, "--no-cache --write-requests");
    let lines = world.read("review/requests.jsonl");
    world.replace(
        "policies/app.cedar",
        "  action == App::Action::\"write\",\n  resource\n);",
        "  action == App::Action::\"write\",\n  resource\n)\nwhen { context.amount > 1 && context.amount < 1 };",
    );
    let (exit, findings, _) = review(&world, "--no-cache");
    assert_eq!(exit, Some(4));
    assert!(
        findings.iter().any(|finding| finding.contains("P06") && finding.contains("writers-write")),
        "{findings:?}"
    );
    // Whatever else stands in the file is no request of this schema.
    for line in ["", "no JSON", "{}", "[1]", "{\"principal\":\"A::\\\"a\\\"\",\"action\":1}"] {
        world.write("review/requests.jsonl", format!("{line}\n"));
        let (exit, found, [prove, coverage]) = review(&world, "--no-cache");
        assert_eq!((exit, &found), (Some(4), &findings), "{line}");
        assert_eq!((count(&prove, " shown by stored"), count(&coverage, " shown by stored")), (0, 0), "{line}");
    }
    // One whose context does not fit the schema.
    world.write("review/requests.jsonl", lines.replace("\"context\":{", "\"context\":{\"unknown\":1,"));
    assert_eq!(review(&world, "--no-cache").1, findings);
}

#[test]
fn every_run_asks_the_same_and_after_a_change_only_what_it_can_affect() {
    let world = small();
    let cold = review(&world, "--no-cache --jobs 2");
    assert_eq!(review(&world, "--no-cache --jobs 2"), cold);
    assert_eq!(review(&world, "--no-cache --jobs 1"), cold);
    let [prove, _] = &cold.2;
    assert!(!review(&world, "--cache answers").2[0].ends_with("from the cache"));
    assert!(review(&world, "--cache answers").2[0].ends_with("from the cache"));
    world.replace("policies/app.cedar", "Group::\"readers\"", "Group::\"writers\"");
    let (_, _, [after, _]) = review(&world, "--cache answers");
    assert_eq!(count(&after, " queries"), count(prove, " queries"));
    assert!(count(&after, " solved by") < count(prove, " solved by"), "{after}; {prove}");
}

#[test]
fn the_shipped_requests_leave_no_search_to_the_solver() {
    // A policy that is alive and a ban that is missed are shown by what is committed; to prove the rest is the solver's work.
    let output = World::empty().review_in(&root(), &["coverage", "--no-cache"]);
    let shown = String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains(" 0 solved by cvc5") && shown.contains("shown by stored requests"), "{shown}");
    let missing = World::empty().review_in(&root(), &["coverage", "--requests", "no-such-file"]);
    assert_eq!(missing.status.code(), Some(1));
}
