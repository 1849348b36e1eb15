//! How a run that something happened to is ended, and what must be so then.

use crate::facts::as_root::billing::{Month, PLAN};
use crate::run::{run, switch};
use crate::support::postgres::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ends the run: `guard` turns off what it left on, `--resume` goes on, with a new approval of the switch if one is needed, and what
/// then still stands is ended by `--void`.
pub fn end(month: &Month, case: &str) -> String {
    wait_until_it_opens(&month.server);
    let guarded = month.cutter(&format!("guard {PLAN} --facts postgres"));
    assert_eq!((guarded.exit, switch(month).as_str()), (0, "off"), "{case}: {}{}", guarded.stdout, guarded.stderr);
    let mut state = resume(month, case);
    if state == "PAUSED" && renew_switch(month) {
        state = resume(month, case);
    }
    if state != "COMPLETED" {
        assert!(["HOLD", "PAUSED"].contains(&state.as_str()), "{case}: {state}");
        let voided = month.words(&["run", PLAN, "--facts", "postgres", "--void", "--reason", "it was stopped"]);
        assert_eq!(voided.exit, 0, "{case}: {}{}", voided.stdout, voided.stderr);
    }
    state
}

/// A run that needed no new connection may be over before the database takes one again.
pub fn wait_until_it_opens(server: &Server) {
    let until = Instant::now() + Duration::from_secs(60);
    while let Err(error) = server.try_connect("postgres", "postgres") {
        assert!(Instant::now() < until, "nobody gets into the database any more: {error}");
        sleep(Duration::from_millis(50));
    }
}

fn resume(month: &Month, case: &str) -> String {
    let resumed = run(month, "--resume --format json");
    assert_eq!(switch(month), "off", "{case}: {}", resumed.stderr);
    resumed.json()["state"].as_str().unwrap_or_default().to_owned()
}

/// Whoever lets the switch on says so once more; false where their approval was not used up.
pub fn renew_switch(month: &Month) -> bool {
    let asked = month.cutter(&format!("approval request {PLAN} --renew --facts postgres"));
    assert_eq!(asked.exit, 0, "{}{}", asked.stdout, asked.stderr);
    if !month.world.path("approvals/SWITCH-2.json").exists() {
        return false;
    }
    month.world.edit("approvals/SWITCH-2.json", |document| {
        document["allowance"] = "explicit".into();
        document["reason"] = "it goes on".into();
    });
    let signed = month.cutter("approval sign --yes approvals/SWITCH-2.json --key keys/dan --as dan");
    assert_eq!(signed.exit, 0, "{}{}", signed.stdout, signed.stderr);
    true
}

/// What the database and the journal have in the end.
pub fn check(month: &Month, case: &str) {
    let sql = "SELECT count(*) FROM billing.entry WHERE batch = '2026-10-b'";
    let posted: i64 = month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0);
    assert!([0, 2].contains(&posted), "{case}: half a batch: {posted}");
    assert_eq!(switch(month), "off", "{case}");
    let starts = starts(month);
    let mut uses = BTreeSet::new();
    for start in &starts {
        for used in start["approvals"].as_array().unwrap() {
            assert!(
                uses.insert((used["sha256"].to_string(), start["action"].to_string())),
                "{case}: used twice: {used}"
            );
        }
    }
    for once in ["preview", "post", "close"] {
        assert!(
            starts.iter().filter(|start| start["action"] == json!(once)).count() <= 1,
            "{case}: {once} began twice"
        );
    }
}

/// What began, as the journal has it.
pub fn starts(month: &Month) -> Vec<Value> {
    let log = month.cutter("log --format json");
    assert_eq!(log.exit, 0, "{}{}", log.stdout, log.stderr);
    let log = log.json();
    let records = log["records"].as_array().unwrap().iter().map(|entry| entry["record"].clone());
    records.filter(|record| record["kind"] == "started").collect()
}
