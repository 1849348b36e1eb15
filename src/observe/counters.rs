//! Tuple counters and calls: they see what was undone, if the server counts and they are given the time to arrive.

use crate::db::{DatabaseError, Session, Snapshot, own_sessions};
use crate::evidence::ObservationId;
use crate::observe::reads::Read;
use crate::settings::evidence::split_name;
use std::collections::{BTreeMap, BTreeSet};

/// Counters by the observation they belong to, then by name.
pub type Readings = BTreeMap<String, BTreeMap<String, i64>>;

/// Counters and what they could be held back by, at one moment.
#[derive(Debug)]
pub struct Reading {
    /// The counters.
    pub readings: Readings,
    /// Running transactions of other sessions.
    pub running: BTreeSet<String>,
    /// When counters were last set to zero, by somebody or by a crash.
    pub reset_at: String,
    /// Transactions of this database that were rolled back.
    pub rollbacks: i64,
    /// The snapshot of this moment.
    pub snapshot: String,
    /// Why some of what happens here may not be counted.
    pub blind: Vec<String>,
    /// What part of a view or a partitioned table nobody counts, by relation.
    pub uncounted: BTreeMap<String, String>,
    /// Why calls may not be counted, by function.
    pub calls_blind: BTreeMap<String, String>,
}

/// What is counted.
#[derive(Debug)]
pub struct Counted {
    /// Relations, by name.
    pub relations: Vec<String>,
    /// Functions, by name.
    pub functions: Vec<String>,
    /// What queries read.
    pub reads: BTreeSet<Read>,
    /// The function that may read something, of each query that calls one.
    pub called: BTreeMap<ObservationId, String>,
}

/// Reads everything that counts, outside any snapshot that evidence is taken in.
pub fn read(session: &mut Session, counted: &Counted) -> Result<Reading, DatabaseError> {
    let Counted { relations, functions, reads, called } = counted;
    let mut snapshot = session.begin()?;
    // Each value as it is now, not as it was at the first look.
    snapshot.text("SELECT set_config('stats_fetch_consistency', 'none', true)").or_else(|error| {
        // Servers before version 15 have no such setting, and read again in each transaction.
        if error.sqlstate.as_deref() == Some("42704") { Ok(None) } else { Err(error) }
    })?;
    let mut readings = Readings::new();
    let mut uncounted: BTreeMap<String, String> =
        called.iter().map(|(id, function)| (id.to_string(), unseen(function))).collect();
    let (mut names, mut schemas, mut tables) = places(relations);
    for read in reads {
        names.push(read.id.as_str());
        schemas.push(read.schema.clone());
        tables.push(read.name.clone());
    }
    for row in
        snapshot.query(&format!("{WANTED}{}", COUNTS.replace("$may_read", MAY_READ)), &[&names, &schemas, &tables])?
    {
        let (Ok(id), Ok(inserted), Ok(updated), Ok(deleted)) =
            (row.try_get::<_, String>(0), row.try_get(1), row.try_get(2), row.try_get(3))
        else {
            continue;
        };
        let text = |index| row.try_get::<_, Option<String>>(index).ok().flatten();
        if let Some(uncountable) = text(4) {
            uncounted.insert(id.clone(), format!("nothing counts what is done to the {uncountable} in it"));
        } else if let Some(function) = text(5) {
            uncounted.insert(id.clone(), unseen(&function));
        }
        let counters = [("inserted", inserted), ("updated", updated), ("deleted", deleted)];
        readings.insert(id, counters.into_iter().map(|(name, count)| (name.to_owned(), count)).collect());
    }
    let mut calls_blind = BTreeMap::new();
    if !functions.is_empty() {
        calls(&mut snapshot, functions, &mut readings, &mut calls_blind)?;
    }
    let list = |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten();
    let own: Vec<String> = own_sessions().iter().map(i32::to_string).collect();
    let running = list(snapshot.texts(&RUNNING.replace("$own", &own.join(",")), 100_000)?).collect();
    let blind = list(snapshot.texts(&BLIND.replace("$setting", "track_counts"), 1000)?).collect();
    let marks = snapshot.texts(MARKS, 1)?.into_iter().next().unwrap_or_default();
    let [Some(reset_at), Some(rollbacks), Some(text)] = marks.as_slice() else { return Err(DatabaseError::lost()) };
    let rollbacks = rollbacks.parse().map_err(|_| DatabaseError::lost())?;
    let (reset_at, snapshot) = (reset_at.clone(), text.clone());
    Ok(Reading { readings, running, reset_at, rollbacks, snapshot, blind, uncounted, calls_blind })
}

fn unseen(function: &str) -> String {
    format!("nothing counts what is done to what the function {function} in it reads")
}

/// Names as they are written, with the schema and the table that each means.
pub fn places(names: &[String]) -> (Vec<&str>, Vec<String>, Vec<String>) {
    let mut found = (Vec::new(), Vec::new(), Vec::new());
    for (name, (schema, table)) in names.iter().filter_map(|name| Some((name, split_name(name)?))) {
        found.0.push(name.as_str());
        found.1.push(schema);
        found.2.push(table);
    }
    found
}

