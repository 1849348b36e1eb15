//! `cutter exec` killed at each system call that matters: whenever that is, what is used has a record, and nothing is done twice.

use super::exec::{free_row, office};
use super::moment::in_postgres;
use crate::approvals::office::{AGENT, Office, PLANNER, plan};
use crate::support::world::{COMPENSATION, scripted};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn exec_killed_at_any_system_call_keeps_a_ledger_in_a_folder_honest() {
    let office = office(&free_row("write", ""));
    office.world.replace("cutter.toml", "[effects", "[ledger]\nstart_within_seconds = 60\n\n[effects");
    kill_at_each("a folder", &office);
}

#[test]
fn exec_killed_at_any_system_call_keeps_a_ledger_in_postgresql_honest() {
    let (_server, office) = in_postgres(&free_row("write", ""));
    office.world.replace("cutter.toml", "role = \"runs\"", "role = \"runs\"\nstart_within_seconds = 60");
    kill_at_each("PostgreSQL", &office);
}

/// How far an `exec` had come when it was killed, as the journal and the work's own trace have it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    NothingBegun,
    BegunNotDone,
    DoneNotEnded,
    Ended,
}

/// A call of the system by its name, and its number among those of this name.
type Point = (String, usize);

/// Kills one `exec` at each point and has a second one try the same row, by the same approval.
fn kill_at_each(store: &str, office: &Office) {
    let wanted = if std::env::var_os("CUTTER_TEST_ALL").is_some() { 400 } else { 56 };
    approve_rows(office, wanted + 2);
    // The first row is also the first that the ledger sees of the bundle; every later one is like the second.
    assert_eq!(exec(office, "row-0"), 0);
    let points = choose(&trace(office, "row-1", None), wanted);
    let (mut stages, mut killed) = (BTreeMap::<Stage, usize>::new(), BTreeSet::new());
    for (number, point) in points.iter().enumerate() {
        let row = format!("row-{}", number + 2);
        if !trace(office, &row, Some(point)).last().is_some_and(|line| line.contains("killed by SIGKILL")) {
            continue;
        }
        killed.insert(point.clone());
        let again = exec(office, &row);
        let records: Vec<Value> = records(office).into_iter().filter(|record| record["action"] == json!(row)).collect();
        let of_kind = |kind: &str| records.iter().filter(|record| record["kind"] == *kind).count();
        // One start, which is the one use of the approval, whoever made it: the second where the first did not come so far.
        let stage = match (again, of_kind("started"), of_kind("finished"), done(office, &row)) {
            (0, 1, 1, 1) => Stage::NothingBegun,
            (5, 1, 0, 0) => Stage::BegunNotDone,
            (5, 1, 0, 1) => Stage::DoneNotEnded,
            (5, 1, 1, 1) => Stage::Ended,
            other => panic!("{point:?}: the second exit, starts, ends and how often it was done: {other:?}"),
        };
        *stages.entry(stage).or_default() += 1;
        let used = records.iter().filter(|record| record["approvals"][0]["gate"] == "SG_3");
        assert_eq!(used.count(), 1, "{point:?}: {records:?}");
    }
    println!("killed at {} points, ledger in {store}: {stages:?}; twice done 0, used without a record 0", killed.len());
    assert!(killed.len() >= 40 && stages.len() == 4, "{} points, {stages:?}", killed.len());
    let twice: Vec<usize> = (0..points.len() + 2).filter(|row| done(office, &format!("row-{row}")) > 1).collect();
    assert_eq!(twice, [0_usize; 0]);
}

/// A plan with so many rows of one gate, each of which leaves its name, and one approval of them all.
fn approve_rows(office: &Office, count: usize) {
    let names: Vec<String> = (0..count).map(|number| format!("row-{number}")).collect();
    let file = office.world.path("ran").display().to_string();
    for name in &names {
        office.world.declare(name, COMPENSATION, &scripted(&format!("echo {name} >> {file}")));
    }
    let rows: Vec<String> = names.iter().map(|name| json!({"id": name, "effect": name}).to_string()).collect();
    office.world.write("plan.json", plan(PLANNER, AGENT, &rows.join(",")));
    office.trust();
    let requested = office.world.cutter_with("approval request plan.json", &[RUNNER]);
    assert_eq!(requested.exit, 0, "{}", requested.stderr);
    office.edit("SG_3", |document| {
        document["allowance"] = json!("explicit");
        document["reason"] = json!("compensation ruled by the quorum");
    });
    for who in ["president", "council-1", "council-2"] {
        office.sign_as("SG_3", who, "cutter-approval", &format!("{who}.sig"));
    }
}

