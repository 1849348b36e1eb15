//! Relations: rows, an order-independent digest of their content, and one of their headers, which every write moves.

mod generations;
mod ordered;
mod readers;
mod shape;
mod sums;

pub use readers::Readers;

use crate::db::{DatabaseError, Snapshot, identifier};
use crate::evidence::{Observation, ObservationKind};
use crate::progress::Observer;
use crate::settings::evidence::{Level, RelationSettings};
use shape::{Part, Shape};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use sums::{Plan, Totals};

/// How a relation is observed.
pub struct How {
    /// How much is asked for.
    pub level: Level,
    /// Whether an ordered copy is digested instead of sums.
    pub strict: bool,
    /// Whether it may grow, so that old rows have to be told from new ones.
    pub generations: bool,
}

/// Observes one relation.
pub fn observe(
    name: &str,
    settings: &RelationSettings,
    how: &How,
    readers: &mut Readers<'_>,
    observer: &dyn Observer,
) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(ObservationKind::Relation, name);
    let shape = match readers.once(|snapshot| shape::of(name, snapshot)) {
        Ok(Some(shape)) => shape,
        Ok(None) => {
            observation.value("exists", "false");
            observation.unknown("rows", "there is no such relation");
            return Ok(observation);
        }
        Err(error) if error.is_final() => return Err(error),
        Err(error) => {
            observation.refused("rows", &error.reason, error.sqlstate.as_deref());
            return Ok(observation);
        }
    };
    observation.value("exists", "true");
    observation.trace("storage", shape.storage());
    let mut plan = Plan { settings, level: how.level, strict: how.strict, by_text: false };
    let mut found = totals(&plan, &shape, &observation, readers, observer);
    // A type without a binary form, somewhere in the rows.
    if matches!(&found, Err((_, error)) if error.sqlstate.as_deref() == Some("42883")) {
        plan.by_text = true;
        found = totals(&plan, &shape, &observation, readers, observer);
    }
    match found {
        Ok(found) => plan.record(&shape, &found, &mut observation),
        Err((_, error)) if error.is_final() => return Err(error),
        Err((part, error)) => {
            let reason = if part == shape.qualified { error.reason } else { format!("{part}: {}", error.reason) };
            observation.refused("rows", reason, error.sqlstate.as_deref());
        }
    }
    if let Some(column) = &settings.newest {
        let newest = format!("newest {column}");
        let sql = format!(
            "SELECT newest::text FROM (SELECT cutter_row.{0} AS newest FROM {1} AS cutter_row WHERE cutter_row.{0} IS NOT NULL
             ORDER BY cutter_row.{0} DESC LIMIT 1) AS last",
            identifier(column),
            shape.qualified
        );
        match readers.once(|snapshot| snapshot.text(&sql)) {
            Ok(value) => observation.value(newest, value.unwrap_or_else(|| "none".to_owned())),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused(newest, &error.reason, error.sqlstate.as_deref()),
        }
    }
    if plan.digests() && how.generations && shape.has_headers() {
        match readers.once(|snapshot| generations::of(&plan, &shape, snapshot)) {
            Ok(found) => observation.generations = found,
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused("generations", &error.reason, error.sqlstate.as_deref()),
        }
    }
    if plan.strict && plan.digests() {
        let mut digest = readers.once(|snapshot| ordered::ordered(&shape, false, snapshot, observer));
        if digest.as_ref().is_err_and(|error| error.sqlstate.as_deref() == Some("42883")) {
            digest = readers.once(|snapshot| ordered::ordered(&shape, true, snapshot, observer));
        }
        match digest {
            Ok(digest) => observation.value("sha256", digest),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused("sha256", &error.reason, error.sqlstate.as_deref()),
        }
    }
    Ok(observation)
}

/// The storage and the headers of a relation in one digest, where it has them.
pub(super) fn headers(name: &str, snapshot: &mut Snapshot<'_>) -> Result<Option<String>, DatabaseError> {
    let Some(shape) = shape::of(name, snapshot)?.filter(Shape::has_headers) else { return Ok(None) };
    let settings = RelationSettings::default();
    let plan = Plan { settings: &settings, level: Level::Net, strict: true, by_text: false };
    let mut all = Totals::default();
    for part in &shape.parts {
        all.add(&plan.ask(part, snapshot, "")?);
    }
    Ok(Some(format!("{} {:?} {:?}", shape.storage(), all.counts, all.sums)))
}

/// The sums over every part, one after another; or the part that could not be read, and why.
fn totals(
    plan: &Plan<'_>,
    shape: &Shape,
    observation: &Observation,
    readers: &mut Readers<'_>,
    observer: &dyn Observer,
) -> Result<Totals, (String, DatabaseError)> {
    let mut all = Totals::default();
    for part in &shape.parts {
        let found = if part.pages > LONG && plan.digests() && !readers.others.is_empty() {
            observer.begin(&observation.id, part.pages);
            let found = together(plan, part, readers, observer);
            observer.end();
            found
        } else {
            readers.once(|snapshot| plan.ask(part, snapshot, ""))
        };
        all.add(&found.map_err(|error| (part.qualified.clone(), error))?);
    }
    Ok(all)
}

/// Ranges of pages, shared out to all sessions.
fn together(
    plan: &Plan<'_>,
    part: &Part,
    readers: &mut Readers<'_>,
    observer: &dyn Observer,
) -> Result<Totals, DatabaseError> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let found: Mutex<Vec<Result<Totals, DatabaseError>>> = Mutex::new(Vec::new());
    let keep = |result: Result<Totals, DatabaseError>| {
        if result.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        if let Ok(mut found) = found.lock() {
            found.push(result);
        }
    };
    readers.together(&|snapshot| {
        let mut snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(error) => return keep(Err(error)),
        };
        while !stop.load(Ordering::Relaxed) {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from > part.pages {
                break;
            }
            // The last range has no end: the table may have grown since it was measured.
            let to = from + CHUNK;
            let end = if to > part.pages { String::new() } else { format!(" AND cutter_row.ctid < '({to},0)'") };
            keep(plan.ask(part, &mut snapshot, &format!("WHERE cutter_row.ctid >= '({from},0)'{end}")));
            observer.advance(CHUNK.min(part.pages - from));
        }
    })?;
    let mut all = Totals::default();
    for one in found.into_inner().map_err(|_| DatabaseError::lost())? {
        all.add(&one?);
    }
    Ok(all)
}

/// Tables of more pages than this are shared out.
const LONG: u64 = 2048;

/// Pages in one statement: 8 MiB.
const CHUNK: u64 = 1024;
