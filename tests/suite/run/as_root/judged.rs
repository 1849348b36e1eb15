//! A function is called by a run alone, and only while what the row was judged by is so: before the call, and again when it is over.

use super::ends::starts;
use crate::facts::as_root::billing::{Month, PLAN};
use crate::facts::as_root::produced::post_by_function;
use crate::ledger::scene::user_of;
use crate::run::{let_it_take_its_time, run, switch};
use crate::support::postgres::Server;
use crate::support::ran::Ran;
use crate::support::world::World;
use cutter::ledger::{LedgerId, PostgresLedger};
use std::fs::File;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What somebody else does while the function is at work, and what becomes of the call.
struct Case {
    beside: &'static str,
    /// The code of the row, and what is said of it; nothing where the run completes.
    refused: Option<(&'static str, &'static str)>,
}

const CASES: [Case; 4] = [
    Case {
        beside: "UPDATE billing.setting SET value = 'off' WHERE name = 'posting'",
        refused: Some(("facts-changed", "`run.facts.posting_on` was true when it was judged, and is false now")),
    },
    Case {
        beside: "UPDATE billing.book SET closed_at = now()",
        refused: Some((
            "facts-changed",
            "`Billing::Book::\"2026-10\".closed` was false when it was judged, and is true now",
        )),
    },
    // It is not there any more, so that nothing can be judged by it.
    Case {
        beside: "ALTER TABLE billing.setting RENAME TO settings",
        refused: Some(("facts-changed", "cannot be read again")),
    },
    // The row is not judged by other months, and they make no difference.
    Case { beside: "INSERT INTO billing.book VALUES ('2026-11')", refused: None },
];

#[test]
fn what_is_changed_beside_a_call_that_was_judged_by_it_takes_the_call_back() {
    let sleeps = "SELECT pg_sleep(3);";
    for Case { beside, refused } in CASES {
        let month = Month::with(|world, server| {
            let_it_take_its_time(world);
            post_by_function("rows", sleeps, (world, server));
        });
        let driver = spawn(&month, &["run", PLAN, "--facts", "postgres", "--format", "json"]);
        wait(|| count(&month, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 1);
        month.server.execute(beside);
        let ran: Ran = driver.wait_with_output().unwrap().into();
        if beside.contains("RENAME") {
            month.server.execute("ALTER TABLE billing.settings RENAME TO setting");
            let guarded = month.cutter(&format!("guard {PLAN} --facts postgres"));
            assert_eq!(guarded.exit, 0, "{}{}", guarded.stdout, guarded.stderr);
        }
        let row = ran.json()["rows"][2].clone();
        let posted = count(&month, POSTED);
        let is = (ran.exit, posted, switch(&month));
        let exit = if refused.is_some() { 10 } else { 0 };
        assert_eq!(
            is,
            (exit, if refused.is_some() { 0 } else { 2 }, "off".to_owned()),
            "{beside}: {}{}",
            ran.stdout,
            ran.stderr
        );
        if let Some((code, says)) = refused {
            assert_eq!(row["code"], code, "{beside}: {row:#}");
            assert!(row["what"].as_str().unwrap().contains(says), "{beside}: {row:#}");
        }
    }
}

#[test]
fn what_is_changed_between_the_decision_and_the_call_is_seen_before_the_call() {
    let month = Month::with(|world, server| {
        let_it_take_its_time(world);
        post_by_function("rows", "", (world, server));
    });
    for row in ["preview", "posting-on"] {
        assert_eq!(month.exec(row).exit, 0, "{row}");
    }
    // The start has to wait for somebody who reads the journal; by then it is decided.
    let records = File::open(month.world.path(".cutter/records.ndjson")).unwrap();
    records.lock_shared().unwrap();
    let driver = spawn(&month, &["exec", PLAN, "post", "--facts", "postgres"]);
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'poster' AND state = 'idle in transaction'
                   AND query LIKE '%pg_current_xact_id%'";
    wait(|| count(&month, at_work) == 1);
    month.server.execute("UPDATE billing.setting SET value = 'off' WHERE name = 'posting'");
    records.unlock().unwrap();
    let ran: Ran = driver.wait_with_output().unwrap().into();
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        ran.exit == 10 && said.contains("`run.facts.posting_on` was true when it was judged"),
        "{said}{}",
        ran.stderr
    );
    assert_eq!(count(&month, POSTED), 0);
    assert_eq!(starts(&month).len(), 3);
}

