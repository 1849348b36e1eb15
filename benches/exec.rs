//! What `cutter exec` costs beyond its command, with the ledger in a folder and in PostgreSQL, after few and after many records.
//! Figures, not a test. Run as root with `cargo bench --bench exec`; `RECORDS` may be set.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "a benchmark prints, stops where it cannot go on, and takes what it needs of the tests"
)]

#[path = "../tests/suite/support/mod.rs"]
mod support;

#[path = "../tests/suite/ledger"]
mod ledger {
    pub mod scene;
}

#[path = "../tests/suite/approvals"]
mod approvals {
    pub mod office;

    pub mod as_root {
        pub mod exec;
        pub mod moment;
    }
}

use approvals::as_root::exec::{free_row, office};
use approvals::as_root::moment::in_postgres;
use approvals::office::Office;
use ledger::scene::rewrite;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::world::shell;

fn main() {
    // A trust root is made only where the name of the thread says that it needs root.
    std::thread::Builder::new().name("as_root::bench".to_owned()).spawn(figures).unwrap().join().unwrap();
}

fn figures() {
    let records = std::env::var("RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let rows: Vec<String> = (0..4 * ROWS).map(|number| free_row(&format!("row-{number}"), "")).collect();
    let (server, in_postgres) = in_postgres(&rows.join(","));
    let in_folder = office(&rows.join(","));
    // Without optimisation it may take longer than a start may by default.
    let patient = "start_within_seconds = 60";
    in_folder.world.replace("cutter.toml", "\n[effects", &format!("[ledger]\n{patient}\n\n[effects"));
    in_postgres.world.replace("cutter.toml", "[ledger]", &format!("[ledger]\n{patient}"));
    in_folder.trust();
    in_postgres.trust();
    let command = median((0..3 * ROWS).map(|_| {
        let mut command = Command::new(shell());
        command.args(["-c", "echo row >> /dev/null"]).stdout(Stdio::null());
        let began = Instant::now();
        assert!(command.status().unwrap().success());
        began.elapsed()
    }));
    println!("the command itself, `sh -c echo`: {}", milliseconds(command));
    let (few_in_folder, few_in_postgres) = (exec(&in_folder, 0), exec(&in_postgres, 0));
    fill_folder(&in_folder, records);
    server.execute(&FILL.replace("RECORDS", &records.to_string()));
    let (many_in_folder, many_in_postgres) = (exec(&in_folder, ROWS), exec(&in_postgres, ROWS));
    for (store, few, many) in
        [("a folder", few_in_folder, many_in_folder), ("PostgreSQL", few_in_postgres, many_in_postgres)]
    {
        println!(
            "ledger in {store}: exec beyond its command {}; after {records} records {}, {:.2} times as long",
            milliseconds(few - command),
            milliseconds(many - command),
            (many - command).as_secs_f64() / (few - command).as_secs_f64(),
        );
    }
}

/// The median of as many `exec`, each of a row of its own.
fn exec(office: &Office, from: usize) -> Duration {
    let trust = office.world.trust_path().display().to_string();
    median((from..from + ROWS).map(|number| {
        let row = format!("row-{number}");
        let mut command = office.world.command(&["exec", "--trust", &trust, "plan.json", &row]);
        command.env("LEDGER_USER", "runs").stdout(Stdio::null());
        let began = Instant::now();
        assert!(command.status().unwrap().success());
        began.elapsed()
    }))
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Adds records of another run, chained as the ledger itself does it.
fn fill_folder(office: &Office, records: u64) {
    rewrite(&office.world.path(".cutter"), |text| {
        let last = text.lines().last().unwrap();
        let at = last.find(",\"sequence\":").unwrap() + 12;
        let end = at + last[at..].find(',').unwrap();
        let first: u64 = last[at..end].parse().unwrap();
        let other = last[end..].replace("\"run\":\"ictr", "\"run\":\"other");
        let more = (1..=records).map(|number| format!("{}{}{other}\n", &last[..at], first + number));
        text.to_owned() + &more.collect::<String>()
    });
}

/// In short transactions: within one, each version of the chain's end would be looked at again for every record.
const FILL: &str = "DO $$ BEGIN
    FOR number IN 1..RECORDS LOOP
        PERFORM cutter_ledger.write(jsonb_build_object('kind', 'refused', 'run', 'other',
            'plan_sha256', repeat('0', 64), 'action', 'cut', 'principal', 'p', 'reason', repeat('x', 300)));
        IF number % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$";

const ROWS: usize = 7;
