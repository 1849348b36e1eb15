//! A run and what is elsewhere: the same run started at once from another network namespace, as from two containers of one host, which
//! share the ledger's server alone; and another server in the place of the run's own.

use super::ends::end;
use crate::approvals::as_root::exec::{free_row, ran};
use crate::approvals::as_root::moment::in_postgres;
use crate::approvals::office::Office;
use crate::facts::as_root::billing::{Month, PLAN};
use crate::run::{let_it_be_turned_on_again, switch};
use crate::support::postgres::{Options, Server};
use crate::support::ran::Ran;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[test]
fn of_the_same_run_started_from_two_network_namespaces_one_runs() {
    let rounds = if std::env::var_os("CUTTER_TEST_ALL").is_some() { 50 } else { 3 };
    let (_server, office) = in_postgres(&free_row("one", ""));
    let plan = office.world.read("plan.json");
    // A run id runs once, so that each round has one of its own.
    let id = |round: usize| format!("-5a5a{round:04x}");
    office.world.edit("entities/runs.json", |runs| {
        let runs = runs.as_array_mut().unwrap();
        let is_ours = |run: &&serde_json::Value| run["uid"]["id"].as_str().unwrap().ends_with("-5a5a5a5a");
        let text = runs.iter().find(is_ours).unwrap().to_string();
        runs.extend(
            (1..=rounds).map(|round| text.replace("-5a5a5a5a", &id(round)).parse::<serde_json::Value>().unwrap()),
        );
    });
    for round in 1..=rounds {
        office.world.write("plan.json", plan.replace("-5a5a5a5a", &id(round)));
        office.trust();
        let both = [start(&office), start(&office)].map(|child| child.wait_with_output().unwrap());
        let exits = both.each_ref().map(|output| output.status.code());
        let said = both.each_ref().map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(matches!(exits, [Some(0), Some(9)] | [Some(9), Some(0)]), "round {round}: {exits:?} {said:?}");
        assert_eq!(ran(&office), "one\n".repeat(round), "round {round}: {said:?}");
    }
    println!("{rounds} rounds from two network namespaces: {rounds} runs, 0 twice, 0 times none");
}

/// `cutter run` where there is no network at all.
fn start(office: &Office) -> Child {
    let trust = office.world.trust_path().display().to_string();
    let inner = office.world.command(&["run", "--trust", &trust, "plan.json"]);
    let mut command = Command::new("unshare");
    command.arg("--net").arg(inner.get_program()).args(inner.get_args()).current_dir(office.world.folder());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("LEDGER_USER", "runs").env("PATH", "/usr/bin:/bin");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Another server, where the switch is off and another transaction has the same number, answers for nothing.
#[test]
fn only_the_server_that_the_plan_is_aimed_at_is_asked_how_a_switch_stands_and_what_became_of_a_row() {
    let month = Month::with(|world, _| let_it_be_turned_on_again(world));
    let other = Server::start_with(&Options::empty().own_identity());
    other.execute(&month.world.read("schema.sql"));
    let mut locker = month.server.connect("postgres", "postgres");
    locker.batch_execute("BEGIN; SELECT * FROM billing.setting FOR UPDATE").unwrap();
    let mut driver = month.command(&["run", PLAN, "--facts", "postgres"]);
    let mut driver = driver.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let count = || -> i64 { month.server.connect("postgres", "postgres").query_one(waits, &[]).unwrap().get(0) };
    while count() == 0 {
        assert!(driver.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    driver.kill().unwrap();
    driver.wait().unwrap();
    locker.batch_execute("UPDATE billing.setting SET value = 'on' WHERE name = 'posting'; COMMIT").unwrap();
    for words in
        [&["guard", PLAN][..], &["run", PLAN, "--resume"], &["run", PLAN, "--void", "--reason", "it was stopped"]]
    {
        let mut command = month.command(&[words, &["--facts", "postgres"]].concat());
        command.env("BILLING_URL", other.conninfo("postgres", "postgres"));
        command.env("BILLING_CLOSER_URL", other.conninfo("closer", "postgres"));
        let ran = Ran::of(&mut command).in_one_line();
        assert!(
            ran.exit != 0 && ran.stderr.contains("and the plan is aimed at"),
            "{words:?}: {} {}",
            ran.exit,
            ran.stderr
        );
        let log = month.cutter("log --format ndjson").stdout;
        let begun = log.lines().filter(|line| line.contains(r#""action":"posting-on""#)).count();
        assert_eq!((begun, log.contains(r#""kind":"voided""#)), (1, false), "{words:?}: {log}");
    }
    assert_eq!(switch(&month), "on");
    end(&month, "elsewhere");
}
