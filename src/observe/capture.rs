//! The walk of a capture: counters, one snapshot in which everything is read, the host, and counters again.

use super::counters::{self, Counted, Reading};
use super::relation::{self, How};
use super::scope::{self, Scope};
use super::sessions::Sessions;
use super::{catalog, database, flag, host, service, tree};
use crate::db::{Access, DatabaseError, Readers, Session, Snapshot};
use crate::digest::Digest;
use crate::evidence::{
    Capture, CounterRecord, Counters, DatabaseRecord, LevelRecord, Observation, ObservationId, ObservationKind, Status,
};
use crate::problem::{Problem, Problems};
use crate::progress::{Observer, Phase};
use crate::settings::evidence::{EvidenceSettings, Level, tables_of};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a capture is made from.
pub struct Task<'a> {
    /// What to observe.
    pub settings: &'a EvidenceSettings,
    /// How to reach the database.
    pub access: &'a Access,
    /// Sha-256 over the configuration.
    pub config: Digest,
    /// How much is asked for.
    pub level: Level,
    /// Whether ordered copies are digested, which a forger cannot make fit.
    pub strict: bool,
    /// How long to wait for sessions that are at work, where that is longer than counters need.
    pub settle: Duration,
    /// The clock.
    pub now: &'a dyn Fn() -> Result<Timestamp, Problem>,
    /// Who is shown the progress.
    pub observer: &'a dyn Observer,
}

/// Observes everything once. It writes nothing anywhere.
pub fn capture(task: &Task<'_>) -> Result<Capture, Problems> {
    let started_at = (task.now)()?;
    let failed = |error: DatabaseError| error.problem("the evidence cannot be read");
    let mut session = task.access.open()?;
    let opened_at = database::clock(&mut session).map_err(failed)?;
    let scope = scope::resolve(task.settings, &mut session.begin().map_err(failed)?).map_err(failed)?;
    let counted = counted(&scope);
    let counting = task.level >= Level::Net;
    // Before the snapshot: what is written in between is then counted in the difference, and not missed.
    let opening = match counting {
        true => Some(counters::read(&mut session, &counted).map_err(failed)?),
        false => None,
    };
    let mut sessions = Sessions::default();
    let (mut record, mut observations) =
        observe(task, &scope.settings, &mut session, opening.as_ref(), &mut sessions).map_err(failed)?;
    for (pattern, near) in scope.empty {
        let mut observation = Observation::new(ObservationKind::Relation, pattern);
        observation.unknown("rows", near);
        observations.push(observation);
    }
    observe_host(task, &record, &mut observations);
    if let Some(opening) = opening {
        let phase = Phase::new(task.observer, "waiting for counters", 0);
        let lag = Duration::from_secs(u64::from(task.settings.counter_lag_seconds));
        // Somebody may have become idle a moment after the snapshot.
        let longest = lag.saturating_add(lag / 5).max(task.settle);
        sessions.wait(&mut session, longest).map_err(failed)?;
        drop(phase);
        let closing = counters::read(&mut session, &counted).map_err(failed)?;
        record.closing_snapshot = closing.snapshot.clone();
        record.counters = Some(CounterRecord {
            running: opening.running.iter().cloned().collect(),
            in_flight: sessions.in_flight(),
            reset_at: closing.reset_at.clone(),
            rolled_back: [opening.rollbacks, closing.rollbacks],
        });
        observations.push(counting_of(&opening, &closing));
        count(&mut observations, &opening, &closing);
    } else {
        let mut last = session.begin().map_err(failed)?;
        let text = last.text("SELECT pg_current_snapshot()::text").map_err(failed)?;
        record.closing_snapshot = text.unwrap_or_default();
    }
    record.opened_at = Some(opened_at);
    record.closed_at = Some(database::clock(&mut session).map_err(failed)?);
    observations.sort_by(|a, b| a.id.cmp(&b.id));
    let mut level = reached(task.level, &observations);
    level.strict = task.strict;
    let finished_at = (task.now)()?;
    Ok(Capture {
        version: 1,
        started_at,
        finished_at,
        config_sha256: task.config,
        host: host(),
        level,
        coverage: scope.coverage,
        database: record,
        observations,
    })
}

