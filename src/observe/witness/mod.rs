//! A witness: it lives beside a run and writes down what happens, so that what was done and undone is seen.

mod parts;

use crate::db::{Access, DatabaseError, Session, Snapshot};
use crate::digest::Digest;
use crate::evidence::witness::{Beat, Blind, Closed, LOGGED, Line, Opened, PartRecord, Seen};
use crate::observe::counters::{Counted, WANTED, places};
use crate::observe::sessions::Sessions;
use crate::observe::{capture, database, scope};
use crate::problem::{Problem, Problems};
use crate::settings::evidence::EvidenceSettings;
use crate::time::Timestamp;
use parts::{Part, Watched};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

/// What a witness is made from.
pub struct Watch<'a> {
    /// What to observe.
    pub settings: &'a EvidenceSettings,
    /// How to reach the database.
    pub access: &'a Access,
    /// Sha-256 over the configuration.
    pub config: Digest,
    /// How long to rest between two looks.
    pub rest: Duration,
    /// Why to end, once there is a reason.
    pub stop: &'a dyn Fn() -> Option<String>,
}

/// How far the witness has looked.
struct Position {
    /// By the server's clock.
    at: Timestamp,
    snapshot: String,
    /// What the log tells of.
    relations: BTreeMap<String, String>,
}

/// A part that watches, and since when what it has not told yet may have happened.
struct Watching {
    part: Box<dyn Part>,
    since: Timestamp,
    failed: Option<String>,
    is_over: bool,
}

/// Watches until it is told to stop; each line is handed to `write` before the next look, and has to be durable then.
///
/// A lost connection ends it with a line that says so.
pub fn watch(task: &Watch<'_>, write: &mut dyn FnMut(&Line) -> Result<(), Problem>) -> Result<(), Problems> {
    let mut session = task.access.open()?;
    let scope = session.begin().and_then(|mut snapshot| scope::resolve(task.settings, &mut snapshot));
    let scope = scope.map_err(|error| error.problem("the witness cannot begin"))?;
    let counted = Counted { reads: BTreeSet::new(), called: BTreeMap::new(), ..capture::counted(&scope) };
    let watched = Watched { access: task.access, settings: &scope.settings, counted };
    let opened = open(task, &mut session, &watched);
    let (opened, mut parts, at) = opened.map_err(|error| error.problem("the witness cannot begin"))?;
    let mut position = Position { at, snapshot: opened.snapshot.clone(), relations: opened.relations.clone() };
    write(&Line::Opened(opened))?;
    let told = tell(task, &mut session, &watched, &mut parts, &mut position, write);
    match told {
        Ok(result) => Ok(result?),
        // What came after the last look is not known.
        Err(error) => {
            let at = position.at;
            Ok(write(&Line::Blind(Blind { at, part: None, reason: error.to_string() }))?)
        }
    }
}

type Begun = (Opened, Vec<Watching>, Timestamp);

fn open(task: &Watch<'_>, session: &mut Session, watched: &Watched<'_>) -> Result<Begun, DatabaseError> {
    let mut records = Vec::new();
    let mut watching = Vec::new();
    for mut part in parts::all() {
        let off = match part.open(session, watched) {
            Ok(()) => None,
            Err(error) if error.is_final() => return Err(error),
            Err(error) => Some(error.to_string()),
        };
        records.push(PartRecord {
            name: part.name().to_owned(),
            off: off.clone(),
            blind_to: part.blind_to().to_owned(),
        });
        if off.is_none() {
            watching.push(part);
        }
    }
    let mut snapshot = session.begin()?;
    let relations = kinds(watched.settings, &mut snapshot)?;
    let record = database::identify(&mut snapshot)?;
    drop(snapshot);
    // After everything is being watched: what comes later is not missed.
    let at = database::clock(session)?;
    let watching =
        watching.into_iter().map(|part| Watching { part, since: at, failed: None, is_over: false }).collect();
    let opened = Opened {
        version: 1,
        at,
        config_sha256: task.config,
        system_identifier: record.system_identifier,
        database: record.name,
        role: record.role,
        server_started_at: record.server_started_at,
        snapshot: record.snapshot,
        relations,
        parts: records,
    };
    Ok((opened, watching, at))
}

