//! Relations: rows, an order-independent digest of their content, and one of their headers, which every write moves.

mod batch;
mod generations;
mod ordered;
mod shape;
mod sums;

use crate::db::{DatabaseError, Readers, Snapshot, identifier};
use crate::evidence::{Observation, ObservationKind};
use crate::progress::Observer;
use crate::settings::evidence::{Level, RelationSettings};
use shape::{Part, Shape};
use std::collections::BTreeMap;
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

/// Observes relations, each as `how` says by its name.
pub fn observe(
    relations: &BTreeMap<String, RelationSettings>,
    how: &dyn Fn(&str) -> How,
    readers: &mut Readers<'_>,
    observer: &dyn Observer,
) -> Result<Vec<Observation>, DatabaseError> {
    let names: Vec<&str> = relations.keys().map(String::as_str).collect();
    let shapes = match readers.once(|snapshot| shape::all(&names, snapshot)) {
        Err(error) if error.is_final() => return Err(error),
        shapes => shapes,
    };
    let known = match &shapes {
        Ok(shapes) => together_if_short(relations, shapes, how, readers)?,
        Err(_) => BTreeMap::new(),
    };
    let mut observations = Vec::new();
    for (name, settings) in relations {
        let mut observation = Observation::new(ObservationKind::Relation, name);
        match shapes.as_ref().map(|shapes| shapes.get(name)) {
            Ok(Some(shape)) => {
                one(settings, &how(name), shape, known.get(name.as_str()), &mut observation, readers, observer)?;
            }
            Ok(None) => {
                observation.value("exists", "false");
                observation.unknown("rows", "there is no such relation");
            }
            Err(error) => observation.refused("rows", &error.reason, error.sqlstate.as_deref()),
        }
        observations.push(observation);
    }
    Ok(observations)
}

/// The sums over short relations, as far as they could be read together.
fn together_if_short<'a>(
    relations: &'a BTreeMap<String, RelationSettings>,
    shapes: &BTreeMap<String, Shape>,
    how: &dyn Fn(&str) -> How,
    readers: &mut Readers<'_>,
) -> Result<BTreeMap<&'a str, Totals>, DatabaseError> {
    let mut known = BTreeMap::new();
    let Some(first) = relations.keys().next() else { return Ok(known) };
    let How { level, strict, .. } = how(first);
    let plain = RelationSettings::default();
    let plan = Plan { settings: &plain, level, strict, by_text: false };
    let short = relations.iter().filter_map(|(name, settings)| {
        let shape = shapes.get(name)?;
        batch::takes(&Plan { settings, ..plan }, shape).then_some((name.as_str(), shape))
    });
    let short: Vec<(&str, &Shape)> = short.collect();
    let mut names = short.iter().map(|(name, _)| *name);
    let batches = batch::split(short.iter().map(|(_, shape)| *shape));
    let all = readers.each(&batches, &|shapes, snapshot| batch::ask(&plan, shapes, snapshot))?;
    for (shapes, found) in batches.iter().zip(all) {
        let names: Vec<&str> = names.by_ref().take(shapes.len()).collect();
        match found {
            Ok(totals) => known.extend(names.into_iter().zip(totals)),
            Err(error) if error.is_final() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(known)
}

/// Observes one relation, of which the sums may be known.
fn one(
    settings: &RelationSettings,
    how: &How,
    shape: &Shape,
    known: Option<&Totals>,
    observation: &mut Observation,
    readers: &mut Readers<'_>,
    observer: &dyn Observer,
) -> Result<(), DatabaseError> {
    observation.value("exists", "true");
    observation.trace("storage", shape.storage());
    let mut plan = Plan { settings, level: how.level, strict: how.strict, by_text: false };
    let mut found = match known {
        Some(known) => Ok(known.clone()),
        None => totals(&plan, shape, observation, readers, observer),
    };
    // A type without a binary form, somewhere in the rows.
    if matches!(&found, Err((_, error)) if error.sqlstate.as_deref() == Some("42883")) {
        plan.by_text = true;
        found = totals(&plan, shape, observation, readers, observer);
    }
    match found {
        Ok(found) => plan.record(shape, &found, observation),
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
        match readers.once(|snapshot| generations::of(&plan, shape, snapshot)) {
            Ok(found) => observation.generations = found,
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused("generations", &error.reason, error.sqlstate.as_deref()),
        }
    }
    if plan.strict && plan.digests() {
        let mut digest = readers.once(|snapshot| ordered::ordered(shape, false, snapshot, observer));
        if digest.as_ref().is_err_and(|error| error.sqlstate.as_deref() == Some("42883")) {
            digest = readers.once(|snapshot| ordered::ordered(shape, true, snapshot, observer));
        }
        match digest {
            Ok(digest) => observation.value("sha256", digest),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused("sha256", &error.reason, error.sqlstate.as_deref()),
        }
    }
    Ok(())
}

/// The storage and the headers of a relation in one digest, where it has them.
pub(super) fn headers(name: &str, snapshot: &mut Snapshot<'_>) -> Result<Option<String>, DatabaseError> {
    let Some(shape) = shape::all(&[name], snapshot)?.remove(name).filter(Shape::has_headers) else {
        return Ok(None);
    };
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