/// Everything that is read in one snapshot. Where a definition went away while it was read, all of it is read once more.
fn observe(
    task: &Task<'_>,
    settings: &EvidenceSettings,
    session: &mut Session,
    opening: Option<&Reading>,
    sessions: &mut Sessions,
) -> Result<(DatabaseRecord, Vec<Observation>), DatabaseError> {
    let phase = Phase::new(task.observer, "settings and catalogs", 0);
    let mut others: Vec<Session> = (0..settings.workers).map_while(|_| task.access.open().ok()).collect();
    let mut tries = 0;
    // Whatever rows are read is read beside the snapshot, one thing after another, so that no lock is held for longer.
    let (mut readers, record, mut observations) = loop {
        tries += 1;
        let mut main = session.begin()?;
        let exported = main.export()?;
        let mut readers = Readers { main, others, exported };
        match definitions(task, settings, opening, &mut readers) {
            Ok((record, found)) => break (readers, record, found),
            Err(error) if error.is_transient() && tries < MOST_TRIES => {}
            Err(error) => return Err(error),
        }
        others = readers.others;
        drop(readers.main);
        std::thread::sleep(Duration::from_millis(100 * tries));
    };
    if task.level >= Level::Net {
        sessions.look(&mut readers.main)?;
    }
    drop(phase);
    if task.level >= Level::Quiet {
        if settings.wants_database("sequences") {
            observations.push(readers.once(|snapshot| database::sequences(settings, snapshot))?);
        }
        for (name, flag) in &settings.flags {
            observations.push(readers.once(|snapshot| flag::observe(name, flag, Some(snapshot)))?);
        }
        for (id, query) in &settings.rows {
            observations.push(readers.once(|snapshot| rows(id, query, snapshot))?);
        }
    }
    let tolerated = |name: &str| settings.tolerate.iter().any(|known| known.id.strip_prefix("relation:") == Some(name));
    let how = |name: &str| How { level: task.level, strict: task.strict, generations: tolerated(name) };
    observations.extend(relation::observe(&settings.relations, &how, &mut readers, task.observer)?);
    Ok((record, observations))
}

/// What is read in the main snapshot itself.
fn definitions(
    task: &Task<'_>,
    settings: &EvidenceSettings,
    opening: Option<&Reading>,
    readers: &mut Readers<'_>,
) -> Result<(DatabaseRecord, Vec<Observation>), DatabaseError> {
    let record = database::identify(&mut readers.main)?;
    let mut observations = Vec::new();
    if task.level >= Level::Quiet {
        let reset_at = opening.map(|opening| opening.reset_at.as_str());
        observations.extend(database::observe(settings, &record, reset_at, &mut readers.main)?);
    }
    if task.level >= Level::Net {
        observations.extend(catalog::observe(settings, readers)?);
        for name in &settings.functions {
            observations.push(catalog::function(name, &mut readers.main)?);
        }
    }
    Ok((record, observations))
}

/// The host that files and services are observed on.
pub fn host() -> Option<Digest> {
    let id = std::fs::read_to_string("/etc/machine-id").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    id.ok().map(|id| Digest::of(id.trim().as_bytes()))
}

/// Named rows, each a value of its own.
fn rows(id: &ObservationId, query: &str, snapshot: &mut Snapshot<'_>) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::of(id.clone());
    let sql =
        format!("SELECT name::text, value::text FROM (\n{query}\n) AS answer (name, value) LIMIT {}", MOST_ROWS + 1);
    match snapshot.texts(&sql, MOST_ROWS) {
        Ok(rows) => {
            for row in rows {
                let mut cells = row.into_iter();
                let name = cells.next().flatten().unwrap_or_else(|| "NULL".to_owned());
                let value = cells.next().flatten().unwrap_or_else(|| "NULL".to_owned());
                if observation.values.contains_key(&name) {
                    observation.unknown(name, "the query gives it more than once");
                } else {
                    observation.value(name, value);
                }
            }
        }
        Err(error) if error.is_final() => return Err(error),
        Err(error) => observation.refused("value", &error.reason, error.sqlstate.as_deref()),
    }
    Ok(observation)
}

fn observe_host(task: &Task<'_>, record: &DatabaseRecord, observations: &mut Vec<Observation>) {
    if task.level < Level::Quiet {
        return;
    }
    let settings = task.settings;
    let _phase = Phase::new(task.observer, "files and services", 0);
    observations.extend(settings.trees.iter().map(|(name, tree)| tree::observe(name, tree)));
    observations.extend(settings.services.iter().map(|(name, service)| service::observe(name, service, record)));
    observations.extend(settings.host.iter().map(|(name, host)| host::observe(name, host)));
}

