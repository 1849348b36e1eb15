//! Runs beside an observer of another user: signed captures and a witness without any further argument, what is done held against what
//! is declared, and an observer that is gone, another's, or pestered.

use super::ends::{check, end};
use crate::facts::as_root::billing::{Month, PLAN};
use crate::run::observer::{self, DAEMON, Observer};
use crate::run::{let_it_take_its_time, run, states, switch};
use crate::support::ran::Ran;
use crate::support::scrubbed::scrubbed;
use crate::support::waiting::wait_until;
use crate::support::world::{NOBODY, World, mode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// A month whose configuration names an observer, which has not begun.
struct Watched {
    month: Month,
    observer: Observer,
}

impl Watched {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&World)) -> Self {
        let month = Month::with(|world, server| {
            world.append("cutter.toml", &observer::lay(world, server.socket_directory()));
            let_it_take_its_time(world);
            change(world);
        });
        Self { month, observer: Observer::default() }
    }

    fn socket(&self) -> PathBuf {
        observer::socket(&self.month.world)
    }

    fn observe(&mut self) {
        let database = self.month.server.conninfo("postgres", "postgres");
        self.observer.start(&self.month.world, &[("BILLING_URL", &database)]);
    }

    fn said(&self) -> String {
        observer::said(&self.month.world)
    }

    fn kept(&self) -> Vec<String> {
        observer::kept(&self.month.world, "close-2026-10")
    }

    fn started(&self) -> usize {
        self.month.cutter("log --format ndjson").stdout.matches(r#""kind":"started""#).count()
    }

    /// What the observer answers to this, whatever it is.
    fn ask(&self, what: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let _ = stream.write_all(what);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// What it answers to a request that is of the run.
    fn ask_in_time(&self, phase: &str, records: u64) -> String {
        let plan = cutter::digest::Digest::of(self.month.world.read(PLAN).as_bytes());
        let asked = format!(
            r#"{{"version":1,"run":"close-2026-10","plan_sha256":"{plan}","phase":"{phase}","records":{records}}}"#
        );
        self.ask(format!("{asked}\n").as_bytes())
    }

    /// Comes back when a statement with this text is at work.
    fn wait_for(&self, text: &str) {
        let busy = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{text}%' AND pid <> pg_backend_pid()"
        );
        let count =
            || -> i64 { self.month.server.connect("postgres", "postgres").query_one(&busy, &[]).unwrap().get(0) };
        wait_until(text, || count() > 0);
    }

    /// The report, with no argument that says where evidence lies.
    fn attest(&self, more: &str) -> Ran {
        self.month.cutter(&format!("attest {PLAN} --facts postgres --format json {more}"))
    }
}

#[test]
fn a_run_is_observed_by_another_user_and_its_report_needs_no_argument() {
    let mut watched = Watched::new();
    watched.observe();
    let ran = run(&watched.month, "--format json");
    assert_eq!(
        (ran.exit, switch(&watched.month).as_str()),
        (0, "off"),
        "{}{}{}",
        ran.stdout,
        ran.stderr,
        watched.said()
    );
    println!("captures took {:?} ms", observer::took(&watched.month.world, "close-2026-10"));
    // One before, one after each of the four rows that declare a change, of which the last is the end; all signed.
    let kept = watched.kept();
    let captures: Vec<&String> = kept.iter().filter(|name| name.ends_with(".json") && *name != "begun.json").collect();
    assert_eq!(captures.len(), 5, "{kept:?}");
    assert!(captures.iter().all(|name| kept.contains(&format!("{name}.sig"))), "{kept:?}");
    assert!(kept.contains(&"witness.ndjson.sig".to_owned()), "{kept:?}");
    let report = watched.attest("--attest report.json --key keys/attester");
    let statement = report.json();
    let told = json!([statement["predicate"]["contradictions"], statement["predicate"]["disclosures"]]);
    assert_eq!(report.exit, 0, "{told:#}{}", report.stderr);
    assert_eq!(statement["predicate"]["window"]["basis"], "measured");
    assert_eq!(statement["predicate"]["grounds"]["witness"]["vouched"]["signer"], "observer");
    let verified = watched.month.verify("report.json");
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
    assert!(watched.observer.end(), "{}", watched.said());
}

