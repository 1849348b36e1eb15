//! What a case, or a record to replay, says twice, in a field that nothing reads, or in a form that is not known, is an error: one of the
//! two would be forgotten in silence.

use crate::support::world::World;
use serde_json::Value;

/// A table that passes.
const TABLE: &str = r#"
now = "2026-11-03T08:00:00Z"
plan = "plans/close-2026-10.json"
[worlds.ready]
"facts.posting_on" = true
[[table]]
says = "s"
row = "post"
stage = "use"
world = "ready"
gates = ["CLOSE"]
columns = ["context.batch", "only"]
cells = [["2026-10-b", []]]
"#;

/// Edits of that table, and what is said of each; what is said of none passes.
const EDITS: &[(&[(&str, &str)], &str)] = &[
    (&[], ""),
    (&[("stage", "only = [\"closed-is-closed\"]\nstage")], "`only` is said by the table and by a column"),
    (
        &[("\"only\"]", "\"basis\"]"), ("[]]]", "\"approved\"]]"), ("stage", "basis = \"forbidden\"\nstage")],
        "`basis` is said",
    ),
    (
        &[("\"only\"]", "\"now\", \"only\"]"), ("[]]]", "\"now\", []]]"), ("stage", "now = \"now\"\nstage")],
        "`now` is said",
    ),
    (
        &[
            ("columns", "set = { \"resource.closed\" = false }\ncolumns"),
            ("\"only\"]", "\"resource.closed\", \"only\"]"),
            ("[]]]", "false, []]]"),
        ],
        "`resource.closed` is said",
    ),
    (
        &[
            ("\"only\"]", "'Billing::Book::\"2026-10\".closed', \"resource.closed\", \"only\"]"),
            ("[]]]", "true, false, []]]"),
        ],
        "are the same fact",
    ),
    (
        &[
            ("\"only\"]", "\"facts.posting_on\", 'Cutter::Run::\"close-2026-10\".facts.posting_on', \"only\"]"),
            ("[]]]", "true, false, []]]"),
        ],
        "are the same fact",
    ),
    (
        &[("\"only\"]", "\"facts.posting_on\", \"Run.facts\", \"only\"]"), ("[]]]", "true, {}, []]]")],
        "are the same fact",
    ),
    // A case lies over its world, and a set in a table beside it.
    (&[("\"only\"]", "\"facts.posting_on\", \"only\"]"), ("[]]]", "true, []]]")], ""),
    (&[("\"only\"]", "\"policies\"]")], "it expects nothing"),
    (
        &[("columns", "request = { principal = 'Cutter::Agent::\"closer\"' }\ncolumns")],
        "a `row` of a plan and a `request`",
    ),
    (
        &[("row = \"post\"", "request = { principal = 'Cutter::Agent::\"closer\"', contxt = {} }")],
        "its `request` has an unknown field `contxt`; did you mean `context`?",
    ),
];

#[test]
fn what_a_case_says_twice_or_where_nothing_reads_it_is_an_error() {
    let mut wrong = Vec::new();
    for (edits, said) in EDITS {
        let world = World::example("billing");
        let text = edits.iter().fold(TABLE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        world.write("cases.toml", text);
        let ran = world.cutter("test cases.toml");
        let exit = if said.is_empty() { 0 } else { 3 };
        if ran.exit != exit || !ran.stderr.contains(said) {
            wrong.push(format!("{edits:?}: {} {}{}", ran.exit, ran.stdout, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_folder_whose_case_expects_nothing_and_a_request_with_a_field_that_nothing_reads_are_errors() {
    let world = World::example("billing");
    world.write("folder/plan.json", world.read("plans/close-2026-10.json"));
    world.write("folder/entities.json", "[]");
    world.write("folder/expected.json", r#"{"says": "s", "now": "2026-11-03T08:00:00Z"}"#);
    let request = r#"{"principal": "Cutter::Agent::\"closer\"", "action": "Billing::Action::\"preview\"", "resource": "Billing::Book::\"2026-10\"", "contxt": {}}"#;
    world.write("request/case.json", format!(r#"[{{"name": "n", "request": {request}, "decision": "deny"}}]"#));
    for (path, said) in [("folder", "it expects nothing"), ("request", "its request has an unknown field `contxt`")] {
        let ran = world.cutter(&format!("test {path}"));
        assert!(ran.exit == 3 && ran.stderr.contains(said), "{path}: {} {}{}", ran.exit, ran.stdout, ran.stderr);
    }
}

/// What is done to recorded decisions, and what is then said; of nothing it is a decision like the others.
const RECORDS: &[(&str, &str, &str)] = &[
    ("\"decision\":\"allow\"", "\"decision\":\"deny\",\"decision\":\"allow\"", "the key `decision` is defined twice"),
    ("\"run\":{", "\"run\":{},\"run\":{", "the key `run` is defined twice"),
    ("\"version\":1", "\"version\":2", "is of version 2, and 1 is known"),
    ("\"version\":1", "\"of\":1", "does not say of which version it is"),
    ("\"version\":1", "\"version\":\"1\"", "is of version \"1\", and 1 is known"),
    ("#decisions/v1", "#decisions/v2", "which is not known"),
];

#[test]
fn a_record_with_a_key_twice_or_of_a_form_that_is_not_known_is_not_replayed() {
    let world = World::example("billing");
    world.cutter("authorize plans/close-2026-10.json --format json --output whole.json --attest statement.json");
    world.cutter("authorize plans/close-2026-10.json --format ndjson --output log.ndjson");
    for name in ["whole", "statement"] {
        let document: Value = world.read(&format!("{name}.json")).parse().unwrap();
        world.write(&format!("{name}-line.json"), document.to_string());
        world.write(&format!("{name}-lines.json"), document.to_string().replacen(':', ":\n", 1));
    }
    let mut tried = 0;
    let mut wrong = Vec::new();
    for file in ["whole-line.json", "whole-lines.json", "statement-line.json", "log.ndjson"] {
        let text = world.read(file);
        assert_eq!(world.cutter(&format!("replay {file}")).exit, 0, "{file}");
        // The version of a statement stands in its type; a tool that wrote it has one, too.
        let of_file = RECORDS.iter().filter(|(from, ..)| text.contains(from));
        for (from, to, said) in
            of_file.filter(|(from, ..)| !(file.starts_with("statement") && from.contains("version")))
        {
            tried += 1;
            world.write("spoilt", text.replacen(from, to, 1));
            let ran = world.cutter("replay spoilt");
            if ran.exit != 3 || !ran.stderr.contains(said) {
                wrong.push(format!("{file}, {to}: {} {}{}", ran.exit, ran.stdout, ran.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tried, 12);
}
