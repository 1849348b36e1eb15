//! A run struck at every point at which its journal or its database is written: killed, its connection cut, a statement refused, its
//! server crashed, its disk full or broken. The switch ends off, nothing is done twice, and the run ends by `--resume` or by `--void`.

use super::ends::{check, end};
use crate::facts::as_root::billing::{Month, PLAN};
use crate::run::door::{Door, Strike};
use crate::run::{let_it_take_its_time, switch};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

/// What happens to a run.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// `strace` has this happen at a system call of this name.
    Call(&'static str, &'static str),
    /// This happens at a statement to its database, whoever sends it.
    Statement(Strike),
}

#[test]
fn a_run_killed_at_any_write_of_its_journal_is_ended_and_nothing_of_it_is_done_twice() {
    strike(Blow::Call("fsync", "signal=SIGKILL"), 10);
}

#[test]
fn a_run_killed_at_any_message_to_its_database_is_ended_and_nothing_of_it_is_done_twice() {
    strike(Blow::Call("sendto", "signal=SIGKILL"), 240);
}

#[test]
fn a_run_whose_connection_is_cut_at_any_message_is_ended_and_nothing_of_it_is_done_twice() {
    strike(Blow::Call("sendto", "error=ECONNRESET"), 240);
}

#[test]
fn a_run_of_which_any_statement_fails_is_ended_and_nothing_of_it_is_done_twice() {
    strike(Blow::Statement(Strike::Fails), 160);
}

#[test]
fn a_run_whose_server_crashes_at_any_statement_is_ended_and_nothing_of_it_is_done_twice() {
    strike(Blow::Statement(Strike::Crash), 160);
}

#[test]
fn a_run_whose_disk_is_full_from_any_write_on_is_ended_and_nothing_of_it_is_done_twice() {
    strike(Blow::Call("fsync", "error=ENOSPC"), 10);
}

#[test]
fn a_run_whose_disk_breaks_at_any_write_is_ended_and_nothing_of_it_is_done_twice() {
    strike(Blow::Call("fsync", "error=EIO"), 10);
}

/// Strikes one run after the other: in full at each point that a run has, else at some of about `most`. A full disk stays full.
fn strike(blow: Blow, most: usize) {
    let step = if std::env::var_os("CUTTER_TEST_ALL").is_some() { 1 } else { most / 6 };
    let (mut struck, mut ways, mut wrong) = (0, BTreeMap::<String, usize>::new(), Vec::new());
    for number in (1..).step_by(step) {
        let month = Month::with(|world, _| let_it_take_its_time(world));
        let case = format!("{blow:?} {number}");
        if !is_struck(&month, blow, number) {
            break;
        }
        struck += 1;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if let Blow::Statement(Strike::Fails) = blow {
                assert_eq!(switch(&month), "off", "{case}");
            }
            let state = end(&month, &case);
            check(&month, &case);
            state
        }));
        match ended {
            Ok(state) => *ways.entry(state).or_default() += 1,
            Err(_) => wrong.push(case),
        }
    }
    println!("{blow:?}: {struck} struck; then {ways:?}; twice done 0, used twice 0; wrong {wrong:?}");
    assert!(struck >= 4 && wrong.is_empty(), "{struck}: {wrong:?}");
}

/// Runs the month, and strikes it at the point of this number; whether it had so many.
fn is_struck(month: &Month, blow: Blow, number: usize) -> bool {
    let mut command = month.command(&["run", PLAN, "--facts", "postgres"]);
    match blow {
        Blow::Call(call, how) => {
            let from_then_on = if how.ends_with("ENOSPC") { "+" } else { "" };
            is_injected(&command, call, &format!("{how}:when={number}{from_then_on}"))
        }
        Blow::Statement(strike) => {
            let door = Door::before(&month.server, strike, number);
            let through = |user: &str| {
                let (before, behind) = (month.server.socket_directory(), door.folder());
                let direct = month.server.conninfo(user, "postgres");
                direct.replace(before.to_str().unwrap(), behind.to_str().unwrap())
            };
            command.env("BILLING_URL", through("postgres")).env("BILLING_CLOSER_URL", through("closer"));
            command.env("PGHOST", door.folder()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            door.is_struck(number)
        }
    }
}

/// Whether `strace` had something happen at the command's call.
fn is_injected(command: &Command, call: &str, injected: &str) -> bool {
    let mut strace = Command::new("strace");
    let log = tempfile::NamedTempFile::new().unwrap();
    strace.args(["-qq", "-o", log.path().to_str().unwrap(), "-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={call}:{injected}")]);
    strace.arg(command.get_program()).args(command.get_args()).env_clear();
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.env("PATH", std::env::var_os("PATH").unwrap()).current_dir(command.get_current_dir().unwrap());
    let ended = strace.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let is_killed = std::os::unix::process::ExitStatusExt::signal(&ended) == Some(9);
    is_killed || std::fs::read_to_string(log.path()).unwrap().contains("(INJECTED)")
}
