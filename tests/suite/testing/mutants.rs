//! `review mutate`: who notices a small change of a policy, and what is said of one that nobody notices.

use crate::support::world::{World, mode};
use serde_json::Value;

const HEAD: &str = "now = \"2026-05-21T08:15:00Z\"\nplan = \"plan.json\"\n[[table]]\nsays = \"tested or not\"\nrow = \"deploy\"\ncolumns = [\"facts.tests_passed\", \"basis\"]\n";

fn findings(world: &World, more: &str) -> (i32, Vec<String>, String) {
    let ran = world.cutter(&format!("review mutate --no-cache --format json {more}"));
    let report = ran.json();
    let found = report["findings"].as_array().unwrap().iter();
    let said =
        found.map(|finding| format!("{}: {}", finding["about"].as_str().unwrap_or_default(), finding["message"]));
    let part = report["parts"].as_array().unwrap().iter().find(|part| part["name"] == "mutate").cloned();
    (ran.exit, said.collect(), part.unwrap_or(Value::Null)["summary"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_mutant_that_nothing_notices_survives_until_an_invariant_or_a_case_notices_it() {
    let world = World::example("rollout");
    let (exit, survivors, summary) = findings(&world, "");
    assert!(survivors.iter().all(|said| !said.contains("dropped")), "{survivors:#?} {summary}");
    world.remove("policies/invariants");
    let (without, more, summary) = findings(&world, "");
    assert_eq!(without, 4, "{exit} {summary}");
    assert!(more.len() > survivors.len() && more.iter().any(|said| said.contains("dropped")), "{more:#?}");
    world.write(
        "tests/policy/deploy.toml",
        format!("{HEAD}cells = [[true, \"permitted\"], [false, \"precondition\"]]\n"),
    );
    let (_, fewer, _) = findings(&world, "");
    assert!(fewer.len() < more.len() && fewer.iter().all(|said| !said.contains("dropped")), "{fewer:#?}");
}

#[test]
fn what_the_budget_left_out_is_undecided_and_never_clean() {
    let world = World::example("rollout");
    let (exit, survivors, summary) = findings(&world, "--budget 0");
    assert_eq!((exit, survivors.len()), (7, 0), "{summary}");
    assert!(summary.contains("not run"), "{summary}");
}

#[test]
fn a_survivor_is_shown_with_a_ready_case_for_code_scanning_and_as_a_file() {
    let world = World::example("rollout");
    world.remove("policies/invariants");
    let ran = world.cutter("review mutate --no-cache --format sarif --counterexamples found");
    assert_eq!(ran.exit, 4, "{}", ran.stderr);
    assert!(ran.json()["runs"][0]["results"].as_array().unwrap().iter().any(|result| result["ruleId"] == "T01"));
    let cases: Vec<_> =
        world.listing().into_iter().filter(|(path, _)| path.to_string_lossy().ends_with(".test.json")).collect();
    // There are two policies, and a case for each of their survivors that a request can show.
    assert!(cases.len() > 2, "{cases:?}");
    for (path, _) in cases {
        let ran = world.cutter(&format!("test {}", path.display()));
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    }
}

/// Every kind of effect with its pins, beside the one of the example.
const PINNED: &str = r#"
[effects.check]
action = 'Rollout::Action::"deploy"'
resource = "Rollout::Site"
does = "checks it"
argv = ["/usr/local/bin/check"]
pin = "sha256"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
interpreter_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[effects.call]
action = 'Rollout::Action::"deploy"'
resource = "Rollout::Site"
does = "calls it"
[effects.call.sql]
function = "public.go()"
role = "runs"
owner = "root"
rolls_back = true
definition_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[effects.call.sql.triggers."public.site"]
guard = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[effects.on]
action = 'Rollout::Action::"deploy"'
resource = "Rollout::Site"
does = "turns it on"
flag = { name = "live", to = "on" }
[connections.runs]
url_env = "RUNS_URL"
[evidence.flags.live]
file = "/etc/live"
pattern = "(yes|no)"
on = "yes"
off = "no"
"#;

/// What is changed of these pins, by effect.
const PINS: [(&str, &str); 13] = [
    ("call", "all triggers of public.site dropped"),
    ("call", "definition_sha256 another"),
    ("call", "owner made runs"),
    ("call", "rolls_back dropped"),
    ("call", "trigger guard of public.site another"),
    ("call", "trigger guard of public.site dropped"),
    ("check", "interpreter_sha256 another"),
    ("check", "interpreter_sha256 dropped"),
    ("check", "pin sha256 made root-owned"),
    ("check", "sha256 another"),
    ("deploy", "pin root-owned made sha256"),
    ("on", "on and off of its switch exchanged"),
    ("on", "the values of on and off of live exchanged"),
];

#[test]
fn each_change_of_a_pin_survives_until_the_table_that_lists_pins_is_committed() {
    let world = World::example("rollout");
    world.append("cutter.toml", PINNED);
    let pins = |survivors: Vec<String>| -> Vec<String> {
        let mut pins: Vec<String> = survivors.into_iter().filter(|said| said.starts_with("[effects.")).collect();
        pins.sort();
        pins
    };
    let (exit, survivors, summary) = findings(&world, "");
    let expected: Vec<String> =
        PINS.iter().map(|(effect, what)| format!("[effects.{effect}]: \"nothing notices: {what}\"")).collect();
    assert_eq!((exit, pins(survivors)), (4, expected), "{summary}");
    assert!(summary.contains(&format!(", pins {}", PINS.len())), "{summary}");
    let ran = world.cutter("review matrix --output review/matrix.txt");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let (_, survivors, summary) = findings(&world, "");
    assert_eq!(pins(survivors), Vec::<String>::new(), "{summary}");
    // What was noticed is what the check of the table says where such a change is made.
    world.replace("cutter.toml", "owner = \"root\"", "owner = \"runs\"");
    let ran = world.cutter("review matrix --check review/matrix.txt");
    assert!(ran.exit == 4 && ran.stdout.contains("public.go() of root"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_switch_that_would_be_set_to_what_another_action_sets_is_noticed_by_the_checks_of_effects() {
    let world = World::example("billing");
    let (_, survivors, summary) = findings(&world, "");
    assert!(summary.contains(", checks of effects 0, "), "{survivors:#?} {summary}");
    // One switch, of two actions: to turn it the other way round is the work of the other one.
    world.replace(
        "cutter.toml",
        "action = 'Billing::Action::\"turn_posting\"'",
        "action = 'Billing::Action::\"preview\"'",
    );
    let (_, survivors, summary) = findings(&world, "");
    assert!(summary.contains(", checks of effects 2, "), "{survivors:#?} {summary}");
}

#[test]
fn what_was_noticed_before_is_recalled_as_long_as_everything_that_decides_is_the_same() {
    let world = World::example("rollout");
    let (exit, survivors, first) = findings(&world, "--resume kept");
    let known = world.read("kept").lines().count();
    assert!(known > 0 && !first.contains("known from before"), "{first}");
    let (again, same, second) = findings(&world, "--resume kept");
    assert_eq!((again, same), (exit, survivors.clone()), "{second}");
    assert!(second.ends_with(&format!("; {known} known from before")) && second.starts_with(&first), "{second}");
    // Half a line, as a kill leaves it, is none; and what is known of other policies is not known of these.
    let text = world.read("kept");
    world.write("kept", &text[..text.len() - 5]);
    let (_, _, third) = findings(&world, "--resume kept");
    assert!(third.ends_with(&format!("; {} known from before", known - 1)), "{third}");
    world.replace("policies/rollout.cedar", "\"high\"", "\"low\"");
    let (_, _, fourth) = findings(&world, "--resume kept");
    assert!(!fourth.contains("known from before"), "{fourth}");
}

#[test]
fn mutants_are_made_by_the_test_command_too_and_one_that_survives_fails_it() {
    let world = World::example("rollout");
    let ran = world.cutter("test --mutate");
    assert!(ran.stdout.starts_with("mutants  "), "{}{}", ran.stdout, ran.stderr);
    world.remove("policies/invariants");
    let ran = world.cutter("test --properties --cases 0 --mutate --format json");
    assert_eq!(ran.exit, 4, "{}{}", ran.stdout, ran.stderr);
    let mutants = ran.json()["mutants"].clone();
    let survived = mutants["survived"].as_array().unwrap();
    assert!(survived.iter().any(|one| one[1] == "nothing notices: dropped"), "{mutants:#}");
}

#[test]
fn a_wider_permit_by_which_nothing_more_passes_is_the_same() {
    // Whoever may turn posting on could turn it off as well, as anybody may.
    let (_, survivors, summary) = findings(&World::example("billing"), "");
    assert!(survivors.iter().all(|said| !said.starts_with("closers-turn-posting-on")), "{survivors:#?} {summary}");
    assert!(summary.contains("; 3 proved the same; "), "{summary}");
}

#[test]
fn properties_and_mutants_of_one_run_ask_the_solver_once_where_they_begin() {
    let world = World::example("rollout");
    let cvc5 = std::env::var("CVC5").unwrap_or_else(|_| "cvc5".to_owned());
    world.write("solver", format!("#!/bin/sh\ntee -a questions | {cvc5} \"$@\"\n"));
    mode(&world.path("solver"), 0o755);
    let questions = |wanted: &str| {
        world.write("questions", "");
        let ran = world.cutter(&format!("test --cases 0 --jobs 1 --solver ./solver {wanted}"));
        assert!([0, 4].contains(&ran.exit), "{}{}", ran.stdout, ran.stderr);
        world.read("questions").matches("(check-sat)").count()
    };
    let (properties, mutants) = (questions("--properties"), questions("--mutate"));
    assert!(properties > 1 && mutants > properties, "{properties} {mutants}");
    assert_eq!(questions("--properties --mutate"), mutants);
}