/// Runs `exec` under `strace`, which kills it on entering this call; gives what was traced.
fn trace(office: &Office, row: &str, at: Option<&Point>) -> Vec<String> {
    let trust = office.world.trust_path().display().to_string();
    let inner = office.world.command(&["exec", "--trust", &trust, "plan.json", row]);
    let file = office.world.path("trace");
    let mut strace = Command::new("strace");
    strace.arg("-o").arg(&file).arg("-e").arg(format!("trace={}", [WRITING, READING].concat().join(",")));
    if let Some((name, number)) = at {
        strace.arg("-e").arg(format!("inject={name}:signal=SIGKILL:when={number}"));
    }
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear().envs([RUNNER]);
    strace.env("PATH", std::env::var_os("PATH").unwrap()).current_dir(office.world.folder());
    strace.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

/// The points from shortly before the start is written: first those at which something is changed or sent, then others between them.
fn choose(trace: &[String], wanted: usize) -> Vec<Point> {
    let mut counts = BTreeMap::<&str, usize>::new();
    let calls: Vec<(Point, &String)> = trace
        .iter()
        .filter_map(|line| {
            let (name, _) = line.split_once('(')?;
            let count = counts.entry(name).or_default();
            *count += 1;
            Some(((name.to_owned(), *count), line))
        })
        .collect();
    // A session is opened by a thread of its own, the last one before the program.
    let program = calls.iter().rposition(|(_, line)| line.contains("CLONE_VFORK")).unwrap_or(calls.len());
    let is_first = |(_, line): &(Point, &String)| line.contains("/run-") || line.contains("CLONE_THREAD");
    let first = calls[..program].iter().rposition(is_first).unwrap();
    let (changing, others): (Vec<Point>, Vec<Point>) =
        calls.into_iter().skip(first).map(|(point, _)| point).partition(|(name, _)| WRITING.contains(&name.as_str()));
    let rest = wanted.saturating_sub(changing.len());
    [spread(changing, wanted), spread(others, rest)].concat()
}

/// At most so many, evenly.
fn spread(points: Vec<Point>, most: usize) -> Vec<Point> {
    let (all, count) = (points.len(), points.len().min(most));
    (0..count).map(|number| points[number * all / count].clone()).collect()
}

/// The records of the ledger; that they can be read is a part of what is tried.
fn records(office: &Office) -> Vec<Value> {
    let log = office.world.cutter_with("log --format json", &[RUNNER]);
    assert_eq!(log.exit, 0, "{}{}", log.stdout, log.stderr);
    let records = log.json()["records"].as_array().unwrap().clone();
    records.into_iter().map(|entry| entry["record"].clone()).collect()
}

fn exec(office: &Office, row: &str) -> i32 {
    let trust = office.world.trust_path().display().to_string();
    office.world.cutter_with(&format!("exec --trust {trust} plan.json {row}"), &[RUNNER]).exit
}

/// How often the work of a row was done.
fn done(office: &Office, row: &str) -> usize {
    let ran = fs::read_to_string(office.world.path("ran")).unwrap_or_default();
    ran.lines().filter(|line| *line == row).count()
}

const RUNNER: (&str, &str) = ("LEDGER_USER", "runs");

/// Calls by which something is changed, locked, sent, begun or ended.
const WRITING: &[&str] = &[
    "clone3",
    "close_range",
    "connect",
    "exit_group",
    "fdatasync",
    "flock",
    "fsync",
    "kill",
    "mkdir",
    "pwrite64",
    "sendto",
    "shutdown",
    "umask",
    "unlinkat",
    "wait4",
    "waitid",
    "write",
];

/// Calls between them.
const READING: &[&str] = &["close", "lseek", "openat", "read", "recvfrom", "statx"];
