//! The same run started at once from two network namespaces, as from two containers of one host: they share the ledger's server and nothing
//! else that could tell them of each other.

use crate::approvals::as_root::exec::{free_row, ran};
use crate::approvals::as_root::moment::in_postgres;
use crate::approvals::office::Office;
use std::process::{Child, Command, Stdio};

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
