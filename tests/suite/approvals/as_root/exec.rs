//! `cutter exec`: decided again at use, consumed once, run exactly as declared, journalled.

use crate::approvals::office::{AGENT, Office, PLANNER, plan};
use crate::ledger::scene::rewrite;
use crate::support::world::{AUTHOR, COMPENSATION, scripted};
use cutter::time::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::SystemTime;

/// A row that anybody of the role group may do, and that writes a line into a file.
pub fn free_row(id: &str, more: &str) -> String {
    format!(r#"{{"id":"{id}","effect":"{id}"{more}}}"#)
}

/// The row of SG_3, which writes a line into a file.
pub fn ruled_row() -> String {
    free_row("rule", "")
}

/// An office whose approvals are for now, since `exec` takes no other time.
pub fn office(rows: &str) -> Office {
    let office = Office::new();
    office.world.let_facts_be_stated();
    let ran = office.world.path("ran").display().to_string();
    let named: Vec<serde_json::Value> = serde_json::from_str(&format!("[{rows}]")).unwrap();
    let more = ["other", "rule", "write"];
    let effects: BTreeSet<&str> = named.iter().filter_map(|row| row["effect"].as_str()).chain(more).collect();
    for id in effects {
        let is = if id == "rule" || id == "fail" { COMPENSATION } else { AUTHOR };
        let script = if id == "fail" { "exit 3".to_owned() } else { format!("echo {id} >> {ran}") };
        office.world.declare(id, is, &scripted(&script));
    }
    office.world.write("plan.json", plan(PLANNER, AGENT, rows));
    office.trust();
    office
}

pub fn approve(office: &Office) {
    approve_by(office, &[("president", "president"), ("council-1", "council-1"), ("council-2", "council-2")]);
}

/// The same by the key of somebody else.
pub fn approve_by(office: &Office, voices: &[(&str, &str)]) {
    let ran = office.world.cutter("approval request plan.json");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    office.edit("SG_3", |document| {
        document["allowance"] = json!("explicit");
        document["reason"] = json!("compensation ruled by the quorum");
    });
    for (name, key) in voices {
        office.sign_as("SG_3", key, "cutter-approval", &format!("{name}.sig"));
    }
}

pub fn ran(office: &Office) -> String {
    std::fs::read_to_string(office.world.path("ran")).unwrap_or_default()
}

#[test]
fn an_approved_action_runs_once_and_its_approval_is_spent() {
    let office = office(&ruled_row());
    approve(&office);
    let first = office.exec("rule");
    assert_eq!((first.exit, ran(&office).as_str()), (0, "rule\n"), "{}{}", first.stdout, first.stderr);
    let second = office.exec("rule");
    assert_eq!((second.exit, ran(&office).as_str()), (5, "rule\n"), "{}{}", second.stdout, second.stderr);
    let listed = office.world.cutter("approval list plan.json --format json").json();
    assert_eq!(listed["approvals"][0]["code"], "already_consumed");
}

#[test]
fn an_approval_that_was_used_for_one_of_its_rows_is_said_to_be_used_for_that_row() {
    let again = ruled_row().replace(r#""id":"rule""#, r#""id":"again""#);
    let office = office(&format!("{},{again}", free_row("fail", "")));
    approve(&office);
    assert_eq!(office.exec("fail").exit, 10);
    let shown = office.world.cutter("authorize plan.json").stdout;
    assert!(shown.contains("needs   SG_3  fail   USED"), "{shown}");
    assert!(shown.contains("opened  SG_3  again  accepted"), "{shown}");
}

#[test]
fn a_failed_use_stays_used() {
    let office = office(&ruled_row().replace(r#""effect":"rule""#, r#""effect":"fail""#));
    approve(&office);
    let first = office.exec("rule");
    assert_eq!(first.exit, 10, "{}{}", first.stdout, first.stderr);
    assert_eq!(office.exec("rule").exit, 5);
}

#[test]
fn a_denied_action_runs_nothing_and_is_journalled() {
    let office = office(&ruled_row());
    let before = office.world.listing().len();
    assert_eq!(office.exec("rule").exit, 5);
    // Only that it was tried.
    let log = office.world.cutter("log --format json").json();
    let last = log["records"].as_array().unwrap().last().unwrap()["record"].clone();
    assert_eq!((&last["kind"], &last["action"]), (&"refused".into(), &"rule".into()));
    assert_eq!((office.world.listing().len(), ran(&office).as_str()), (before + 1, ""));
}

#[test]
fn a_command_that_differs_from_the_plan_is_refused() {
    let office = office(&free_row("write", ""));
    let other = office.exec("write -- rm -rf everything");
    assert_eq!((other.exit, ran(&office).as_str()), (3, ""), "{}", other.stderr);
    assert!(other.stderr.contains("the command differs from what plan action `write` declares"), "{}", other.stderr);
}

#[test]
fn a_dry_run_plan_runs_nothing() {
    let office = office(&free_row("write", ""));
    let text = office.world.read("plan.json").replace("\"live\"", "\"dry_run\"");
    office.world.write("plan.json", text);
    office.trust();
    let dry = office.exec("write");
    assert_eq!((dry.exit, ran(&office).as_str()), (0, ""), "{}{}", dry.stdout, dry.stderr);
    assert!(dry.stdout.contains("nothing was run"));
}

#[test]
fn a_row_waits_for_the_rows_it_comes_after() {
    let office = office(&[free_row("first", ""), free_row("second", r#","after":["first"]"#)].join(","));
    let early = office.exec("second");
    assert_eq!((early.exit, ran(&office).as_str()), (9, ""), "{}{}", early.stdout, early.stderr);
    assert_eq!(office.exec("first").exit, 0);
    assert_eq!((office.exec("second").exit, ran(&office).as_str()), (0, "first\nsecond\n"));
}

#[test]
fn a_run_id_begins_once_and_not_under_another_plan() {
    let office = office(&free_row("write", ""));
    assert_eq!(office.exec("write").exit, 0);
    office.world.write("plan.json", plan(PLANNER, AGENT, &free_row("other", "")));
    office.trust();
    let other = office.exec("other");
    assert_eq!((other.exit, ran(&office).as_str()), (2, "write\n"), "{}", other.stdout);
    assert!(other.stdout.contains("under another plan"));
}

/// The attack: the author edits the run's own tree and signs with an own key; one file after the other.
#[test]
fn an_edited_bundle_signed_by_its_editor_runs_nothing() {
    for file in ["policies/gates.cedar", "policies/allowed_signers", "cutter.toml"] {
        let office = office(&free_row("write", ""));
        let comment = if file.ends_with(".cedar") { "// edited\n" } else { "# edited\n" };
        office.world.write(file, office.world.read(file) + comment);
        let stale = office.exec("write");
        assert_eq!((stale.exit, ran(&office).as_str()), (8, ""), "{file}: {}", stale.stderr);
        office.world.sign_bundle("stranger");
        let own = office.exec("write");
        assert_eq!((own.exit, ran(&office).as_str()), (8, ""), "{file}: {}", own.stderr);
    }
}

#[test]
fn an_unsigned_bundle_or_plan_or_a_plan_of_another_author_runs_nothing() {
    for signature in ["policies.sig", "plan.json.sig"] {
        let office = office(&free_row("write", ""));
        office.world.remove(signature);
        assert_eq!((office.exec("write").exit, ran(&office).as_str()), (8, ""), "{signature}");
    }
    let office = office(&free_row("write", ""));
    office.world.sign_plan("plan.json", "reviewer");
    assert_eq!((office.exec("write").exit, ran(&office).as_str()), (8, ""));
}

#[test]
fn a_principal_other_than_the_one_of_the_running_user_runs_nothing() {
    let office = office(&free_row("write", ""));
    let verifier = r#"Cutter::Agent::\"verify-agent\""#;
    office.world.write("plan.json", plan(PLANNER, verifier, &free_row("write", "")));
    office.trust();
    assert_eq!((office.exec("write").exit, ran(&office).as_str()), (8, ""));
}

#[test]
fn a_clock_before_the_last_record_runs_nothing() {
    let office = office(&free_row("write", ""));
    later(&office, 60_000);
    let back = office.exec("write");
    assert_eq!((back.exit, ran(&office).as_str()), (8, ""), "{}{}", back.stdout, back.stderr);
    assert!(back.stdout.contains("the clock shows"), "{}", back.stdout);
}

#[test]
fn a_ledger_that_a_host_three_seconds_ahead_wrote_to_refuses_nobody() {
    let office = office(&free_row("write", ""));
    later(&office, 3_000);
    let ran = office.exec("write");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
}

/// Somebody writes to the ledger whose clock is so many milliseconds ahead.
fn later(office: &Office, ahead: i64) {
    let now = Timestamp::from_system(SystemTime::now()).unwrap().milliseconds() + ahead;
    let time = Timestamp::from_milliseconds(now).unwrap().to_cedar();
    rewrite(&office.world.path(".cutter"), |text| {
        let at = text.rfind("\"time\":\"").unwrap() + 8;
        format!("{}{time}{}", &text[..at], &text[at + time.len()..])
    });
}

#[test]
fn exec_takes_no_time_but_the_clocks() {
    let office = office(&free_row("write", ""));
    assert_eq!(office.exec("write --now 2026-05-21T08:15:00Z").exit, 64);
}

#[test]
fn without_a_ledger_nothing_runs() {
    let office = office(&free_row("write", ""));
    office.world.remove(".cutter");
    let none = office.exec("write");
    assert_eq!((none.exit, ran(&office).as_str()), (1, ""), "{}", none.stdout);
    assert!(none.stderr.contains("cutter ledger init"), "{}", none.stderr);
}

#[test]
fn a_denial_says_what_is_wrong_with_the_approval_that_is_there() {
    let office = office(&ruled_row());
    let said = || office.exec("rule").stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said().contains("no other approval; needs SG_3 (missing: no document opens `SG_3`)"), "{}", said());
    approve(&office);
    office.world.edit("approvals/SG_3.json", |document| document["expires_at"] = json!("2026-05-21T08:15:00Z"));
    for name in ["president", "council-1", "council-2"] {
        office.sign_as("SG_3", name, "cutter-approval", &format!("{name}.sig"));
    }
    assert!(said().contains("needs SG_3 (expired: expired 2026-05-21T08:15:00"), "{}", said());
}
