//! Tuple counters and calls: they see what was undone, if they are given the time to arrive.

use crate::db::{DatabaseError, Session, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

/// Counters by the observation they belong to, then by name.
pub type Readings = BTreeMap<String, BTreeMap<String, i64>>;

/// Counters and what they could be held back by, at one moment.
#[derive(Debug)]
pub struct Reading {
    /// The counters.
    pub readings: Readings,
    /// Running transactions of other sessions.
    pub running: BTreeSet<String>,
    /// When counters were last set to zero.
    pub reset_at: String,
    /// The snapshot of this moment.
    pub snapshot: String,
}

/// Reads everything that counts, outside any snapshot that evidence is taken in.
pub fn read(session: &mut Session, relations: &[String], functions: &[String]) -> Result<Reading, DatabaseError> {
    let mut snapshot = session.begin()?;
    // Each value as it is now, not as it was at the first look.
    snapshot.text("SELECT set_config('stats_fetch_consistency', 'none', true)").or_else(|error| {
        // Servers before version 15 have no such setting, and read afresh in each transaction.
        if error.sqlstate.as_deref() == Some("42704") { Ok(None) } else { Err(error) }
    })?;
    let names: Vec<&str> = relations.iter().map(String::as_str).collect();
    let mut readings = Readings::new();
    for row in snapshot.query(RELATIONS, &[&names])? {
        let (id, inserted, updated, deleted) = (row.try_get(0), row.try_get(1), row.try_get(2), row.try_get(3));
        if let (Ok(id), Ok(inserted), Ok(updated), Ok(deleted)) = (id, inserted, updated, deleted) {
            let counters = [("inserted", inserted), ("updated", updated), ("deleted", deleted)];
            readings.insert(id, counters.into_iter().map(|(name, count)| (name.to_owned(), count)).collect());
        }
    }
    if !functions.is_empty() {
        calls(&mut snapshot, functions, &mut readings)?;
    }
    let running = running(&mut snapshot)?;
    let reset_at = snapshot.text(RESET)?.unwrap_or_else(|| "never".to_owned());
    let text = snapshot.text("SELECT pg_current_snapshot()::text")?.unwrap_or_default();
    Ok(Reading { readings, running, reset_at, snapshot: text })
}

/// Waits until no other session is left, or for `lag` since `since`. Gives whether counters can be believed.
pub fn settle(session: &mut Session, since: Instant, lag: Duration, own: usize) -> Result<bool, DatabaseError> {
    loop {
        let others = session.begin()?.text(OTHERS)?.and_then(|count| count.parse::<usize>().ok());
        if others.is_some_and(|others| others <= own) {
            return Ok(true);
        }
        let waited = since.elapsed();
        if waited >= lag {
            return Ok(waited >= LONGEST_LAG);
        }
        thread::sleep(Duration::from_millis(200).min(lag - waited));
    }
}

/// Calls are counted only where the server was told to.
fn calls(snapshot: &mut Snapshot<'_>, functions: &[String], readings: &mut Readings) -> Result<(), DatabaseError> {
    let tracked = snapshot.text("SELECT current_setting('track_functions')")?;
    if !matches!(tracked.as_deref(), Some("all" | "pl")) {
        return Ok(());
    }
    let names: Vec<&str> = functions.iter().map(String::as_str).collect();
    for row in snapshot.query(CALLS, &[&names, &(tracked.as_deref() == Some("all"))])? {
        if let (Ok(id), Ok(calls)) = (row.try_get::<_, String>(0), row.try_get::<_, i64>(1)) {
            readings.insert(id, BTreeMap::from([("calls".to_owned(), calls)]));
        }
    }
    Ok(())
}

fn running(snapshot: &mut Snapshot<'_>) -> Result<BTreeSet<String>, DatabaseError> {
    Ok(snapshot.texts(RUNNING, 100_000)?.into_iter().flatten().flatten().collect())
}

/// The longest time for which a session that is not in a transaction holds counters back.
const LONGEST_LAG: Duration = Duration::from_secs(10);

/// Those of a relation are those of it and of all that inherit from it.
const RELATIONS: &str = "
WITH RECURSIVE wanted AS (
    SELECT CASE WHEN n.nspname = 'pg_catalog' THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS name, c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname = ANY ($1)
    UNION
    SELECT w.name, i.inhrelid FROM wanted w JOIN pg_inherits i ON i.inhparent = w.oid
)
SELECT name, sum(pg_stat_get_tuples_inserted(oid))::bigint, sum(pg_stat_get_tuples_updated(oid))::bigint,
       sum(pg_stat_get_tuples_deleted(oid))::bigint
FROM wanted GROUP BY name";

/// A function in SQL or C is counted only with `all`.
const CALLS: &str = "
SELECT 'function:' || n.nspname || '.' || p.proname, coalesce(sum(pg_stat_get_function_calls(p.oid)), 0)::bigint
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname || '.' || p.proname = ANY ($1)
GROUP BY 1 HAVING bool_and($2 OR l.lanname NOT IN ('sql', 'c', 'internal'))";

const RESET: &str = "SELECT to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM pg_stat_database WHERE datname = current_database()";

const RUNNING: &str = "
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()
  AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE application_name = 'cutter-observe' AND usename = session_user)";

/// Sessions of a database, our own excepted, which only read; the number is all that anybody may see of the others.
const OTHERS: &str = "
SELECT count(*)::text FROM pg_stat_activity
WHERE datid IS NOT NULL AND pid <> pg_backend_pid()
  AND (application_name = 'cutter-observe' AND usename = session_user) IS NOT TRUE";
