//! Random mutations with a ledger of the truth: whatever was done, its row never says that nothing was.
//!
//! `CUTTER_MUTATIONS=520` takes so many steps, each kind in turn; the figures are printed.

mod guards;
mod kinds;

use crate::postgres::mutations;
use crate::postgres::scene::Scene;
use crate::support::waiting::wait_until;
use cutter::evidence::{Capture, Comparison, ComparisonLimits, RowStatus, compare};
use cutter::problem::Source;
use cutter::settings::Config;
use cutter::time::Timestamp;
use guards::{GUARDS, OPEN};
use kinds::{EVIDENCE, SETUP, WAYS, Way};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// What was done, and what came of it.
struct Ledger {
    scene: Scene,
    config: Config,
    steps: usize,
    kinds: BTreeMap<&'static str, usize>,
    manners: BTreeMap<&'static str, usize>,
    false_cleans: Vec<String>,
    /// Each with why it was to be expected, if it was.
    false_alarms: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
    /// How often something was taken for nothing without each guard.
    without: BTreeMap<&'static str, usize>,
}

impl Ledger {
    fn new() -> Self {
        let scene = Scene::new();
        scene.server.execute(mutations::SETUP);
        scene.server.execute(SETUP);
        scene.write("cutter.toml", scene.config("cutter_observe", EVIDENCE));
        assert_eq!(scene.capture("b.json"), 0, "{:#?}", scene.unknown("b.json"));
        let config = Config::parse(&Source::new("cutter.toml", scene.read("cutter.toml"))).unwrap();
        Self {
            scene,
            config,
            steps: 0,
            kinds: BTreeMap::new(),
            manners: BTreeMap::new(),
            false_cleans: Vec::new(),
            false_alarms: BTreeMap::new(),
            unexplained: Vec::new(),
            without: BTreeMap::new(),
        }
    }

    /// One step; the last final capture is its baseline, unless something was put back since.
    fn take(&mut self, number: usize, way: &Way, manner: &'static str) {
        self.steps += 1;
        let text = |sql: &str| sql.replace('§', &number.to_string());
        let (sql, undo) = (text(way.sql), text(way.undo));
        let each = |sql: &str| self.scene.server.execute_each(sql);
        fs::rename(self.scene.path("b.json"), self.scene.path("a.json")).unwrap();
        if !way.around.0.is_empty() {
            each(way.around.0);
            self.capture("a.json");
        }
        let (mut held, mut stays) = (None, true);
        let observation = match manner {
            "committed" => {
                each(&sql);
                way.done
            }
            "committed in many messages" => {
                let mut client = self.scene.server.connect("postgres", "directus");
                ["BEGIN", &sql, "COMMIT"].iter().for_each(|sql| client.batch_execute(sql).unwrap());
                way.done
            }
            "undone by another session" => {
                each(&sql);
                each(&undo);
                way.undone
            }
            "undone in one message" => {
                each(&format!("BEGIN; {sql}; COMMIT; BEGIN; {undo}; COMMIT"));
                way.undone
            }
            "undone by a session that stays" => {
                let mut client = self.scene.server.connect("postgres", "directus");
                [&sql, &undo].iter().for_each(|sql| client.batch_execute(sql).unwrap());
                held = Some(client);
                way.undone
            }
            "undone while its session goes on" => {
                self.captured_while(&format!("BEGIN; {sql}; COMMIT; BEGIN; {undo}; COMMIT"));
                stays = false;
                way.undone
            }
            "rolled back" => {
                each(&format!("BEGIN; {sql}; ROLLBACK"));
                way.rolled_back
            }
            "rolled back to a savepoint" => {
                each(&format!("BEGIN; SAVEPOINT s; {sql}; ROLLBACK TO s; COMMIT"));
                way.rolled_back
            }
            OPEN => {
                self.rolled_back_during_the_baseline(&sql);
                way.rolled_back
            }
            other => panic!("{other}"),
        };
        if stays {
            self.capture("b.json");
        }
        drop(held);
        self.judge(&format!("step {number}: {} {manner}: {}", way.kind, way.sql), way, manner, &text(observation));
        let is_left = manner.starts_with("committed") && !undo.is_empty();
        if is_left {
            self.scene.server.execute_each(&undo);
        }
        if !way.around.1.is_empty() {
            self.scene.server.execute_each(way.around.1);
        }
        if is_left || !way.around.1.is_empty() {
            self.capture("b.json");
        }
    }

