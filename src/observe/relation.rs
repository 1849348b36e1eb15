//! Relations: rows, an order-independent digest of their content, and one of their headers, which every write moves.

mod ordered;

use crate::db::{DatabaseError, Session, Snapshot, identifier, literal};
use crate::evidence::{Observation, ObservationKind};
use crate::progress::Observer;
use crate::settings::evidence::{Level, RelationSettings};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// What an observation of relations needs beside the main snapshot.
pub struct Helpers<'a> {
    /// Further sessions, for long tables.
    pub sessions: &'a mut [Session],
    /// The main snapshot as they import it.
    pub exported: &'a str,
    /// How much is asked for.
    pub level: Level,
    /// Whether an ordered copy is digested instead of sums.
    pub strict: bool,
}

/// Observes one relation.
pub fn observe(
    name: &str,
    settings: &RelationSettings,
    snapshot: &mut Snapshot<'_>,
    helpers: &mut Helpers<'_>,
    observer: &dyn Observer,
) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(ObservationKind::Relation, name);
    let (schema, relation) = name.split_once('.').unwrap_or(("public", name));
    let sql = SHAPE.replace("$schema", &literal(schema)).replace("$name", &literal(relation));
    let shape = match snapshot.texts(&sql, 1) {
        Ok(shape) => shape,
        Err(error) if error.is_final() => return Err(error),
        Err(error) => {
            observation.refused("rows", &error.reason, error.sqlstate.as_deref());
            return Ok(observation);
        }
    };
    let Some([Some(oid), Some(filenode), Some(kind), Some(pages), Some(parent)]) = shape.first().map(Vec::as_slice)
    else {
        observation.value("exists", "false");
        observation.unknown("rows", "there is no such relation");
        return Ok(observation);
    };
    observation.value("exists", "true");
    observation.trace("storage", format!("{oid}/{filenode}"));
    let plan = Plan {
        qualified: format!("{}.{}", identifier(schema), identifier(relation)),
        settings,
        kind,
        level: helpers.level,
        strict: helpers.strict,
    };
    let pages: u64 = pages.parse().unwrap_or(0);
    let is_long = kind == "r" && parent == "false" && pages > LONG && plan.digests();
    let totals = if is_long {
        observer.begin(&observation.id, pages);
        let totals = together(&plan, pages, snapshot, helpers, observer);
        observer.end();
        totals
    } else {
        ask(&plan, snapshot, "")
    };
    match totals {
        Ok(totals) => plan.record(&totals, &mut observation),
        Err(error) if error.is_final() => return Err(error),
        Err(error) => observation.refused("rows", &error.reason, error.sqlstate.as_deref()),
    }
    if plan.strict && plan.level >= Level::Net {
        match ordered::ordered(&plan, oid, snapshot, observer) {
            Ok(digest) => observation.value("sha256", digest),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused("sha256", &error.reason, error.sqlstate.as_deref()),
        }
    }
    Ok(observation)
}

/// The storage and the headers of a relation in one digest, where it has them.
pub(super) fn headers(name: &str, snapshot: &mut Snapshot<'_>) -> Result<Option<String>, DatabaseError> {
    let (schema, relation) = name.split_once('.').unwrap_or(("public", name));
    let shape = snapshot.texts(&SHAPE.replace("$schema", &literal(schema)).replace("$name", &literal(relation)), 1)?;
    let Some([Some(oid), Some(filenode), Some(kind), ..]) = shape.first().map(Vec::as_slice) else { return Ok(None) };
    let qualified = format!("{}.{}", identifier(schema), identifier(relation));
    let settings = RelationSettings::default();
    let plan = Plan { qualified, settings: &settings, kind, level: Level::Net, strict: true };
    if !plan.has_headers() {
        return Ok(None);
    }
    let totals = ask(&plan, snapshot, "")?;
    Ok(Some(format!("{oid}/{filenode} {:?} {:?}", totals.counts, totals.sums)))
}

struct Plan<'a> {
    qualified: String,
    settings: &'a RelationSettings,
    kind: &'a str,
    level: Level,
    strict: bool,
}

/// Sums over some of the rows; sums of parts can be added.
#[derive(Clone, Debug)]
struct Totals {
    counts: Vec<u64>,
    sums: Vec<i128>,
    newest: Option<String>,
}

