//! How the program of a row ends, what the journal says of it, and what ends with cutter itself.

use super::exec::{free_row, office};
use crate::approvals::office::{AGENT, Office, PLANNER, plan};
use crate::support::scrubbed::scrubbed;
use crate::support::waiting::wait_until;
use crate::support::world::{AUTHOR, scripted};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An office with a row whose program runs this script; it may say its numbers in the file `numbers`.
fn with(script: &str) -> Office {
    let office = office(&free_row("write", ""));
    let numbers = office.world.path("numbers").display().to_string();
    office.world.declare("it", AUTHOR, &(scripted(&script.replace("NUMBERS", &numbers)) + "\ntimeout = 20"));
    office.world.write("plan.json", plan(PLANNER, AGENT, r#"{"id":"it","effect":"it"}"#));
    office.trust();
    office
}

fn begin(office: &Office) -> Child {
    let trust = office.world.trust_path().display().to_string();
    let mut command = office.world.command(&["exec", "--trust", &trust, "plan.json", "it"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// The processes that the program told of, once there are two of them.
fn numbers(office: &Office) -> Vec<String> {
    let read = || fs::read_to_string(office.world.path("numbers")).unwrap_or_default();
    wait_until("the program runs", || read().lines().count() == 2);
    read().lines().map(str::to_owned).collect()
}

/// Whether it runs: one that ended and that nobody asked for is no more than a number.
fn runs(number: &str) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(number).join("stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

fn kill(signal: &str, process: &str) {
    assert!(Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status().unwrap().success());
}

/// The end of the row, as the journal has it; nothing where it has none.
fn end(office: &Office) -> Value {
    let log = office.world.cutter("log --format json").json();
    let mut records = log["records"].as_array().unwrap().iter().map(|entry| entry["record"].clone());
    records.rfind(|record| record["kind"] == "finished").unwrap_or_default()
}

const WITH_A_CHILD: &str = "sleep 60 & echo $! >> NUMBERS; echo $$ >> NUMBERS; wait";

#[test]
fn what_runs_ends_with_cutter_and_so_does_all_that_it_started() {
    let office = with(WITH_A_CHILD);
    let mut cutter = begin(&office);
    let processes = numbers(&office);
    assert!(processes.iter().all(|number| runs(number)), "{processes:?}");
    cutter.kill().unwrap();
    cutter.wait().unwrap();
    wait_until("what ran ends with cutter", || !processes.iter().any(|number| runs(number)));
    // Nobody was left to write an end.
    assert_eq!(end(&office), Value::Null);
}

#[test]
fn a_program_that_heeds_no_signal_of_its_group_ends_with_cutter_too() {
    let office = with(&format!("trap '' TERM INT HUP; kill -TERM 0; {WITH_A_CHILD}"));
    let mut cutter = begin(&office);
    let processes = numbers(&office);
    cutter.kill().unwrap();
    cutter.wait().unwrap();
    wait_until("what ran ends with cutter", || !processes.iter().any(|number| runs(number)));
}

#[test]
fn the_journal_says_who_told_cutter_to_stop_and_nothing_runs_on() {
    for (signal, name) in [("TERM", "signal 15 (SIGTERM)"), ("INT", "signal 2 (SIGINT)")] {
        let office = with(WITH_A_CHILD);
        let cutter = begin(&office);
        let processes = numbers(&office);
        kill(signal, &cutter.id().to_string());
        let ran = cutter.wait_with_output().unwrap();
        assert_eq!(ran.status.code(), Some(10));
        assert!(!processes.iter().any(|number| runs(number)), "{processes:?}");
        let end = end(&office);
        assert_eq!(end["exit_status"], Value::Null, "{end}");
        assert_eq!(end["note"], format!("the command was ended: cutter was told to stop by {name}"));
    }
}

#[test]
fn how_a_program_ended_is_known_whatever_the_caller_ignores() {
    for (script, exit, status) in [("exit 0", 0, Value::from(0)), ("exit 3", 10, Value::from(3))] {
        let office = with(script);
        let trust = office.world.trust_path().display().to_string();
        let inner = office.world.command(&["exec", "--trust", &trust, "plan.json", "it"]);
        let mut caller = scrubbed("/bin/sh");
        caller.args(["-c", "trap '' CHLD HUP INT QUIT PIPE USR1; exec \"$0\" \"$@\""]);
        caller.arg(inner.get_program()).args(inner.get_args()).current_dir(office.world.folder());
        let ran = caller.output().unwrap();
        assert_eq!(ran.status.code(), Some(exit), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(end(&office)["exit_status"], status);
    }
}

#[test]
fn the_journal_says_which_signal_ended_a_program() {
    let office = with("kill -USR1 $$");
    let ran = office.exec("it");
    assert!(ran.exit == 10 && ran.stdout.contains("ended by signal 10 (SIGUSR1)"), "{}{}", ran.stdout, ran.stderr);
    let end = end(&office);
    assert_eq!(
        (&end["exit_status"], &end["note"]),
        (&Value::Null, &"the command was ended by signal 10 (SIGUSR1)".into())
    );
    let log = office.world.cutter("log").stdout;
    assert!(log.contains("signal 10 (SIGUSR1)"), "{log}");
}

/// Nobody makes cutter end a group that is not the watcher's own.
#[test]
fn a_watcher_that_starts_no_group_ends_nobody() {
    let office = office(&free_row("write", ""));
    let script = r#"exec -a cutter-watcher "$0" < /dev/null"#;
    let cutter = office.world.command(&[]).get_program().to_owned();
    let ran = Command::new("bash").args(["-c", &format!("({script}); echo lives $?")]).arg(cutter).output().unwrap();
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), "lives 64\n");
}