/// What counters are read of: watched relations, the catalogs of the wanted families, functions, and what queries read.
pub(super) fn counted(scope: &Scope) -> Counted {
    Counted {
        relations: scope.settings.relations.keys().chain(&scope.catalogs).cloned().collect(),
        functions: scope.settings.functions.clone(),
        reads: scope.reads.relations.clone(),
        called: scope.reads.called.clone(),
    }
}

/// Whether the server counts at all.
fn counting_of(opening: &Reading, closing: &Reading) -> Observation {
    let mut observation = Observation::new(ObservationKind::Database, COUNTING);
    observation.value("value", "the server counts what is done");
    let reasons: BTreeSet<&String> = opening.blind.iter().chain(&closing.blind).collect();
    for reason in reasons {
        observation.unknown("counters", reason.as_str());
    }
    observation
}

/// Gives every observation the counters that belong to it.
fn count(observations: &mut [Observation], opening: &Reading, closing: &Reading) {
    for observation in observations {
        let (kind, name) = (observation.id.kind(), observation.id.name());
        let sources: Vec<(String, String)> = match kind {
            // A view is made of what lies under it.
            ObservationKind::Relation if observation.traces.contains_key("headers") => {
                vec![(name.to_owned(), String::new())]
            }
            ObservationKind::Relation => vec![(name.to_owned(), "below ".to_owned())],
            ObservationKind::Catalog => {
                tables_of(name).iter().map(|table| (format!("pg_catalog.{table}"), format!("{table} "))).collect()
            }
            ObservationKind::Function => vec![(observation.id.to_string(), String::new())],
            // A query is made of what it reads.
            _ => vec![(observation.id.to_string(), "below ".to_owned())],
        };
        let gather = |reading: &Reading| -> BTreeMap<String, i64> {
            sources
                .iter()
                .filter_map(|(source, prefix)| Some((reading.readings.get(source)?, prefix)))
                .flat_map(|(counters, prefix)| {
                    counters.iter().map(move |(name, count)| (format!("{prefix}{name}"), *count))
                })
                .collect()
        };
        let counters = Counters { opening: gather(opening), closing: gather(closing) };
        if !counters.opening.is_empty() && !counters.closing.is_empty() {
            observation.counters = Some(counters);
        }
        for (source, _) in sources {
            if let Some(why) = opening.uncounted.get(&source).or_else(|| closing.uncounted.get(&source)) {
                observation.unknown("counters", why.as_str());
            }
            if let Some(why) = opening.calls_blind.get(&source).or_else(|| closing.calls_blind.get(&source)) {
                observation.unknown("calls", why.as_str());
            }
        }
    }
}

/// The highest level up to which every observation was made; the witness is added by who was one.
fn reached(requested: Level, observations: &[Observation]) -> LevelRecord {
    let level_of = |observation: &Observation| {
        let of_counts = |name: &str| name == "rows" || name.starts_with("newest ");
        let kind = observation.id.kind();
        if kind == ObservationKind::Relation && observation.unknown.iter().any(|unknown| of_counts(&unknown.value)) {
            Level::Counts
        } else if kind.is_counted()
            || observation.id.name() == COUNTING
            || observation.unknown.iter().all(|unknown| unknown.value == "counters")
        {
            Level::Net
        } else {
            Level::Quiet
        }
    };
    let missing: Vec<&Observation> =
        observations.iter().filter(|observation| observation.status == Status::Unknown).collect();
    let lowest = missing.iter().map(|observation| level_of(observation)).min();
    let reached = match lowest {
        Some(Level::Counts) => None,
        Some(Level::Quiet) => Some(Level::Counts),
        Some(_) => Some(Level::Quiet),
        None => Some(requested.min(Level::Net)),
    };
    let missing = missing.iter().map(|observation| observation.id.to_string()).collect();
    LevelRecord { requested, reached: reached.map(|level| level.min(requested)), strict: false, missing }
}

/// How often definitions are read before one that goes away each time is a failure.
const MOST_TRIES: u64 = 4;

/// The part of the database that says whether it counts.
const COUNTING: &str = "counters";

const MOST_ROWS: usize = 10_000;
