//! `cutter test`: the shipped cases hold, and what a wrong case is answered with.

use crate::support::golden::golden;
use crate::support::world::{World, root};
use serde_json::Value;

#[test]
fn the_shipped_cases_hold_tables_and_folders() {
    let world = World::shipped();
    for (path, least) in [("tests/policy", 20), ("tests/cases", 20)] {
        let ran = world.cutter(&format!("test {} --format json", root().join(path).display()));
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
        let report = ran.json();
        assert!(report["passed"].as_u64().unwrap() >= least, "{path}: {}", report["passed"]);
        assert_eq!(report["failed"], 0);
    }
}

#[test]
fn a_case_that_does_not_hold_shows_what_decided_it_and_the_values_it_looked_at() {
    let world = World::shipped();
    world.write("cases/wrong.toml", WRONG);
    let ran = world.cutter("test cases");
    assert_eq!(ran.exit, 4, "{}{}", ran.stdout, ran.stderr);
    golden("test-failed-80.txt", &ran.stdout);
    let junit = world.cutter("test cases --format junit").stdout;
    assert!(junit.contains("tests=\"3\" failures=\"2\""), "{junit}");
    let github = world.cutter("test cases --format github").stdout;
    assert!(github.contains("::error file=cases/wrong.toml,line=10,"), "{github}");
    let json = world.cutter("test cases --format json").json();
    let failed: Vec<&Value> = json["cases"].as_array().unwrap().iter().filter(|case| case["passed"] == false).collect();
    assert_eq!(failed.len(), 2);
    assert_eq!(world.cutter("test cases --filter now").exit, 7, "nothing is left");
}

#[test]
fn where_there_is_no_case_nothing_was_measured() {
    let world = World::shipped();
    world.write("cases/readme.md", "none");
    let ran = world.cutter("test cases");
    assert_eq!((ran.exit, ran.stderr.as_str()), (7, ""), "{}", ran.stdout);
    assert_eq!(world.cutter("test nowhere").exit, 1);
}

/// What is wrong in a file of cases, and a part of what is said; the place is always given.
const FAULTS: &[(&str, &str)] = &[
    ("row = \"flip-on\"\nbasis = \"forbiden\"", "`basis` is `forbiden`; it may be"),
    ("row = \"flip-onn\"\nbasis = \"forbidden\"", "the plan has no row `flip-onn`; did you mean `flip-on`?"),
    ("row = \"flip-on\"", "it expects nothing"),
    ("basis = \"forbidden\"", "it names neither a `row` of a plan nor a `request`"),
    ("row = \"flip-on\"\nonly = [\"no-such-ban\"]", "the bundle has no policy `no-such-ban`"),
    (
        "row = \"flip-on\"\ngates = [\"FLIPP\"]\nbasis = \"approved\"",
        "the bundle has no gate `FLIPP`; did you mean `FLIP`?",
    ),
    ("row = \"flip-on\"\nworld = \"redy\"\nbasis = \"approved\"", "there is no world `redy`; did you mean `ready`?"),
    ("row = \"flip-on\"\nbasis = \"approved\"\nset = { \"fact.x\" = 1 }", "`fact.x` is not a known column"),
    (
        "row = \"flip-on\"\nbasis = \"approved\"\nset = { \"facts.switch.enabled\" = 1.5 }",
        "Cedar has no number such as 1.5",
    ),
    ("row = \"flip-on\"\nbasis = \"approved\"\nset = { \"facts.switch.enabled\" = \"yes\" }", "enabled"),
    ("row = \"flip-on\"\ncolumns = [\"basis\"]\ncells = [[\"approved\", 1]]", "2 cells are below 1 columns"),
    (
        "row = \"flip-on\"\ncolumns = [\"basis\", \"basis\"]\ncells = [[\"forbidden\", \"approved\"]]",
        "there are two columns `basis`",
    ),
    ("row = \"flip-on\"\nnow = \"yesterday\"\nbasis = \"approved\"", "`yesterday` is not a valid time"),
    ("row = \"flip-on\"\nbases = \"approved\"", "unknown key `bases`"),
];

#[test]
fn what_is_wrong_in_a_file_of_cases_is_said_at_its_place_and_nothing_counts_as_tested() {
    let world = World::shipped();
    let mut failures = Vec::new();
    for (fault, said) in FAULTS {
        world.write("cases/wrong.toml", format!("{HEAD}[[table]]\nsays = \"x\"\n{fault}\n"));
        let ran = world.cutter("test cases --error-format plain");
        if ran.exit != 3 || !ran.stdout.is_empty() || !ran.stderr.contains(said) || !ran.stderr.contains("wrong.toml:")
        {
            failures.push(format!("{fault}\n-> {} {}{}", ran.exit, ran.stdout, ran.stderr));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

const HEAD: &str = "now = \"2026-05-21T08:15:00Z\"\nplan = \"plans/o9-first-production-run.json\"\n\n[worlds.ready]\n\"facts.backup_key.*\" = true\n";

const WRONG: &str = r#"now = "2026-05-21T08:15:00Z"
plan = "plans/o9-first-production-run.json"

[[table]]
says = "the switch goes on when it may"
row = "flip-on"
columns = ["facts.backup_key.selftest_passed", "basis", "gaps"]
cells = [
    [false, "approval_required", ["F4"]],
    [true, "approved", []],
]

[[table]]
says = "off is forbidden"
row = "flip-off"
decision = "deny"
"#;