/// Calls are counted only where the server was told to, and never those that end in an error.
fn calls(
    snapshot: &mut Snapshot<'_>,
    functions: &[String],
    readings: &mut Readings,
    blind: &mut BTreeMap<String, String>,
) -> Result<(), DatabaseError> {
    let tracked = snapshot.text("SELECT current_setting('track_functions')")?.unwrap_or_default();
    let mut elsewhere = snapshot.texts(&BLIND.replace("$setting", "track_functions"), 1000)?.into_iter().flatten();
    let elsewhere = elsewhere.next().flatten();
    let (names, schemas, functions) = places(functions);
    for row in snapshot.query(CALLS, &[&names, &schemas, &functions])? {
        let (Ok(name), Ok(calls), Ok(is_pl), Ok(may_be_inlined)) =
            (row.try_get::<_, String>(0), row.try_get::<_, i64>(1), row.try_get(2), row.try_get(3))
        else {
            continue;
        };
        let id = format!("function:{name}");
        let why = match (tracked.as_str(), is_pl, may_be_inlined) {
            ("all", _, true) => {
                Some("a call of a function in SQL may be inlined, and then nothing counts it".to_owned())
            }
            ("all", _, false) | ("pl", true, _) => elsewhere.clone(),
            (other, ..) => Some(format!("`track_functions` is `{other}`, which does not count it")),
        };
        if let Some(why) = why {
            blind.insert(id.clone(), why);
        }
        readings.insert(id, BTreeMap::from([("calls".to_owned(), calls)]));
    }
    Ok(())
}

/// The wanted relations with all that lies under them: partitions, children, and what a view reads.
pub const WANTED: &str = "
WITH RECURSIVE wanted AS (
    SELECT w.name, c.oid, c.oid AS top
    FROM unnest($1::text[], $2::text[], $3::text[]) AS w (name, schema, relation)
    JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation
    UNION
    SELECT w.name, below.oid, w.top FROM wanted w, LATERAL (
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = w.oid
        UNION ALL
        SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.oid
        WHERE r.ev_class = w.oid AND (SELECT relkind FROM pg_class WHERE oid = w.oid) = 'v'
    ) AS below (oid)
)";

const COUNTS: &str = "
SELECT w.name, coalesce(sum(pg_stat_get_tuples_inserted(w.oid)), 0)::bigint,
       coalesce(sum(pg_stat_get_tuples_updated(w.oid)), 0)::bigint, coalesce(sum(pg_stat_get_tuples_deleted(w.oid)), 0)::bigint,
       min(CASE c.relkind WHEN 'f' THEN 'foreign table ' WHEN 'S' THEN 'sequence ' END || c.oid::regclass), min(called.name)
FROM wanted w JOIN pg_class c ON c.oid = w.oid
LEFT JOIN LATERAL (
    SELECT p.oid::regprocedure::text AS name
    FROM pg_rewrite r, regexp_matches(r.ev_action::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS found (ids)
    JOIN pg_proc p ON p.oid = found.ids[1]::oid JOIN pg_language l ON l.oid = p.prolang
    WHERE c.relkind = 'v' AND r.ev_class = c.oid
      AND $may_read
    ORDER BY 1 LIMIT 1) AS called ON true
GROUP BY w.name";

/// Whether a function `p` in a language `l` may read something, by what it says of itself.
pub const MAY_READ: &str = "
(p.provolatile = 'v' OR l.lanname NOT IN ('internal', 'c') OR (p.prokind = 'a' AND p.oid >= 16384)
 OR p.proname IN ('table_to_xml', 'schema_to_xml', 'database_to_xml', 'table_to_xml_and_xmlschema',
                  'schema_to_xml_and_xmlschema', 'database_to_xml_and_xmlschema'))";

/// A function that its own settings or another owner's rights surround is never inlined.
const CALLS: &str = "
SELECT w.name, coalesce(sum(pg_stat_get_function_calls(p.oid)), 0)::bigint,
       bool_and(l.lanname NOT IN ('sql', 'c', 'internal')),
       bool_or(l.lanname = 'sql' AND p.prokind = 'f' AND NOT p.prosecdef AND p.proconfig IS NULL)
FROM unnest($1::text[], $2::text[], $3::text[]) AS w (name, schema, function)
JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = w.function
JOIN pg_language l ON l.oid = p.prolang
GROUP BY w.name";

/// A server that was killed and recovered has reset what it counts for itself, too.
const MARKS: &str = "
SELECT concat_ws(' ', coalesce(to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'never'),
                 'server ' || (SELECT to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM pg_stat_archiver)),
       xact_rollback::text, pg_current_snapshot()::text
FROM pg_stat_database WHERE datname = current_database()";

/// Where a setting that only a superuser may change keeps something from being counted; none where all of it is.
const BLIND: &str = "
SELECT 'a standby counts nothing: capture on its primary' WHERE pg_is_in_recovery()
UNION ALL
SELECT 'the server does not count: `$setting` is ' || current_setting('$setting') WHERE current_setting('$setting') IN ('off', 'none')
UNION ALL
SELECT format('%s does not count: `%s`', concat_ws(' in ', coalesce(r.rolname, 'every role'), d.datname), c.setting)
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c (setting)
LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND lower(split_part(c.setting, '=', 1)) = '$setting'
  AND lower(split_part(c.setting, '=', 2)) <> ALL (ARRAY['on', 'true', 'yes', '1', 't', 'y', 'all'])
UNION ALL
SELECT format('the function %s does not count: `%s`', p.oid::regprocedure, c.setting)
FROM pg_proc p CROSS JOIN unnest(p.proconfig) AS c (setting) WHERE lower(split_part(c.setting, '=', 1)) = '$setting'
UNION ALL
SELECT format('%s may switch `$setting` off: SET on it is granted', CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END)
FROM pg_parameter_acl p CROSS JOIN aclexplode(p.paracl) AS a
WHERE p.parname = '$setting' AND a.privilege_type = 'SET'
  AND NOT coalesce((SELECT rolsuper FROM pg_roles WHERE oid = a.grantee), false)";

const RUNNING: &str = "
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'virtualxid' AND pid <> ALL ('{$own}')";