    /// Captures; once more where the machine slept for so long that the server took the observer for dead.
    fn capture(&self, name: &str) {
        let command = ["evidence", "capture", "--format", "json", "--output", name];
        let slept = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("25P03");
        let output = self.scene.run(&command);
        let output = if slept(&output) { self.scene.run(&command) } else { output };
        assert!(self.scene.path(name).exists(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Captures while one message, of which everything is done, goes on.
    fn captured_while(&self, message: &str) {
        let message = format!("SET application_name = 'goes on'; {message}; SELECT pg_sleep(600)");
        thread::scope(|scope| {
            let session = || self.scene.server.connect("postgres", "directus").batch_execute(&message);
            let mut session = Some(scope.spawn(session));
            let sleeps =
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'goes on' AND wait_event = 'PgSleep'";
            let mut client = self.scene.server.connect("postgres", "directus");
            wait_until("the session sleeps", || {
                if session.as_ref().unwrap().is_finished() {
                    panic!("{message}: {:?}", session.take().unwrap().join());
                }
                client.query_one(sleeps, &[]).unwrap().get::<_, i64>(0) > 0
            });
            drop(client);
            self.capture("b.json");
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'goes on'";
            self.scene.server.execute(end);
        });
    }

    /// Where the baseline was over before, which a slow machine does, it is taken again.
    fn rolled_back_during_the_baseline(&self, sql: &str) {
        let is_so = (0..5).any(|_| self.rolls_back_during_a_baseline(sql));
        assert!(is_so, "five baselines were over before anything was rolled back: {sql}");
    }

    /// Whether the baseline still went on.
    fn rolls_back_during_a_baseline(&self, sql: &str) -> bool {
        let mut writer = self.scene.server.connect("postgres", "directus");
        writer.batch_execute(&format!("BEGIN; {sql}")).unwrap();
        thread::scope(|scope| {
            let capture = scope.spawn(|| self.capture("a.json"));
            // Once there are others that read beside it, the first session is in a transaction for the snapshot alone, to its end.
            let has_looked = "SELECT count(*) FROM (SELECT backend_xmin, row_number() OVER (ORDER BY backend_start) AS number, count(*) OVER () AS sessions
                FROM pg_stat_activity WHERE application_name = 'cutter-observe') AS observer
                WHERE number = 1 AND sessions > 1 AND backend_xmin IS NOT NULL";
            let mut client = self.scene.server.connect("postgres", "directus");
            while client.query_one(has_looked, &[]).unwrap().get::<_, i64>(0) == 0 && !capture.is_finished() {
                thread::sleep(Duration::from_millis(2));
            }
            writer.batch_execute("ROLLBACK").unwrap();
            drop(writer);
            !capture.is_finished()
        })
    }

    /// Holds the comparison to the truth, with every guard and without each of them.
    fn judge(&mut self, step: &str, way: &Way, manner: &'static str, observation: &str) {
        let (exit, shown) = self.scene.compare();
        let comparison: Comparison = serde_json::from_value(shown).unwrap();
        *self.kinds.entry(way.kind).or_default() += 1;
        *self.manners.entry(manner).or_default() += 1;
        let amiss = || -> Vec<String> {
            let amiss = comparison.rows.iter().filter(|row| row.status > RowStatus::Tolerated);
            amiss.map(|row| format!("{} {:?} {}", row.id, row.status, row.because.join("; "))).collect()
        };
        if observation.is_empty() {
            let counters = self.read("a.json").database.counters;
            let late = counters.is_some_and(|counters| !counters.in_flight.is_empty()).then_some(LATE);
            let alarm = Some(way.alarm).filter(|alarm| !alarm.is_empty()).or(late);
            if let Some(alarm) = alarm.filter(|_| exit != 0) {
                *self.false_alarms.entry(alarm).or_default() += 1;
            } else if exit != 0 {
                self.unexplained.push(format!("{step}: {:#?}", amiss()));
            }
            return;
        }
        if exit == 0 || is_clean(&comparison, observation) {
            self.false_cleans.push(format!("{step}: {observation}: {:#?}", amiss()));
            return;
        }
        let (baseline, last) = (self.read("a.json"), self.read("b.json"));
        for guard in GUARDS {
            let (mut baseline, mut last) = (baseline.clone(), last.clone());
            (guard.off)(&mut baseline, &mut last);
            let comparison = self.compared(&baseline, &last);
            *self.without.entry(guard.name).or_default() += usize::from(is_clean(&comparison, observation));
        }
    }

    fn read(&self, name: &str) -> Capture {
        Capture::parse(&Source::new(name, self.scene.read(name))).unwrap()
    }

    fn compared(&self, baseline: &Capture, last: &Capture) -> Comparison {
        let now = Timestamp::from_system(SystemTime::now()).unwrap();
        let limits = ComparisonLimits { now, config: Some(last.config_sha256) };
        compare(baseline, last, &self.config.evidence, &limits).unwrap()
    }

    /// Adds what another ledger holds.
    fn add(&mut self, other: Self) {
        self.steps += other.steps;
        for (mine, others) in [
            (&mut self.kinds, other.kinds),
            (&mut self.manners, other.manners),
            (&mut self.false_alarms, other.false_alarms),
            (&mut self.without, other.without),
        ] {
            others.into_iter().for_each(|(name, count)| *mine.entry(name).or_default() += count);
        }
        self.false_cleans.extend(other.false_cleans);
        self.unexplained.extend(other.unexplained);
    }

    fn settle(&self) {
        assert!(self.false_cleans.is_empty(), "{}", self.false_cleans.join("\n"));
        assert!(self.unexplained.is_empty(), "{}", self.unexplained.join("\n"));
    }
}

/// Whether nobody would look at an observation. One without a row is nothing that anybody sees.
fn is_clean(comparison: &Comparison, observation: &str) -> bool {
    let row = comparison.rows.iter().find(|row| row.id.as_str() == observation);
    row.is_none_or(|row| row.status <= RowStatus::Tolerated)
}

/// The manners in which something can be done.
fn manners(way: &Way) -> Vec<&'static str> {
    let mut found = vec!["committed"];
    let can_be_undone = !way.undo.is_empty() && !way.undone.is_empty();
    if !way.is_alone {
        found.push("committed in many messages");
    }
    if can_be_undone {
        found.push("undone by another session");
    }
    if can_be_undone && !way.is_alone {
        found.extend(["undone in one message", "undone by a session that stays", "undone while its session goes on"]);
    }
    if !way.rolled_back.is_empty() {
        found.extend(["rolled back", "rolled back to a savepoint"]);
    }
    found
}

/// The way and the manner of a step: each kind in turn, all else by chance.
fn step(number: usize) -> (&'static Way, &'static str) {
    let mut names: Vec<&str> = Vec::new();
    for way in WAYS {
        if !names.contains(&way.kind) {
            names.push(way.kind);
        }
    }
    let mut chance = u64::try_from(number).unwrap();
    let mut next = |below: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % below
    };
    let ways: Vec<&Way> = WAYS.iter().filter(|way| way.kind == names[number % names.len()]).collect();
    next(2);
    let way = ways[next(ways.len())];
    let manners = manners(way);
    (way, manners[next(manners.len())])
}

