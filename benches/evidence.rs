//! What content evidence of a long table costs, as a ratio to `pg_dump` of that table. Figures, not a test.
//! Run with `cargo bench --bench evidence`; `ROWS` and `WORKERS` may be set.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops where it cannot go on"
)]

#[path = "../tests/suite/support/postgres/mod.rs"]
mod server;

use cutter::db::{Access, DatabaseSettings};
use cutter::digest::Digest;
use cutter::observe::{self, Task};
use cutter::progress::Silent;
use cutter::settings::evidence::{EvidenceSettings, Level};
use cutter::time::Timestamp;
use server::{Options, Server};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

fn main() {
    let number =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rows, workers) = (number("ROWS", 1_000_000), number("WORKERS", 2));
    let options = Options::empty().setting("shared_buffers", "1GB").setting("max_wal_size", "4GB");
    let server = Server::start_with(&options.on_disk());
    server.execute(&TABLE.replace("ROWS", &rows.to_string()));
    // Both are measured on a warm table.
    server.execute("SELECT count(*) FROM public.long_table");
    let size: i64 = server
        .connect("postgres", "postgres")
        .query_one("SELECT pg_table_size('public.long_table')", &[])
        .unwrap_or_else(|error| panic!("{error}"))
        .get(0);
    let dump = best(|| {
        let mut command = server.client("pg_dump");
        command.args(["-a", "-t", "public.long_table", "postgres"]).stdout(Stdio::null());
        assert!(command.status().is_ok_and(|status| status.success()));
    });
    println!("{rows} rows, {} MB, {workers} workers; pg_dump {:.2} s", size / 1_000_000, dump.as_secs_f64());
    for (name, workers, strict) in
        [("sums", workers, false), ("sums, one session", 1, false), ("ordered copy", 1, true)]
    {
        let before = peak_kilobytes();
        let taken = best(|| capture(&server, workers, strict));
        println!(
            "{name:<20} {:.2} s = {:.2} of pg_dump; peak memory {} KiB before, {} KiB after",
            taken.as_secs_f64(),
            taken.as_secs_f64() / dump.as_secs_f64(),
            before,
            peak_kilobytes()
        );
    }
}

fn capture(server: &Server, workers: usize, strict: bool) {
    let database = DatabaseSettings {
        host: Some(server.socket_directory().display().to_string()),
        user: Some("postgres".to_owned()),
        dbname: Some("postgres".to_owned()),
        ..DatabaseSettings::default()
    };
    let access = Access::resolve(&database, &|_| None).unwrap_or_else(|problem| panic!("{}", problem.message));
    let mut settings = EvidenceSettings { workers, counter_lag_seconds: 0, ..EvidenceSettings::default() };
    settings.relations.insert("public.long_table".to_owned(), Default::default());
    settings.database.insert("identity".to_owned());
    settings.catalogs.insert("triggers".to_owned());
    let now = || Ok(Timestamp::from_system(SystemTime::now()).unwrap());
    let task = Task {
        settings: &settings,
        access: &access,
        config: Digest::of(b""),
        level: Level::Net,
        strict,
        settle: std::time::Duration::ZERO,
        now: &now,
        observer: &Silent,
    };
    let capture = observe::capture(&task).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(capture.level.reached, Some(Level::Net), "{capture:?}");
}

fn best(mut work: impl FnMut()) -> Duration {
    let time = |work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    (0..3).map(|_| time(&mut work)).min().unwrap_or_default()
}

fn peak_kilobytes() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).unwrap_or("?").to_owned()
}

const TABLE: &str = "
CREATE TABLE public.long_table (id bigint PRIMARY KEY, unit uuid NOT NULL, body text NOT NULL, profile jsonb NOT NULL,
    share numeric NOT NULL, at timestamptz NOT NULL, open boolean NOT NULL);
INSERT INTO public.long_table
SELECT i, md5(i::text)::uuid, repeat(md5(i::text), 9), jsonb_build_object('ordinal', i, 'digest', md5((i * 3)::text)), i / 7.0,
       '2026-01-01'::timestamptz + i * interval '1 second', i % 2 = 0
FROM generate_series(1, ROWS) AS i;
ANALYZE public.long_table";
