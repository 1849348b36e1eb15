//! A run killed at every point at which the journal or the database is written: the switch ends off, nothing is done twice, and the
//! run ends by `--resume` or by `--void`.

use crate::facts::as_root::billing::{Month, PLAN};
use crate::run::{run, switch};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

#[test]
fn a_run_killed_at_any_write_of_its_journal_is_ended_and_nothing_of_it_is_done_twice() {
    kill_at("fsync", 10);
}

#[test]
fn a_run_killed_at_any_message_to_its_database_is_ended_and_nothing_of_it_is_done_twice() {
    kill_at("sendto", 200);
}

/// Kills one run after the other at calls of this name, of which a whole run makes at most `most`.
fn kill_at(call: &str, most: usize) {
    let step = if std::env::var_os("CUTTER_TEST_ALL").is_some() { 1 } else { most / 5 };
    let (mut killed, mut ways) = (0, BTreeMap::<String, usize>::new());
    for number in (1..=most).step_by(step.max(1)) {
        let month = month();
        let words = ["run", PLAN, "--facts", "postgres"];
        if !is_killed(&month.command(&words), call, number) {
            continue;
        }
        killed += 1;
        let case = format!("killed at {call} {number}");
        let guarded = month.cutter(&format!("guard {PLAN} --facts postgres"));
        assert_eq!((guarded.exit, switch(&month).as_str()), (0, "off"), "{case}: {}{}", guarded.stdout, guarded.stderr);
        let resumed = run(&month, "--resume --format json");
        let state = resumed.json()["state"].as_str().unwrap().to_owned();
        assert_eq!(switch(&month), "off", "{case}: {}", resumed.stderr);
        if state != "COMPLETED" {
            assert!(["HOLD", "PAUSED"].contains(&state.as_str()), "{case}: {}{}", resumed.stdout, resumed.stderr);
            let voided = month.words(&["run", PLAN, "--facts", "postgres", "--void", "--reason", "it was killed"]);
            assert_eq!(voided.exit, 0, "{case}: {}{}", voided.stdout, voided.stderr);
        }
        *ways.entry(state).or_default() += 1;
        check(&month, &case);
    }
    println!("killed at {killed} of up to {most} `{call}` calls; then {ways:?}; twice done 0, used twice 0");
    assert!(killed >= 4, "{killed}");
}

/// A month whose run needs no answer of a program, so that each row is one that can be found out about.
fn month() -> Month {
    Month::with(|world, _| {
        let config = world.read("cutter.toml");
        let config = config.replacen("[effects.posting-on]\n", "[effects.posting-on]\nrepeatable = true\n", 1);
        world.write("cutter.toml", format!("[ledger]\nstart_within_seconds = 60\n{config}"));
    })
}

/// What the database and the journal have in the end.
fn check(month: &Month, case: &str) {
    let sql = "SELECT count(*) FROM billing.entry WHERE batch = '2026-10-b'";
    let posted: i64 = month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0);
    assert!([0, 2].contains(&posted), "{case}: half a batch: {posted}");
    assert_eq!(switch(month), "off", "{case}");
    let log = month.cutter("log --format json");
    assert_eq!(log.exit, 0, "{case}: {}{}", log.stdout, log.stderr);
    let log = log.json();
    let starts: Vec<&Value> = log["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["record"])
        .filter(|it| it["kind"] == "started")
        .collect();
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

/// Whether the command was killed by `strace` on its call of this number.
fn is_killed(command: &Command, call: &str, number: usize) -> bool {
    let mut strace = Command::new("strace");
    let injected = format!("inject={call}:signal=SIGKILL:when={number}");
    strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &injected]);
    strace.arg(command.get_program()).args(command.get_args()).env_clear();
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.env("PATH", std::env::var_os("PATH").unwrap()).current_dir(command.get_current_dir().unwrap());
    let ended = strace.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    std::os::unix::process::ExitStatusExt::signal(&ended) == Some(9)
}
