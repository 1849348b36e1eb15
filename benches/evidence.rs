//! What evidence costs, as ratios: of a long table to `pg_dump` and `COPY`, of many tables to `pg_dump`, and how long somebody
//! who alters a table waits beside a capture. Figures, not a test.
//! Run with `cargo bench --bench evidence`; `ROWS`, `TABLES` and `WORKERS` may be set.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops where it cannot go on"
)]

#[path = "../tests/suite/support/postgres/mod.rs"]
mod server;

use cutter::db::Access;
use cutter::digest::Digest;
use cutter::observe::{self, Task};
use cutter::progress::Silent;
use cutter::settings::database::DatabaseSettings;
use cutter::settings::evidence::{EvidenceSettings, Level};
use cutter::time::Timestamp;
use server::{Options, Server};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

fn main() {
    let number =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rows, tables, workers) = (number("ROWS", 1_000_000), number("TABLES", 1500), number("WORKERS", 2));
    long_table(rows, workers);
    many_tables(tables, workers);
}

fn long_table(rows: usize, workers: usize) {
    let options = Options::empty().setting("shared_buffers", "1GB").setting("max_wal_size", "4GB");
    let server = Server::start_with(&options.on_disk());
    server.execute(&TABLE.replace("ROWS", &rows.to_string()));
    // All are measured on a warm table.
    server.execute("SELECT count(*) FROM public.long_table");
    let size: i64 = server
        .connect("postgres", "postgres")
        .query_one("SELECT pg_table_size('public.long_table')", &[])
        .unwrap_or_else(|error| panic!("{error}"))
        .get(0);
    let dump = best(|| run(server.client("pg_dump").args(["-a", "-t", "public.long_table", "postgres"])));
    let copy = best(|| {
        run(server.client("psql").args(["-qc", "COPY public.long_table TO STDOUT (FORMAT binary)", "postgres"]));
    });
    println!(
        "{rows} rows, {} MB; pg_dump {:.2} s, COPY in binary {:.2} s",
        size / 1_000_000,
        dump.as_secs_f64(),
        copy.as_secs_f64()
    );
    let settings = |workers| {
        let mut settings = EvidenceSettings { workers, counter_lag_seconds: 0, ..EvidenceSettings::default() };
        settings.relations.insert("public.long_table".to_owned(), Default::default());
        settings.relations.insert("public.another".to_owned(), Default::default());
        settings.database.insert("identity".to_owned());
        settings.catalogs.insert("triggers".to_owned());
        settings
    };
    for (name, workers, strict) in
        [("sums", workers, false), ("sums, one session", 1, false), ("ordered copy", 1, true)]
    {
        let taken = best(|| capture(&server, &settings(workers), strict));
        println!(
            "{name:<20} {:.2} s = {:.2} of pg_dump, {:.2} of COPY; peak memory {} KiB",
            taken.as_secs_f64(),
            taken.as_secs_f64() / dump.as_secs_f64(),
            taken.as_secs_f64() / copy.as_secs_f64(),
            peak_kilobytes()
        );
    }
    for table in ["public.long_table", "public.another"] {
        let waited = std::thread::scope(|scope| {
            let capture = scope.spawn(|| capture(&server, &settings(workers), false));
            let mut client = server.connect("postgres", "postgres");
            let reads = "SELECT count(*) FROM pg_locks WHERE relation = 'public.long_table'::regclass AND pid <> pg_backend_pid()";
            while client.query_one(reads, &[]).is_ok_and(|row| row.get::<_, i64>(0) == 0) && !capture.is_finished() {
                std::thread::sleep(Duration::from_millis(2));
            }
            let started = Instant::now();
            client.batch_execute(&format!("ALTER TABLE {table} ADD COLUMN more int")).unwrap();
            started.elapsed()
        });
        println!("ALTER TABLE {table} while public.long_table is read waits {:.2} s", waited.as_secs_f64());
    }
}

/// Everything is watched: all tables, all catalogs.
fn many_tables(tables: usize, workers: usize) {
    let server = Server::start_with(&Options::empty().setting("max_locks_per_transaction", "512").on_disk());
    for from in (1..=tables).step_by(100) {
        let to = tables.min(from + 99);
        server.execute(&MANY.replace("FIRST", &from.to_string()).replace("LAST", &to.to_string()));
    }
    server.execute("ANALYZE");
    // A configuration file of this second would be waited for.
    std::thread::sleep(Duration::from_millis(1200));
    let mut settings = EvidenceSettings { workers, counter_lag_seconds: 0, ..EvidenceSettings::default() };
    settings.relations.insert("*".to_owned(), Default::default());
    let (mut dump, mut taken) = (Duration::MAX, Duration::MAX);
    // One after the other, so that what else the machine does meets both.
    for _ in 0..5 {
        dump = dump.min(time(&mut || run(server.client("pg_dump").arg("postgres"))));
        taken = taken.min(time(&mut || capture(&server, &settings, false)));
    }
    println!(
        "{tables} tables: pg_dump {:.2} s, capture {:.2} s = {:.2} of pg_dump; peak memory {} KiB",
        dump.as_secs_f64(),
        taken.as_secs_f64(),
        taken.as_secs_f64() / dump.as_secs_f64(),
        peak_kilobytes()
    );
}

fn run(command: &mut Command) {
    assert!(command.stdout(Stdio::null()).status().is_ok_and(|status| status.success()));
}

fn capture(server: &Server, settings: &EvidenceSettings, strict: bool) {
    let database = DatabaseSettings {
        host: Some(server.socket_directory().display().to_string()),
        user: Some("postgres".to_owned()),
        dbname: Some("postgres".to_owned()),
        ..DatabaseSettings::default()
    };
    let access =
        Access::resolve(&database, "[database]", &|_| None).unwrap_or_else(|problem| panic!("{}", problem.message));
    let now = || Ok(Timestamp::from_system(SystemTime::now()).unwrap());
    let task = Task {
        settings,
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
    (0..3).map(|_| time(&mut work)).min().unwrap_or_default()
}

fn time(work: &mut dyn FnMut()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
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
CREATE TABLE public.another (id int); INSERT INTO public.another VALUES (1);
ANALYZE public.long_table";

const MANY: &str = "
DO $$ BEGIN FOR i IN FIRST .. LAST LOOP
    EXECUTE format('CREATE TABLE public.t%s (id bigserial PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now(), amount numeric)', i);
    EXECUTE format('INSERT INTO public.t%s (name, amount) SELECT md5(i::text), i / 7.0 FROM generate_series(1, 10) AS i', i);
    EXECUTE format('CREATE INDEX ON public.t%s (name)', i);
END LOOP; END $$";