/// What the effect itself holds locked cannot be looked at beside it.
#[test]
fn a_call_that_locks_away_what_it_was_judged_by_does_not_last() {
    let month = Month::with(|world, server| {
        post_by_function("rows", "LOCK TABLE billing.book IN ACCESS EXCLUSIVE MODE;", (world, server));
        server.execute("GRANT ALL ON billing.book TO poster");
    });
    let ran = run(&month, "--format json");
    assert_eq!(
        (ran.exit, count(&month, POSTED), switch(&month).as_str()),
        (10, 0, "off"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let row = ran.json()["rows"][2].clone();
    assert_eq!(row["code"], "facts-changed", "{row:#}");
}

/// The ledger lies in the database of the function, and the database has the function refuse whoever is no run.
fn enforced(flags: &str) -> Month {
    Month::with(|world, server| {
        let_it_take_its_time(world);
        post_by_function("rows", "", (world, server));
        server.execute("CREATE ROLE owner LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE ON DATABASE postgres TO owner");
        let made = PostgresLedger::statements(&LedgerId::from_random(7), Some("runs"));
        server.connect("owner", "postgres").batch_execute(&made).unwrap();
        let (host, user) = (server.socket_directory().display(), user_of(server));
        let ledger = format!(
            "[ledger.database]\nhost = \"{host}\"\nuser = \"runs\"\ndbname = \"postgres\"\n\n\
             [ledger]\nrole = \"runs\"\nserver_user = \"{user}\"\n"
        );
        world.replace("cutter.toml", "[ledger]\n", &ledger);
        guard(world, server, flags);
    })
}

/// Applies what is printed, and pins the function as it is then.
fn guard(world: &World, server: &Server, flags: &str) {
    let database = server.conninfo("postgres", "postgres");
    let printed = world.cutter_with(&format!("enforce sql --format json {flags}"), &[("BILLING_URL", &database)]);
    assert_eq!(printed.exit, 0, "{}{}", printed.stdout, printed.stderr);
    let printed = printed.json();
    server.execute(printed["guard"]["sql"].as_str().unwrap());
    let pins = ["without_sha256", "with_sha256"].map(|name| printed["functions"][0][name].as_str().unwrap().to_owned());
    world.replace("cutter.toml", &pins[0], &pins[1]);
}

fn by_hand(month: &Month) -> String {
    let called = month.server.connect("poster", "postgres").batch_execute("SELECT billing.post('2026-10-b')");
    called.map_or_else(|error| error.as_db_error().unwrap().message().to_owned(), |()| "called".to_owned())
}

#[test]
fn a_function_that_the_database_guards_is_called_by_a_run_and_by_nobody_before_or_after_it() {
    let month = enforced("");
    assert_eq!(by_hand(&month), REFUSED);
    let ran = run(&month, "--format json");
    assert_eq!(
        (ran.exit, count(&month, POSTED), switch(&month).as_str()),
        (0, 2, "off"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(by_hand(&month), REFUSED);
    assert_eq!(count(&month, POSTED), 2);
}

#[test]
fn a_guarded_function_takes_a_switch_for_off_that_its_run_turned_on_too_long_ago() {
    let month = enforced("--switch-seconds 1");
    for row in ["preview", "posting-on"] {
        assert_eq!(month.exec(row).exit, 0, "{row}");
    }
    sleep(Duration::from_millis(1_100));
    let ran = month.exec("post");
    assert!(ran.exit == 10 && ran.stdout.contains("more than 1 seconds ago"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!((count(&month, POSTED), month.exec("posting-off").exit, switch(&month).as_str()), (0, 0, "off"));
}

fn spawn(month: &Month, words: &[&str]) -> Child {
    month.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait(until: impl Fn() -> bool) {
    let began = Instant::now();
    while !until() {
        assert!(began.elapsed() < Duration::from_secs(120), "it did not come so far");
        sleep(Duration::from_millis(30));
    }
}

fn count(month: &Month, sql: &str) -> i64 {
    month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0)
}

const POSTED: &str = "SELECT count(*) FROM billing.entry WHERE batch = '2026-10-b'";

const REFUSED: &str = "billing.post(text) is called by nobody but a run that the ledger lets begin";

/// What is asked once more beside the effect takes longer than may pass between decision and start.
#[test]
fn what_was_held_up_beside_its_effect_does_not_last() {
    let month = Month::with(|world, server| {
        let asked = "$target->>'database' AS \"facts.expected_database\"\n";
        let is_beside = "SELECT FROM pg_stat_activity WHERE usename = 'poster' AND state = 'idle in transaction'";
        let slow = format!("{asked}FROM pg_sleep(CASE WHEN EXISTS ({is_beside}) THEN 7 ELSE 0 END)\n");
        world.replace("cutter.toml", asked, &slow);
        post_by_function("rows", "", (world, server));
    });
    for row in ["preview", "posting-on"] {
        assert_eq!(month.exec(row).exit, 0, "{row}");
    }
    let ran = month.exec("post");
    assert_eq!((ran.exit, count(&month, POSTED)), (10, 0), "{}{}", ran.stdout, ran.stderr);
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("ms passed since it was decided; its approvals stay used"), "{said}");
}