impl Plan<'_> {
    fn digests(&self) -> bool {
        self.level >= Level::Net
    }

    fn has_headers(&self) -> bool {
        matches!(self.kind, "r" | "p" | "m")
    }

    /// Counts first, then sums, then the newest time.
    fn sql(&self, range: &str) -> String {
        let mut inner = Vec::new();
        let mut outer = vec!["count(*)::text".to_owned()];
        for (index, condition) in self.settings.scopes.values().enumerate() {
            inner.push(format!("(\n{condition}\n) AS s{index}"));
            outer.push(format!("(count(*) FILTER (WHERE s{index}))::text"));
        }
        if self.digests() && !self.strict {
            // The bytes as they are sent: 1.0 is not 1.00, and every type has them. Hashed once, summed twice.
            inner.push("hash_record_extended(row(record_send(cutter_row.*)), 1) AS content".to_owned());
            outer.push("coalesce(sum(content), 0)::text".to_owned());
            outer.push("coalesce(sum(hashint8extended(content, 2)), 0)::text".to_owned());
        }
        if self.digests() && self.has_headers() {
            inner.push(
                "hash_record_extended(row(cutter_row.tableoid, cutter_row.ctid, cutter_row.xmin), 3) AS header"
                    .to_owned(),
            );
            outer.push("coalesce(sum(header), 0)::text".to_owned());
        }
        if let Some(column) = &self.settings.newest {
            inner.push(format!("cutter_row.{} AS newest", identifier(column)));
            outer.push("max(newest)::text".to_owned());
        }
        // Without the fence a hash would be computed once for every use of it.
        format!(
            "SELECT {} FROM (SELECT {} FROM {} AS cutter_row {range} OFFSET 0) AS rows",
            outer.join(", "),
            inner.join(", "),
            self.qualified
        )
    }

    fn read(&self, row: &[Option<String>]) -> Option<Totals> {
        let counts = 1 + self.settings.scopes.len();
        let content = if self.digests() && !self.strict { 2 } else { 0 };
        let sums = content + usize::from(self.digests() && self.has_headers());
        let number = |cell: &Option<String>| cell.as_deref()?.parse().ok();
        Some(Totals {
            counts: row.get(..counts)?.iter().map(|cell| cell.as_deref()?.parse().ok()).collect::<Option<_>>()?,
            sums: row.get(counts..counts + sums)?.iter().map(number).collect::<Option<_>>()?,
            newest: row.get(counts + sums).cloned().flatten(),
        })
    }

    fn record(&self, totals: &Totals, observation: &mut Observation) {
        let names =
            std::iter::once("rows".to_owned()).chain(self.settings.scopes.keys().map(|name| format!("rows {name}")));
        for (name, count) in names.zip(&totals.counts) {
            observation.value(name, count.to_string());
        }
        if let Some(column) = &self.settings.newest {
            observation.value(format!("newest {column}"), totals.newest.clone().unwrap_or_else(|| "none".to_owned()));
        }
        if self.digests() {
            let mut sums = totals.sums.iter();
            if !self.strict
                && let (Some(first), Some(second)) = (sums.next(), sums.next())
            {
                observation.value("content", format!("{first:032x}{second:032x}"));
            }
            match sums.next() {
                Some(header) => observation.trace("headers", format!("{header:032x}")),
                None if self.kind == "v" => {}
                None => observation.unknown("headers", "this kind of relation has no row headers"),
            }
        }
    }
}

/// One statement over the rows of a range.
fn ask(plan: &Plan<'_>, snapshot: &mut Snapshot<'_>, range: &str) -> Result<Totals, DatabaseError> {
    let rows = snapshot.texts(&plan.sql(range), 1)?;
    rows.first().and_then(|row| plan.read(row)).ok_or_else(DatabaseError::lost)
}

/// Ranges of pages, shared out to all sessions; the main one works as well, and so is never idle for long.
fn together(
    plan: &Plan<'_>,
    pages: u64,
    snapshot: &mut Snapshot<'_>,
    helpers: &mut Helpers<'_>,
    observer: &dyn Observer,
) -> Result<Totals, DatabaseError> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let found: Mutex<Vec<Result<Totals, DatabaseError>>> = Mutex::new(Vec::new());
    let work = |snapshot: &mut Snapshot<'_>| {
        while !stop.load(Ordering::Relaxed) {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from > pages {
                break;
            }
            // The last range has no end: the table may have grown since it was measured.
            let to = from + CHUNK;
            let end = if to > pages { String::new() } else { format!(" AND cutter_row.ctid < '({to},0)'") };
            let result = ask(plan, snapshot, &format!("WHERE cutter_row.ctid >= '({from},0)'{end}"));
            if result.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            if let Ok(mut found) = found.lock() {
                found.push(result);
            }
            observer.advance(CHUNK.min(pages - from));
        }
    };
    thread::scope(|scope| {
        for session in helpers.sessions.iter_mut() {
            let exported = helpers.exported;
            let (work, found, stop) = (&work, &found, &stop);
            scope.spawn(move || match session.begin_at(exported) {
                Ok(mut snapshot) => work(&mut snapshot),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    if let Ok(mut found) = found.lock() {
                        found.push(Err(error));
                    }
                }
            });
        }
        work(snapshot);
    });
    let found = found.into_inner().map_err(|_| DatabaseError::lost())?;
    let mut parts = found.into_iter();
    let mut totals = parts.next().unwrap_or_else(|| Err(DatabaseError::lost()))?;
    for part in parts {
        let part = part?;
        totals.counts.iter_mut().zip(&part.counts).for_each(|(total, count)| *total = total.saturating_add(*count));
        totals.sums.iter_mut().zip(&part.sums).for_each(|(total, sum)| *total = total.wrapping_add(*sum));
        totals.newest = totals.newest.max(part.newest);
    }
    Ok(totals)
}

/// Tables of more pages than this are shared out.
const LONG: u64 = 2048;

/// Pages in one statement: 8 MiB.
const CHUNK: u64 = 1024;

/// Seen by everybody, also where the rows are not.
const SHAPE: &str = "
SELECT c.oid::text, c.relfilenode::text, c.relkind::text,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::int ELSE 0 END::text,
       c.relhassubclass::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $schema AND c.relname = $name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
