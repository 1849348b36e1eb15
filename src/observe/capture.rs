//! The walk of a capture: counters, one snapshot in which everything is read, the host, and counters again.

use super::counters::{self, Reading};
use super::relation::{self, Helpers};
use super::{catalog, database, flag, host, service, tree};
use crate::db::{Access, DatabaseError, Session};
use crate::digest::Digest;
use crate::evidence::{
    Capture, CounterRecord, Counters, DatabaseRecord, LevelRecord, Observation, ObservationId, ObservationKind, Status,
};
use crate::problem::{Problem, Problems};
use crate::progress::{Observer, Phase};
use crate::settings::evidence::{CATALOGS, EvidenceSettings, Level, tables_of};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    let (relations, functions) = counted(task.settings);
    let counting = task.level >= Level::Net;
    // Before the snapshot: what is written in between is then counted in the difference, and not missed.
    let opening = match counting {
        true => Some(counters::read(&mut session, &relations, &functions).map_err(failed)?),
        false => None,
    };
    let since = Instant::now();
    let (mut record, mut observations) = observe(task, &mut session, opening.as_ref()).map_err(failed)?;
    observe_host(task, &record, &mut observations);
    let lag = Duration::from_secs(u64::from(task.settings.counter_lag_seconds));
    if let Some(opening) = opening {
        let during = counters::read(&mut session, &[], &[]).map_err(failed)?;
        let phase = Phase::new(task.observer, "waiting for counters", 0);
        let settled = counters::settle(&mut session, since, lag, 0).map_err(failed)?;
        drop(phase);
        let closing = counters::read(&mut session, &relations, &functions).map_err(failed)?;
        record.closing_snapshot = closing.snapshot.clone();
        let held = during.running.intersection(&closing.running).cloned().collect();
        let running = opening.running.iter().cloned().collect();
        record.counters = Some(CounterRecord { settled, running, held });
        count(&mut observations, &opening, &closing);
    } else {
        let mut last = session.begin().map_err(failed)?;
        let text = last.text("SELECT pg_current_snapshot()::text").map_err(failed)?;
        record.closing_snapshot = text.unwrap_or_default();
    }
    record.opened_at = Some(opened_at);
    record.closed_at = Some(database::clock(&mut session).map_err(failed)?);
    observations.sort_by(|a, b| a.id.cmp(&b.id));
    let level = reached(task.level, &observations);
    let finished_at = (task.now)()?;
    Ok(Capture {
        version: 1,
        started_at,
        finished_at,
        config_sha256: task.config,
        host: host(),
        level,
        database: record,
        observations,
    })
}

/// Everything that is read in one snapshot.
fn observe(
    task: &Task<'_>,
    session: &mut Session,
    opening: Option<&Reading>,
) -> Result<(DatabaseRecord, Vec<Observation>), DatabaseError> {
    let settings = task.settings;
    let mut snapshot = session.begin()?;
    let record = database::identify(&mut snapshot)?;
    let mut observations = Vec::new();
    let phase = Phase::new(task.observer, "settings and catalogs", 0);
    if task.level >= Level::Quiet {
        let reset_at = opening.map(|opening| opening.reset_at.as_str());
        observations.extend(database::observe(settings, &record, reset_at, &mut snapshot)?);
        for (name, flag) in &settings.flags {
            observations.push(flag::observe(name, flag, &mut snapshot)?);
        }
        for (id, query) in &settings.rows {
            observations.push(rows(id, query, &mut snapshot)?);
        }
    }
    if task.level >= Level::Net {
        observations.extend(catalog::observe(settings, &mut snapshot)?);
        for name in &settings.functions {
            observations.push(catalog::function(name, &mut snapshot)?);
        }
    }
    drop(phase);
    let exported = snapshot.export()?;
    // A server that has no connection left for helpers is read by this one alone.
    let mut sessions: Vec<Session> = Vec::new();
    if task.level >= Level::Net && !settings.relations.is_empty() {
        sessions.extend((1..settings.workers).map_while(|_| task.access.open().ok()));
    }
    let mut helpers = Helpers { sessions: &mut sessions, exported: &exported, level: task.level, strict: task.strict };
    for (name, relation) in &settings.relations {
        observations.push(relation::observe(name, relation, &mut snapshot, &mut helpers, task.observer)?);
    }
    Ok((record, observations))
}

/// The host that files and services are observed on.
fn host() -> Option<Digest> {
    let id = std::fs::read_to_string("/etc/machine-id").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    id.ok().map(|id| Digest::of(id.trim().as_bytes()))
}

/// Named rows, each a value of its own.
fn rows(id: &ObservationId, query: &str, snapshot: &mut crate::db::Snapshot<'_>) -> Result<Observation, DatabaseError> {
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

/// What counters are read of: watched relations, the catalogs of the wanted families, functions.
pub(super) fn counted(settings: &EvidenceSettings) -> (Vec<String>, Vec<String>) {
    let mut relations: Vec<String> = settings.relations.keys().cloned().collect();
    let families = CATALOGS.iter().filter(|(name, _)| settings.wants_catalog(name));
    let mut tables: Vec<String> =
        families.flat_map(|(_, tables)| *tables).map(|table| format!("pg_catalog.{table}")).collect();
    tables.sort();
    tables.dedup();
    relations.extend(tables);
    (relations, settings.functions.clone())
}

/// Gives every observation the counters that belong to it.
fn count(observations: &mut [Observation], opening: &Reading, closing: &Reading) {
    for observation in observations {
        let (kind, name) = (observation.id.kind(), observation.id.name());
        let sources: Vec<(String, String)> = match kind {
            ObservationKind::Relation => vec![(name.to_owned(), String::new())],
            ObservationKind::Catalog => {
                tables_of(name).iter().map(|table| ((*table).to_owned(), format!("{table} "))).collect()
            }
            ObservationKind::Function => vec![(observation.id.to_string(), String::new())],
            _ => continue,
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
        } else if kind == ObservationKind::Function {
            observation.unknown("calls", "`track_functions` does not count it");
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
        } else if kind.is_counted() {
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
    LevelRecord { requested, reached: reached.map(|level| level.min(requested)), missing }
}

const MOST_ROWS: usize = 10_000;
