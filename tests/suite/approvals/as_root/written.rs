//! What programs write goes through a filter: a secret in it is not shown, and the record of the end says that it was there.

use super::exec::{free_row, office};
use crate::approvals::office::Office;
use crate::support::ran::Ran;
use crate::support::world::{AUTHOR, scripted};
use cutter::digest::Digest;
use serde_json::{Value, json};

const SECRET: &str = "correct horse battery";

/// An office with one row, `say`, that runs this script, and a variable whose value is a secret.
fn saying(script: &str, more: &str) -> Office {
    let office = office(&free_row("write", ""));
    let config = office.world.read("cutter.toml");
    office.world.write("cutter.toml", format!("[secrets]\nvariables = [\"TEST_TOKEN\"]\n\n{config}"));
    office.world.declare("say", AUTHOR, &format!("{}\n{more}", scripted(script)));
    let plan = office.world.read("plan.json");
    office
        .world
        .write("plan.json", plan.replace(r#"{"id":"write","effect":"write"}"#, r#"{"id":"say","effect":"say"}"#));
    office.trust();
    office
}

fn exec(office: &Office) -> Ran {
    let trust = office.world.trust_path().display().to_string();
    office.world.cutter_with(&format!("exec --trust {trust} plan.json say"), &[("TEST_TOKEN", SECRET)])
}

/// What the last record says of the output.
fn recorded(office: &Office) -> Value {
    let log = office.world.cutter("log --format json").json();
    log["records"].as_array().unwrap().last().unwrap()["record"]["output"].clone()
}

#[test]
fn a_secret_that_a_program_writes_in_parts_is_not_shown_and_its_kind_is_recorded() {
    let office = saying("printf 'a corr'; sleep 0.2; printf 'ect horse '; echo battery >&2; echo after", "");
    let ran = exec(&office);
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("a [the value of `TEST_TOKEN`, not shown]\nafter\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("horse") && !ran.stdout.contains(SECRET), "{}{}", ran.stdout, ran.stderr);
    let text = format!("a {SECRET}\nafter\n");
    let output = recorded(&office);
    assert_eq!(output["found"], json!({"the value of `TEST_TOKEN`": 1}));
    assert_eq!(
        (&output["sha256"], &output["length"]),
        (&json!(Digest::of(text.as_bytes()).to_string()), &json!(text.len()))
    );
    assert_eq!(output["variables"], json!(["TEST_TOKEN"]));
    assert!(!office.world.read(".cutter/records.ndjson").contains(SECRET));
    let log = office.world.cutter("log").stdout;
    assert!(log.split_whitespace().collect::<Vec<_>>().join(" ").contains("it wrote"), "{log}");
}

#[test]
fn output_that_holds_none_is_shown_whole_and_its_digest_is_recorded() {
    let office = saying("head -c 3000000 /dev/zero | tr '\\0' x; echo; printf '\\303\\251\\000end'", "");
    let ran = exec(&office);
    assert_eq!(ran.exit, 0, "{}", ran.stdout);
    let mut bytes = vec![b'x'; 3_000_000];
    bytes.extend(b"\n\xc3\xa9\0end");
    let output = recorded(&office);
    assert_eq!((&output["sha256"], &output["length"]), (&json!(Digest::of(&bytes).to_string()), &json!(bytes.len())));
    assert_eq!(output["found"], json!({}));
    assert!(ran.stderr.contains(&"x".repeat(3_000_000)) && ran.stderr.ends_with("end"), "{}", ran.stderr.len());
}

#[test]
fn an_answer_that_holds_a_secret_brings_no_fact_about() {
    let produces = ["id", "made_for"].map(|name| {
        format!("[effects.say.produces.\"review_decision.{name}\"]\ntype = \"String\"\nanswer = \"{name}\"\n")
    });
    let answer = |id: &str| format!("w=battery; printf '%s' '{{\"made_for\": \"x\", \"id\": \"'{id}'\"}}'");
    let clean = saying(&answer("\"a$w\""), &produces.concat());
    let ran = exec(&clean);
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(clean.world.cutter("log --format json").stdout.contains("\"abattery\""));
    let office = saying(&answer("\"correct horse $w\""), &produces.concat());
    let ran = exec(&office);
    let log = office.world.cutter("log --format json").stdout;
    assert!(!log.contains(SECRET), "{log}");
    assert_eq!(ran.exit, 10, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.replace('\n', " ").contains("secret"), "{}", ran.stdout);
}

#[test]
fn a_program_with_a_secret_among_its_arguments_does_not_begin() {
    let office = saying(&format!("echo '{SECRET}'"), "");
    let ran = exec(&office);
    assert_eq!((ran.exit, ran.stdout.as_str()), (8, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("holds the value of `TEST_TOKEN`") && !ran.stderr.contains(SECRET), "{}", ran.stderr);
    assert!(!office.world.cutter("log --format json").stdout.contains("started"));
}
