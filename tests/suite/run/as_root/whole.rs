//! A whole run from its first row to its report.

use crate::facts::as_root::billing::{Month, PLAN};
use crate::run::{run, states, switch};

#[test]
fn one_command_does_every_row_in_order_and_the_report_verifies() {
    let month = Month::new();
    let ran = run(&month, "--events events.ndjson --format json");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let done = |name: &str| (name.to_owned(), "done".to_owned());
    assert_eq!(states(&ran), ["preview", "posting-on", "post", "close", "posting-off"].map(done));
    assert_eq!((ran.json()["state"].as_str(), switch(&month).as_str()), (Some("COMPLETED"), "off"));
    // Each event is a line of its own, and the journal has the same.
    let events = month.world.read("events.ndjson");
    assert_eq!(events.lines().filter(|line| line.contains(r#""event":{"ended":"done"}"#)).count(), 5, "{events}");
    month.capture("b.json");
    let report = month.report();
    assert_eq!(report["predicate"]["verdict"], "AUTHORIZED", "{:#}", report["predicate"]["disclosures"]);
    let verified = month.verify("report.json");
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
    // A run id runs once.
    let again = run(&month, "");
    assert_eq!(again.exit, 9, "{}{}", again.stdout, again.stderr);
    assert!(again.stderr.contains("began before"), "{}", again.stderr);
    let resumed = run(&month, "--resume");
    assert_eq!(resumed.exit, 0, "{}{}", resumed.stdout, resumed.stderr);
    let journal = month.cutter("log --format ndjson").stdout;
    assert_eq!(journal.matches(r#""kind":"started""#).count(), 5, "nothing began again: {journal}");
}

#[test]
fn without_an_approval_nothing_of_what_hangs_together_begins() {
    let month = Month::new();
    month.world.remove("approvals/CLOSE.json");
    let before = month.cutter("log --format ndjson").stdout;
    let ran = run(&month, "--format json");
    assert_eq!(ran.exit, 5, "{}{}", ran.stdout, ran.stderr);
    let open = |name: &str| (name.to_owned(), "open".to_owned());
    assert_eq!(states(&ran)[..4], ["preview", "posting-on", "post", "close"].map(open));
    assert_eq!((ran.json()["state"].as_str(), switch(&month).as_str()), (Some("PAUSED"), "off"));
    assert!(ran.stdout.contains("needs CLOSE"), "{}", ran.stdout);
    let journal = month.cutter("log --format ndjson").stdout;
    assert!(!journal[before.len()..].contains("started"), "{journal}");
}

#[test]
fn a_rehearsal_decides_every_row_looks_at_its_work_and_writes_nothing() {
    let month = Month::new();
    let log = month.cutter("log --format ndjson").stdout;
    let ran = run(&month, "--dry-run");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("REHEARSED"), "{}", ran.stdout);
    assert_eq!(month.cutter("log --format ndjson").stdout, log);
}

#[test]
fn a_run_that_stops_after_a_row_leaves_the_switch_off_and_goes_on_with_a_new_approval_of_it() {
    let month = Month::with(|world, _| {
        let config = world.read("cutter.toml").replacen(
            "[effects.posting-on]\n",
            "[effects.posting-on]\nrepeatable = true\n",
            1,
        );
        world.write("cutter.toml", config);
    });
    let ran = run(&month, "--until post --format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["state"], "STOPPED");
    // The approval of the switch is used up: who lets it on again says so again.
    let ran = run(&month, "--resume --format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (5, "off"), "{}{}", ran.stdout, ran.stderr);
    let ran = month.cutter(&format!("approval request {PLAN} --renew --facts postgres"));
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    month.world.edit("approvals/SWITCH-2.json", |document| {
        document["allowance"] = "explicit".into();
        document["reason"] = "it goes on".into();
    });
    let ran = month.cutter("approval sign --yes approvals/SWITCH-2.json --key keys/dan --as dan");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = run(&month, "--resume --format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["state"], "COMPLETED");
    month.capture("b.json");
    let report = month.report();
    assert_eq!(report["predicate"]["verdict"], "AUTHORIZED", "{:#}", report["predicate"]["disclosures"]);
    let verified = month.verify("report.json");
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn what_fails_holds_the_run_and_only_its_word_ends_it() {
    let month = Month::with(|world, _| {
        world.replace("cutter.toml", "UPDATE billing.book SET closed_at = now() WHERE month = '2026-10'", "SELECT 1/0");
    });
    let ran = run(&month, "--format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (10, "off"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["state"], "HOLD");
    assert!(ran.json()["next"].to_string().contains("--void --reason"), "{}", ran.stdout);
    let ran = run(&month, "--resume --format json");
    assert_eq!((ran.exit, ran.json()["state"].clone()), (10, "HOLD".into()), "{}{}", ran.stdout, ran.stderr);
    let ran = month.cutter(&format!("run {PLAN} --void 2026-11 --reason x"));
    assert_eq!(ran.exit, 3, "{}{}", ran.stdout, ran.stderr);
    let words = ["run", PLAN, "--facts", "postgres", "--void", "--reason", "the month is not complete"];
    let ran = month.words(&words);
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
    let ran = run(&month, "--resume");
    assert_eq!(ran.exit, 2, "{}{}", ran.stdout, ran.stderr);
    let ran = month.exec("close");
    assert_ne!(ran.exit, 0, "{}", ran.stdout);
}

#[test]
fn a_switch_that_is_found_on_is_turned_off_and_nothing_begins() {
    let month = Month::new();
    month.server.execute("UPDATE billing.setting SET value = 'on' WHERE name = 'posting'");
    let ran = run(&month, "");
    assert_eq!((ran.exit, switch(&month).as_str()), (9, "off"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("`posting` was found on"), "{}", ran.stderr);
    let ran = run(&month, "");
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_guard_leaves_a_switch_alone_that_a_run_holds_and_turns_one_off_that_nobody_does() {
    let month = Month::with(|world, server| {
        let psql = server.client("psql").get_program().to_str().unwrap().to_owned();
        let slow = format!("argv = [\"{psql}\", \"-X\", \"-c\", \"SELECT pg_sleep(14)\"]");
        let close = world.read("cutter.toml");
        let from = close.find("[effects.close]").unwrap();
        let argv = from + close[from..].find("argv = ").unwrap();
        let end = argv + close[argv..].find('\n').unwrap();
        world.write("cutter.toml", format!("{}{slow}{}", &close[..argv], &close[end..]));
    });
    let guard = || month.cutter(&format!("guard {PLAN} --facts postgres"));
    assert_eq!(guard().exit, 0);
    let words = ["run", PLAN, "--facts", "postgres", "--format", "json"];
    let mut driver =
        month.command(&words).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while switch(&month) != "on" {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let held = guard();
    assert_eq!((held.exit, switch(&month).as_str()), (9, "on"), "{}{}", held.stdout, held.stderr);
    assert!(held.stdout.contains("HELD"), "{}", held.stdout);
    driver.kill().unwrap();
    driver.wait().unwrap();
    let ran = guard();
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("turned off"), "{}", ran.stdout);
}

#[test]
fn a_run_that_is_told_to_stop_ends_what_it_began_and_turns_the_switch_off() {
    let month = Month::with(|world, _| {
        world.replace(
            "cutter.toml",
            "UPDATE billing.book SET closed_at = now() WHERE month = '2026-10'",
            "SELECT pg_sleep(60)",
        );
    });
    let mut driver =
        month.command(&["run", PLAN, "--facts", "postgres"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    let count = || -> i64 { month.server.connect("postgres", "postgres").query_one(busy, &[]).unwrap().get(0) };
    while count() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let pid = driver.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!((driver.wait().unwrap().code(), switch(&month).as_str()), (Some(10), "off"));
}