/// Each watched relation `logged`, or why the log does not tell of it.
fn kinds(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<BTreeMap<String, String>, DatabaseError> {
    let absent = |name: &String| (name.clone(), "there is no such relation".to_owned());
    let mut relations: BTreeMap<String, String> = settings.relations.keys().map(absent).collect();
    let names: Vec<String> = settings.relations.keys().cloned().collect();
    let (names, schemas, tables) = places(&names);
    for row in snapshot.query(&format!("{WANTED}{KINDS}"), &[&names, &schemas, &tables])? {
        if let (Ok(name), Ok(kind)) = (row.try_get::<_, String>(0), row.try_get::<_, Option<String>>(1)) {
            relations.insert(name, kind.unwrap_or_else(|| LOGGED.to_owned()));
        }
    }
    Ok(relations)
}

/// Looks until it is told to stop, and once more when counters have arrived.
fn tell(
    task: &Watch<'_>,
    session: &mut Session,
    watched: &Watched<'_>,
    parts: &mut [Watching],
    position: &mut Position,
    write: &mut dyn FnMut(&Line) -> Result<(), Problem>,
) -> Result<Result<(), Problem>, DatabaseError> {
    let mut beaten = Instant::now();
    loop {
        let stop = (task.stop)();
        let settled = match &stop {
            Some(_) => {
                let lag = Duration::from_secs(u64::from(task.settings.counter_lag_seconds));
                let mut sessions = Sessions::default();
                sessions.wait(session, lag.saturating_add(lag / 5))?;
                sessions.in_flight().is_empty()
            }
            None => false,
        };
        let now = session.begin()?.text("SELECT pg_current_snapshot()::text")?.unwrap_or_default();
        let moved = now != position.snapshot || stop.is_some();
        let began = database::clock(session)?;
        let mut lines = look(session, watched, parts, began, moved, stop.is_some())?;
        let at = began;
        if began < position.at {
            let reason = format!("the server's clock went back from {}", position.at);
            lines.insert(0, Line::Blind(Blind { at, part: None, reason }));
        }
        if moved {
            let relations = kinds(watched.settings, &mut session.begin()?)?;
            for (name, kind) in relations.iter().filter(|(name, kind)| position.relations.get(*name) != Some(*kind)) {
                let reason = format!("what the log tells of `{name}` changed: {kind}");
                lines.push(Line::Blind(Blind { at, part: None, reason }));
            }
            position.relations = relations;
        }
        (position.at, position.snapshot) = (began, now.clone());
        if let Some(reason) = &stop {
            lines.push(Line::Closed(Closed { at, snapshot: now, reason: reason.clone(), settled }));
        } else if beaten.elapsed() >= BEAT {
            beaten = Instant::now();
            lines.push(Line::Beat(Beat { at, snapshot: now }));
        }
        let written = lines.iter().try_for_each(&mut *write);
        if written.is_err() || stop.is_some() {
            return Ok(written);
        }
        let rested = Instant::now();
        while rested.elapsed() < task.rest && (task.stop)().is_none() {
            thread::sleep(Duration::from_millis(50).min(task.rest));
        }
    }
}

/// One look of every part, which begins at `began`; what comes during it may be missed by it.
fn look(
    session: &mut Session,
    watched: &Watched<'_>,
    parts: &mut [Watching],
    began: Timestamp,
    moved: bool,
    is_last: bool,
) -> Result<Vec<Line>, DatabaseError> {
    let mut lines = Vec::new();
    for watching in parts.iter_mut().filter(|watching| !watching.is_over) {
        if !moved && watching.part.follows_snapshot() && watching.failed.is_none() {
            watching.since = began;
            continue;
        }
        let name = watching.part.name().to_owned();
        let found = watching.part.look(session, watched, is_last);
        let to = database::clock(session)?;
        match found {
            Ok(look) => {
                watching.failed = None;
                for (id, what) in look.seen {
                    let (from, part) = (watching.since, name.clone());
                    lines.push(Line::Seen(Seen { from, to, part, id, what }));
                }
                if let Some(reason) = look.blind {
                    lines.push(Line::Blind(Blind { at: to, part: Some(name), reason }));
                }
                let late = i64::try_from(look.late.as_millis()).unwrap_or(i64::MAX);
                let since = Timestamp::from_milliseconds(began.milliseconds().saturating_sub(late));
                watching.since = since.unwrap_or(began);
            }
            Err(error) if error.is_final() => return Err(error),
            Err(error) => {
                watching.failed = Some(error.to_string());
                watching.is_over = watching.part.ends_with_a_failure();
            }
        }
        if let Some(reason) = watching.failed.take_if(|_| is_last || watching.is_over) {
            lines.push(Line::Blind(Blind { at: began, part: Some(watching.part.name().to_owned()), reason }));
        }
    }
    Ok(lines)
}

/// A sign of life at least so often.
const BEAT: Duration = Duration::from_secs(10);

/// Why the log does not tell of a relation or of one that inherits from it; nothing where it does.
const KINDS: &str = "
SELECT w.name,
       min(CASE WHEN c.relpersistence = 'p' AND c.relkind IN ('r', 'p', 'm') THEN NULL
                ELSE CASE WHEN w.oid = w.top THEN 'it'
                          ELSE 'its partition or child ' || n.nspname || '.' || c.relname END
                     || CASE WHEN c.relpersistence <> 'p' THEN ' is not logged' ELSE ' holds no rows of its own' END END)
FROM wanted w JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace GROUP BY 1";