#[test]
fn no_mutation_is_ever_taken_for_nothing() {
    let wanted: Option<usize> = std::env::var("CUTTER_MUTATIONS").ok().and_then(|steps| steps.parse().ok());
    let began = Instant::now();
    // Another kind first each time, so that a short run is not always of the same ones; each is one that the full form takes.
    let first = wanted.map_or_else(|| usize::try_from(std::process::id()).unwrap() % FULL, |_| 0);
    let taken = AtomicUsize::new(0);
    let work = || {
        let mut ledger = Ledger::new();
        loop {
            let at = taken.fetch_add(1, Ordering::Relaxed);
            if wanted.map_or(began.elapsed() >= SHORT, |wanted| at >= wanted) {
                return ledger;
            }
            let number = if wanted.is_some() { at } else { (first + at) % FULL };
            let (way, manner) = step(number);
            ledger.take(number, way, manner);
            if wanted.is_some() {
                eprintln!("{at}: {} {manner}; {} false cleans", way.kind, ledger.false_cleans.len());
            }
        }
    };
    let ledger = thread::scope(|scope| {
        let others: Vec<_> = (1..wanted.map_or(1, |_| WORKERS)).map(|_| scope.spawn(work)).collect();
        let mut ledger = work();
        others.into_iter().for_each(|other| ledger.add(other.join().unwrap()));
        ledger
    });
    eprintln!(
        "{} steps in {:?}: {} false cleans; false alarms {:?}, unexplained {}\n{:?}\n{:?}\nfalse cleans without a guard: {:?}",
        ledger.steps,
        began.elapsed(),
        ledger.false_cleans.len(),
        ledger.false_alarms,
        ledger.unexplained.len(),
        ledger.kinds,
        ledger.manners,
        ledger.without
    );
    ledger.settle();
    if wanted.is_some_and(|wanted| wanted >= FULL) {
        assert!(ledger.kinds.values().all(|count| *count >= 20));
    }
}

#[test]
fn without_any_one_guard_something_is_taken_for_nothing() {
    let mut ledger = Ledger::new();
    for (number, guard) in GUARDS.iter().enumerate() {
        let (beginning, manner) = guard.needed_for;
        let way = WAYS.iter().find(|way| way.sql.starts_with(beginning)).unwrap_or_else(|| panic!("{beginning}"));
        let before = ledger.without.get(guard.name).copied().unwrap_or_default();
        ledger.take(number, way, manner);
        ledger.settle();
        assert_eq!(ledger.without[guard.name], before + 1, "{} is not needed for {beginning} {manner}", guard.name);
    }
}

#[test]
fn every_kind_of_the_table_is_one_of_the_generator() {
    let known: BTreeSet<&str> = WAYS.iter().map(|way| way.kind).collect();
    let unknown: Vec<&str> = mutations::kinds().filter(|kind| !known.contains(kind)).collect();
    assert_eq!(unknown, Vec::<&str>::new());
}

/// The steps of the full form; a step of the short one can be made again by it.
const FULL: usize = 520;

const SHORT: Duration = Duration::from_secs(10);

/// Why a comparison may say that something is not known after nothing was done.
const LATE: &str = "a session that was at work at the baseline told later what it had done before";

/// The full form is shared out to so many servers.
const WORKERS: usize = 4;
