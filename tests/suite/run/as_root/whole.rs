//! A whole run from its first row to its report.

use super::ends::{check, renew_switch, starts};
use crate::facts::as_root::billing::{Month, PLAN};
use crate::run::{change_program, let_it_be_turned_on_again, let_it_take_its_time, run, states, switch};
use crate::support::waiting::wait_until;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

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
    let snapshot = || -> String {
        let sql = "SELECT pg_current_snapshot()::text";
        month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0)
    };
    let seen = snapshot();
    let ran = run(&month, "--format json");
    assert_eq!(snapshot(), seen, "no transaction wrote anything");
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
    let month = Month::with(|world, _| let_it_be_turned_on_again(world));
    let ran = run(&month, "--until post --format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["state"], "STOPPED");
    // The approval of the switch is used up: who lets it on again says so again.
    let ran = run(&month, "--resume --format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (5, "off"), "{}{}", ran.stdout, ran.stderr);
    assert!(renew_switch(&month));
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
fn a_run_on_hold_proposes_what_could_make_good_what_it_did_and_runs_none_of_it() {
    let proposed = |sql: &str| {
        let compensation = format!("[effects.post]\ncompensation = {{ \"reverse.sql\" = \"{sql}\" }}\n");
        move |world: &crate::support::world::World| {
            world.replace(
                "cutter.toml",
                "UPDATE billing.book SET closed_at = now() WHERE month = '2026-10'",
                "SELECT 1/0",
            );
            world.replace("cutter.toml", "[effects.post]\n", &compensation);
        }
    };
    let month = Month::with(|world, _| {
        let sql = "INSERT INTO billing.entry SELECT month, -amount FROM billing.staged WHERE batch = {batch}; -- {run}, {run.facts.posting_on}";
        proposed(sql)(world);
    });
    let ran = run(&month, "--format json --compensation held");
    assert_eq!((ran.exit, switch(&month).as_str()), (10, "off"), "{}{}", ran.stdout, ran.stderr);
    let file = "held/close-2026-10/01-post-reverse.sql";
    assert_eq!(ran.json()["proposals"], serde_json::json!([file]), "{}", ran.stdout);
    assert_eq!(
        month.world.read(file),
        "INSERT INTO billing.entry SELECT month, -amount FROM billing.staged WHERE batch = '2026-10-b'; -- 'close-2026-10', true"
    );
    let count = "SELECT count(*) FROM billing.entry WHERE batch = '2026-10-b'";
    let posted: i64 = month.server.connect("postgres", "postgres").query_one(count, &[]).unwrap().get(0);
    assert_eq!(posted, 2);
    let shown = run(&month, "--resume --compensation held");
    assert!(shown.exit == 10 && shown.stdout.contains(file) && shown.stdout.contains("--void"), "{}", shown.stdout);
    // What takes rows away is no proposal.
    let world = crate::support::world::World::example("billing");
    proposed("DELETE FROM billing.entry")(&world);
    let ran = world.cutter(&format!("authorize {PLAN}"));
    assert!(ran.exit == 3 && ran.stderr.contains("proposes `DELETE`"), "{}{}", ran.exit, ran.stderr);
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
fn a_switch_that_a_trigger_sets_again_at_the_commit_is_never_said_to_be_off() {
    let again = "UPDATE billing.setting SET value = 'on' WHERE name = 'posting' AND value = 'off'";
    let put_off = format!(
        "CREATE FUNCTION public.again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN {again}; RETURN NULL; END$$;
         CREATE CONSTRAINT TRIGGER again AFTER UPDATE ON billing.setting DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW WHEN (NEW.value = 'off') EXECUTE FUNCTION public.again()"
    );
    // One that puts it off once more, when it is asked to come now.
    let put_off_again = format!(
        "CREATE TABLE public.later (i int);
         CREATE FUNCTION public.at_last() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN {again}; RETURN NULL; END$$;
         CREATE CONSTRAINT TRIGGER at_last AFTER INSERT ON public.later DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION public.at_last();
         CREATE FUNCTION public.later() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
           $$BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO public.later VALUES (1); RETURN NULL; END$$;
         CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON billing.setting DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW WHEN (NEW.value = 'off') EXECUTE FUNCTION public.later()"
    );
    for trigger in [put_off, put_off_again] {
        let month = Month::new();
        month.server.execute("UPDATE billing.setting SET value = 'on' WHERE name = 'posting'");
        month.server.execute(&trigger);
        for command in [format!("guard {PLAN}"), format!("exec {PLAN} posting-off"), format!("run {PLAN}")] {
            let ran = month.cutter(&format!("{command} --facts postgres"));
            let said = format!("{command}: {} {}{}", ran.exit, ran.stdout, ran.stderr);
            assert_eq!(switch(&month), "on", "{said}");
            assert!([1, 10].contains(&ran.exit) && !ran.stdout.contains("is turned off"), "{said}");
        }
    }
}

#[test]
fn a_rejection_that_a_run_has_seen_stays_though_its_file_is_taken_away() {
    let month = Month::new();
    month.world.keygen_sign("dan", "cutter-reject", "approvals/SWITCH.json");
    month.world.write("approvals/SWITCH.json.no.sig", month.world.read("approvals/SWITCH.json.sig"));
    month.world.remove("approvals/SWITCH.json.sig");
    let ran = run(&month, "");
    assert_eq!(ran.exit, 5, "{}{}", ran.stdout, ran.stderr);
    month.world.remove("approvals/SWITCH.json.no.sig");
    let ran = run(&month, "");
    assert_eq!((ran.exit, switch(&month).as_str()), (5, "off"), "{}{}", ran.stdout, ran.stderr);
    let listed = month.cutter(&format!("approval verify {PLAN} --facts postgres")).stdout;
    assert!(listed.contains("vetoed"), "{listed}");
}

#[test]
fn the_report_of_a_run_that_was_voided_says_so_first_of_all() {
    let month = Month::new();
    assert_eq!(run(&month, "--until post").exit, 0);
    let words = ["run", PLAN, "--facts", "postgres", "--void", "--reason", "the batch was wrong"];
    assert_eq!(month.words(&words).exit, 0);
    month.capture("b.json");
    let from = "--baseline a.json --final b.json --facts postgres";
    for format in ["table", "markdown"] {
        let ran = month.cutter(&format!("attest {PLAN} {from} --format {format}"));
        let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("VOIDED") && words.contains("the batch was wrong; never done: close"), "{}", ran.stdout);
    }
}

/// Whoever wrote the configuration would be sent the passwords of whoever calls.
#[test]
fn a_server_that_only_an_unvouched_configuration_names_is_sent_nothing() {
    let month = Month::new();
    let place = month.world.path("listens");
    std::fs::create_dir(&place).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(place.join(".s.PGSQL.5432")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let place = place.display();
    let ledger = format!(
        "[ledger]\nserver_user = \"root\"\n[ledger.database]\nhost = \"{place}\"\nuser = \"u\"\ndbname = \"d\"\npassword_env = \"BILLING_URL\"\n"
    );
    month.world.write("cutter.toml", month.world.read("cutter.toml") + &ledger);
    let rows = [("explain", " post"), ("exec", " post")];
    let others = ["authorize", "approval verify", "package", "run", "guard"].map(|command| (command, ""));
    for (command, row) in rows.into_iter().chain(others) {
        let ran = month.cutter(&format!("{command} {PLAN}{row}"));
        assert_eq!(ran.exit, 8, "{command}: {}{}", ran.stdout, ran.stderr);
        assert!(listener.accept().is_err(), "{command}");
    }
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_is_not_waited_for() {
    let month = Month::new();
    let place = month.world.path("stuck");
    std::fs::create_dir(&place).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(place.join(".s.PGSQL.5432")).unwrap();
    let url = format!("host='{}' user=u dbname=postgres", place.display());
    let mut command = month.command(&["authorize", PLAN, "--facts", "postgres"]);
    let ran = command.env("BILLING_URL", url).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.code() == Some(1) && said.contains("it took the connection and does not answer"), "{said}");
}

#[test]
fn a_run_goes_on_under_the_plan_that_it_began_with_and_under_no_other() {
    let month = Month::with(|world, _| let_it_be_turned_on_again(world));
    assert_eq!(run(&month, "--until preview").exit, 0);
    month.world.write(PLAN, month.world.read(PLAN) + "\n");
    month.world.sign_plan(PLAN, "closer");
    let ran = run(&month, "--resume");
    assert_eq!(ran.exit, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("the run began under another plan") && ran.stderr.contains("--void"), "{}", ran.stderr);
}

/// What a row means is said by the plan that it began under: by another one, a program that was cut off would be nothing but a pause.
#[test]
fn a_run_is_ended_by_the_plan_that_it_began_with_and_by_no_other() {
    let month = Month::with(|world, server| {
        let psql = server.client("psql").get_program().to_str().unwrap().to_owned();
        change_program(world, "preview", |_| {
            [psql.as_str(), "-X", "-c", "SELECT pg_sleep(60)"].map(str::to_owned).into()
        });
        let pause = "[effects.rest]\naction = 'Billing::Action::\"preview\"'\nresource = 'Billing::Book::\"2026-10\"'\n\
                     does = \"waits\"\nbuiltin = \"pause\"\n[effects.preview]";
        world.replace("cutter.toml", "[effects.preview]", pause);
    });
    let words = ["run", PLAN, "--facts", "postgres"];
    let mut driver = month.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = || month.cutter("log --format ndjson").stdout.contains(r#""kind":"started""#);
    while !started() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    driver.kill().unwrap();
    driver.wait().unwrap();
    let first = month.world.read(PLAN);
    month.world.replace(PLAN, r#""effect": "preview""#, r#""effect": "rest""#);
    month.world.sign_plan(PLAN, "closer");
    let void = || month.words(&["run", PLAN, "--facts", "postgres", "--void", "--reason", "it was cut off"]);
    let ran = void();
    assert!(ran.exit == 2 && ran.stderr.contains("began under another plan"), "{}{}", ran.stdout, ran.stderr);
    let log = || month.cutter("log --format ndjson").stdout;
    assert!(!log().contains(r#""kind":"finished""#) && !log().contains(r#""kind":"voided""#), "{}", log());
    month.world.write(PLAN, first);
    month.world.sign_plan(PLAN, "closer");
    let ran = void();
    assert!(log().contains(r#""kind":"voided""#), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_guard_leaves_a_switch_alone_that_a_run_holds_and_turns_one_off_that_nobody_does() {
    let month = Month::with(|world, server| {
        let psql = server.client("psql").get_program().to_str().unwrap().to_owned();
        let slow = [psql.as_str(), "-X", "-c", "SELECT pg_sleep(60)"].map(str::to_owned);
        change_program(world, "close", |_| slow.into());
    });
    let guard = || month.cutter(&format!("guard {PLAN} --facts postgres"));
    assert_eq!(guard().exit, 0);
    let words = ["run", PLAN, "--facts", "postgres", "--format", "json"];
    let mut driver = month.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the run turned the switch on", || {
        assert!(driver.try_wait().unwrap().is_none(), "the run ended");
        switch(&month) == "on"
    });
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
fn a_guard_keeps_to_the_plan_that_was_signed_whatever_takes_its_place() {
    let month = Month::new();
    let mut guard = month.command(&["guard", PLAN, "--facts", "postgres", "--every", "1"]);
    let mut guard = guard.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(guard.stderr.take().unwrap()).lines().map(Result::unwrap);
    let turn_on = || {
        let sql = "UPDATE billing.setting SET value = 'on' WHERE name = 'posting'";
        month.server.connect("postgres", "postgres").execute(sql, &[]).unwrap();
    };
    // It is at work once it turned off what nobody holds.
    turn_on();
    let mut says = |what: &str| assert!(said.by_ref().take(60).any(|line| line.contains(what)), "{what}");
    says("turned off");
    month.world.edit(PLAN, |plan| plan["actions"].as_array_mut().unwrap().truncate(1));
    says("the plan was changed: the one before is guarded");
    // Nor does one take its place that its author signed: that is another run's.
    month.world.sign_plan(PLAN, "closer");
    turn_on();
    says("turned off");
    assert_eq!(switch(&month), "off");
    assert!(Command::new("kill").arg(guard.id().to_string()).status().unwrap().success());
    // What it still says would fill the pipe.
    said.for_each(drop);
    assert!(guard.wait().unwrap().success());
}

#[test]
fn a_run_that_is_told_to_stop_ends_what_it_began_and_turns_the_switch_off() {
    for signal in ["TERM", "QUIT", "ALRM", "USR1", "XCPU", "TSTP"] {
        let month = Month::with(|world, _| {
            let_it_take_its_time(world);
            world.replace(
                "cutter.toml",
                "UPDATE billing.book SET closed_at = now() WHERE month = '2026-10'",
                "SELECT pg_sleep(60)",
            );
        });
        let mut driver = month.command(&["run", PLAN, "--facts", "postgres"]).stdout(Stdio::null()).spawn().unwrap();
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
        let count = || -> i64 { month.server.connect("postgres", "postgres").query_one(busy, &[]).unwrap().get(0) };
        wait_until("the row sleeps", || {
            assert!(driver.try_wait().unwrap().is_none(), "the run ended");
            count() > 0
        });
        let arguments = [format!("-{signal}"), driver.id().to_string()];
        assert!(Command::new("kill").args(&arguments).status().unwrap().success());
        assert_eq!((driver.wait().unwrap().code(), switch(&month).as_str()), (Some(10), "off"), "{signal}");
    }
}

/// What it is decided by can be read only after more time than may pass between decision and start.
#[test]
fn a_decision_that_took_too_long_is_taken_again_and_uses_nothing_up_twice() {
    let month = Month::with(|world, server| {
        world.write("cutter.toml", format!("[ledger]\nstart_within_seconds = 4\n{}", world.read("cutter.toml")));
        world.replace("cutter.toml", "[database]\n", "[database]\nlock_timeout_seconds = 30\n");
        let psql = server.client("psql").get_program().to_str().unwrap().to_owned();
        let shell = std::fs::canonicalize("/bin/sh").unwrap().to_str().unwrap().to_owned();
        let locks = "-c BEGIN -c 'LOCK TABLE billing.book' -c 'SELECT pg_sleep(6)'";
        let script = format!("(setsid {psql} -Xq {locks} >/dev/null 2>&1 &) && sleep 1");
        change_program(world, "preview", |_| vec![shell, "-c".to_owned(), script]);
    });
    let ran = run(&month, "--format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
    check(&month, "decided again");
    assert_eq!(starts(&month).len(), 5);
}