#[test]
fn a_run_that_nobody_observes_but_itself_says_so() {
    let month = Month::with(|world, _| {
        let folder = world.path("kept");
        world.append("cutter.toml", &format!("\n[observer]\nfolder = \"{}\"\n", folder.display()));
    });
    let ran = run(&month, "--format json");
    assert_eq!((ran.exit, switch(&month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
    let report = month.cutter(&format!("attest {PLAN} --facts postgres --format json"));
    let statement = report.json();
    assert_eq!(statement["predicate"]["window"]["basis"], "self_reported", "{}", report.stderr);
    let grounds = &statement["predicate"]["grounds"];
    assert_eq!(grounds["baseline"]["vouched"], Value::Null);
    assert!(grounds["witness"]["text"].as_str().unwrap().contains("the run is over"), "{}", grounds["witness"]);
}

#[test]
fn without_its_observer_or_with_another_in_its_place_nothing_begins() {
    let mut watched = Watched::new();
    let not_begun = |watched: &Watched, exit: i32, says: &str| {
        let ran = run(&watched.month, "--format json");
        assert_eq!((ran.exit, switch(&watched.month).as_str()), (exit, "off"), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
        assert_eq!((watched.started(), watched.kept()), (0, Vec::new()), "{says}");
    };
    not_begun(&watched, 9, "does not answer");
    // Root's own socket, and then one that root gave the observer's user as its owner.
    let other = UnixListener::bind(watched.socket()).unwrap();
    not_begun(&watched, 8, "is no socket of `daemon`");
    chown(watched.socket(), Some(DAEMON), Some(DAEMON)).unwrap();
    not_begun(&watched, 8, "user 0 listens");
    drop(other);
    fs::remove_file(watched.socket()).unwrap();
    // One whose key the trust root does not know for evidence.
    fs::copy(watched.month.world.key_path("ada"), watched.month.world.safe("observer/key")).unwrap();
    watched.observe();
    let ran = run(&watched.month, "");
    assert_eq!((ran.exit, switch(&watched.month).as_str()), (8, "off"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(watched.started(), 0);
}

#[test]
fn an_observer_of_another_configuration_observes_nothing() {
    let mut watched = Watched::new();
    let world = &watched.month.world;
    let other = world.safe("other.toml");
    // The same but for a line: whoever may write it could have it look elsewhere.
    fs::write(&other, world.read("cutter.toml") + "# of somebody else\n").unwrap();
    mode(&other, 0o644);
    let database = watched.month.server.conninfo("postgres", "postgres");
    watched.observer.start_with(world, &other, &[("BILLING_URL", &database)]);
    let ran = run(&watched.month, "");
    assert_eq!((ran.exit, switch(&watched.month).as_str()), (8, "off"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("another configuration"), "{}", ran.stderr);
    assert_eq!(watched.started(), 0);
}

#[test]
fn an_observer_that_is_gone_between_two_rows_holds_the_run_and_one_that_is_back_lets_it_go_on() {
    let mut watched = Watched::with(|world| {
        world.replace("cutter.toml", "INSERT INTO billing.entry", "SELECT pg_sleep(6); INSERT INTO billing.entry");
    });
    watched.observe();
    let words = ["run", PLAN, "--facts", "postgres", "--format", "json"];
    let mut driver = watched.month.command(&words);
    let driver = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    watched.wait_for("pg_sleep(6)");
    watched.observer.kill();
    let ran: Ran = driver.wait_with_output().unwrap().into();
    assert_eq!((ran.exit, switch(&watched.month).as_str()), (10, "off"), "{}{}", ran.stdout, ran.stderr);
    let record = ran.json();
    assert!(record["held"].as_str().unwrap().contains("could not be measured"), "{record:#}");
    assert!(record["next"][0].as_str().unwrap().ends_with("--resume"), "{record:#}");
    let began = watched.started();
    let ran = run(&watched.month, "--resume --format json");
    assert_eq!((ran.exit, watched.started()), (9, began), "{}{}", ran.stdout, ran.stderr);
    watched.observe();
    // What was done before it went is measured first; then an approval of the switch is asked for again.
    let ran = run(&watched.month, "--resume --format json");
    assert_eq!((ran.exit, ran.json()["state"].clone()), (5, "PAUSED".into()), "{}{}", ran.stdout, ran.stderr);
    // Nobody watched meanwhile, which is said at once, and the report says so.
    assert!(ran.stderr.contains("nobody watches the run any more: its witness broke off"), "{}", ran.stderr);
    let words = ["run", PLAN, "--facts", "postgres", "--void", "--reason", "enough"];
    let ran = watched.month.words(&words);
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let report = watched.attest("");
    assert_eq!(report.exit, 7, "{}{}", report.stdout, report.stderr);
    assert!(report.stdout.contains("the witness broke off"), "{}", report.stdout);
}

#[test]
fn what_is_measured_otherwise_than_declared_holds_the_run_and_stays_so() {
    for (from, to, says) in [
        // It does less than it declares, more, and something else besides.
        (
            "\"relation:billing.entry\" = { inserted = 2 }",
            "\"relation:billing.entry\" = { inserted = 3 }",
            "billing.entry",
        ),
        (
            "WHERE batch = '2026-10-b'\"]\npin = \"root-owned\"\nenv = [\"PGHOST\", \"PGPORT\", \"PGUSER\", \"PGDATABASE\", \"PGPASSFILE\"]\nexpects",
            "WHERE batch = '2026-10-b'; UPDATE billing.book SET closed_at = NULL\"]\npin = \"root-owned\"\nenv = [\"PGHOST\", \"PGPORT\", \"PGUSER\", \"PGDATABASE\", \"PGPASSFILE\"]\nexpects",
            "billing.book changed, and nothing",
        ),
    ] {
        let mut watched = Watched::with(|world| world.replace("cutter.toml", from, to));
        watched.observe();
        let ran = run(&watched.month, "--format json");
        assert_eq!((ran.exit, switch(&watched.month).as_str()), (10, "off"), "{}{}", ran.stdout, ran.stderr);
        let record = ran.json();
        assert!(record["held"].as_str().unwrap().contains(says), "{says}: {record:#}");
        assert_eq!(
            states(&ran)[2..4],
            [("post", "done"), ("close", "open")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        assert!(record["next"][0].as_str().unwrap().contains("--void --reason"), "{record:#}");
        // What is kept of it holds it for whoever comes next, by either command.
        let ran = run(&watched.month, "--resume --format json");
        assert_eq!((ran.exit, ran.json()["state"].clone()), (10, "HOLD".into()), "{}{}", ran.stdout, ran.stderr);
        let ran = watched.month.exec("close");
        assert_eq!(ran.exit, 10, "{}{}", ran.stdout, ran.stderr);
        let words = ["run", PLAN, "--facts", "postgres", "--void", "--reason", "it is not what was approved"];
        let ran = watched.month.words(&words);
        assert_eq!((ran.exit, switch(&watched.month).as_str()), (0, "off"), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(watched.attest("").exit, 6);
    }
}

#[test]
fn whoever_pesters_the_observer_gets_nothing_and_holds_up_nobody() {
    let mut watched = Watched::new();
    watched.observe();
    let socket = watched.socket();
    let digest = "0".repeat(64);
    let whole = format!(r#"{{"version":1,"run":"other","plan_sha256":"{digest}","phase":"during","records":0}}"#);
    for (what, says) in [
        ("no json\n".to_owned(), "it is no request"),
        (whole.replace('}', r#","argv":["id"]}"#) + "\n", "it is no request"),
        (whole.replace("\"other\"", "\"../other\"") + "\n", "not that of a folder"),
        (whole.clone() + "\n", "before it began"),
        (whole.replace("\"version\":1", "\"version\":2") + "\n", "is not 1"),
        (format!("{whole}\n{whole}\n"), "nothing was understood"),
        ("x".repeat(100_000), "nothing was understood"),
        ("{".to_owned(), "nothing was understood"),
    ] {
        let answer = watched.ask(what.as_bytes());
        assert!(answer.contains(says) || answer.is_empty() && what.len() > 4096, "{says}: {answer}");
    }
    // Some say nothing for as long as they may, and others are nobody whom it observes for.
    let silent: Vec<UnixStream> = (0..40).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let python =
        "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);s.send(b'x');print(s.recv(9))";
    mode(&socket, 0o666);
    let refused =
        scrubbed("python3").args(["-c", python]).arg(&socket).uid(NOBODY).gid(NOBODY).stderr(Stdio::null()).output();
    assert_ne!(refused.unwrap().stdout, b"b'{'\n");
    assert!(watched.said().contains("user 65534 may not ask"), "{}", watched.said());
    drop(silent);
    let ran = run(&watched.month, "--format json");
    assert_eq!(ran.exit, 0, "{}{}{}", ran.stdout, ran.stderr, watched.said());
}

/// Whoever may have the run observed may ask for that before it begins, and say of a capture that it is of any time.
#[test]
fn a_run_is_observed_by_what_was_asked_in_it_and_by_nothing_before() {
    for phases in [&[("begin", "0"), ("end", "0")][..], &[("begin", "18446744073709551615")][..]] {
        let mut watched = Watched::new();
        watched.observe();
        for (phase, records) in phases {
            let answer = watched.ask_in_time(phase, records.parse().unwrap());
            assert!(answer.contains("sha256"), "{answer}");
        }
        let ran = run(&watched.month, "--format json");
        assert!([8, 9].contains(&ran.exit), "{}{}{}", ran.exit, ran.stdout, ran.stderr);
        assert_eq!((watched.started(), switch(&watched.month).as_str()), (0, "off"), "{}", ran.stderr);
    }
}

/// A program of a row runs as who may ask, and may ask for anything at any time.
#[test]
fn what_others_ask_the_observer_in_the_middle_of_a_run_neither_ends_nor_splits_what_is_compared() {
    // What is asked, after how many records of the row at work, and whether the change that nobody declares comes before it.
    for (phase, ahead, is_before, says) in [
        ("end", 0, false, "the observer was told that the run is over"),
        ("end", 1, false, "the observer was told that the run is over"),
        ("during", 0, true, "billing.book changed, and nothing"),
        ("during", 1, false, "post is done and declares to change relation:billing.entry"),
    ] {
        let mut watched = Watched::with(|world| {
            world.replace("cutter.toml", "INSERT INTO billing.entry", "SELECT pg_sleep(8); INSERT INTO billing.entry");
        });
        watched.observe();
        let words = ["run", PLAN, "--facts", "postgres", "--format", "json"];
        let mut driver = watched.month.command(&words);
        let driver = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        watched.wait_for("pg_sleep(8)");
        let change = || {
            let mut session = watched.month.server.connect("postgres", "postgres");
            session.batch_execute("UPDATE billing.book SET closed_at = NULL").unwrap();
        };
        if is_before {
            change();
        }
        let log = watched.month.cutter("log --format ndjson").stdout;
        let last = log.lines().filter_map(|line| line.parse::<Value>().ok()?["sequence"].as_u64()).max().unwrap();
        assert!(watched.ask_in_time(phase, last + ahead).contains("sha256"), "{}", watched.said());
        if !is_before {
            change();
        }
        let ran: Ran = driver.wait_with_output().unwrap().into();
        let case = format!("{phase} {ahead}: {}{}{}", ran.stdout, ran.stderr, watched.said());
        assert_eq!((ran.exit, switch(&watched.month).as_str()), (10, "off"), "{case}");
        assert!(ran.json()["held"].as_str().unwrap().contains(says), "{case}");
        assert_eq!(
            states(&ran)[2..4],
            [("post", "done"), ("close", "open")].map(|(a, b)| (a.to_owned(), b.to_owned())),
            "{case}"
        );
    }
}

/// Who is killed beside whom.
const KILLED: [(&str, bool, bool); 3] = [("run", true, false), ("observer", false, true), ("both", true, true)];

/// Whether a run came so far: so many rows ended, so that what they did is being captured, or so many captures are there, and are compared.
type CameSoFar = fn(rows: usize, captures: usize, wanted: usize) -> bool;

const POINTS: [(&str, CameSoFar); 2] =
    [("rows ended", |rows, _, wanted| rows >= wanted), ("captures made", |_, captures, wanted| captures >= wanted)];

#[test]
fn a_run_or_its_observer_killed_at_any_capture_or_comparison_leaves_the_switch_off_and_both_can_go_on() {
    let all = (1..=5).flat_map(|wanted| POINTS.map(|point| (wanted, point)));
    let all = all.flat_map(|(wanted, point)| KILLED.map(|killed| (wanted, point, killed)));
    let step = if std::env::var_os("CUTTER_TEST_ALL").is_some() { 1 } else { 7 };
    let mut ways = BTreeMap::<(&str, String, i32), usize>::new();
    for (wanted, (point, came_so_far), (name, run, observer)) in all.step_by(step) {
        let case = format!("{name} killed when {wanted} {point}");
        let mut watched = Watched::new();
        watched.observe();
        let words = ["run", PLAN, "--facts", "postgres", "--events", "events.ndjson"];
        let mut driver = watched.month.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let ended = || {
            let events = fs::read_to_string(watched.month.world.path("events.ndjson")).unwrap_or_default();
            events.matches(r#""event":{"ended":"#).count()
        };
        let captures = || watched.kept().iter().filter(|name| name.ends_with(".json.sig")).count();
        while !came_so_far(ended(), captures(), wanted) && driver.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if run {
            driver.kill().unwrap();
        }
        if observer {
            watched.observer.kill();
        }
        driver.wait().unwrap();
        if observer {
            watched.observe();
        }
        let state = end(&watched.month, &case);
        check(&watched.month, &case);
        // The report says what was not measured, and nothing of it contradicts what was declared.
        let report = watched.attest("");
        assert!([0, 7].contains(&report.exit), "{case}: {}{}{}", report.stdout, report.stderr, watched.said());
        *ways.entry((name, state, report.exit)).or_default() += 1;
        let digest = "0".repeat(64);
        let other = format!(r#"{{"version":1,"run":"other","plan_sha256":"{digest}","phase":"begin","records":0}}"#);
        let answer = watched.ask(format!("{other}\n").as_bytes());
        assert!(answer.contains("sha256"), "{case}: {answer}{}", watched.said());
    }
    println!("killed beside an observer, by who was, how it ended and what the report exits with: {ways:?}");
}
