//! The server's log, read with `pg_walinspect`: every change of the watched tables' files, roll-backs included.

use super::{Look, Part, Watched, cannot, flushed};
use crate::db::{DatabaseError, Session, Snapshot, identifier, literal};
use crate::evidence::{ObservationId, ObservationKind};
use crate::observe::counters::{WANTED, places};
use std::collections::{BTreeMap, BTreeSet};

/// How far the log was read, and in which files the watched tables lie or lay.
#[derive(Default)]
pub struct Wal {
    /// Where the last whole record that was read ends. What is on the disk may end inside of one; that one comes later.
    from: String,
    /// Where that record begins: the server refuses to read where it finds no whole record.
    anchor: String,
    function: String,
    paths: BTreeSet<(String, String)>,
}

impl Wal {
    fn locate(&mut self, snapshot: &mut Snapshot<'_>, watched: &Watched<'_>) -> Result<(), DatabaseError> {
        let names = watched.places();
        let (names, schemas, tables) = places(&names);
        for row in snapshot.query(&format!("{WANTED}{PATHS}"), &[&names, &schemas, &tables])? {
            if let (Ok(name), Ok(path)) = (row.try_get(0), row.try_get(1)) {
                self.paths.insert((name, path));
            }
        }
        Ok(())
    }
}

impl Part for Wal {
    fn name(&self) -> &'static str {
        "wal"
    }

    fn blind_to(&self) -> &'static str {
        "unlogged tables; DDL, grants and sequences; who did it"
    }

    fn open(&mut self, session: &mut Session, watched: &Watched<'_>) -> Result<(), DatabaseError> {
        let mut snapshot = session.begin()?;
        let schema = snapshot.text(FUNCTION)?;
        let schema = schema.ok_or_else(|| cannot("`pg_walinspect` is not installed, or may not be executed"))?;
        self.function = format!("{}.pg_get_wal_records_info", identifier(&schema));
        self.from = snapshot.text(POSITION)?.ok_or_else(DatabaseError::lost)?;
        self.anchor.clone_from(&self.from);
        self.locate(&mut snapshot, watched)
    }

    fn look(&mut self, session: &mut Session, watched: &Watched<'_>, is_last: bool) -> Result<Look, DatabaseError> {
        let mut snapshot = session.begin()?;
        let mut look = Look { late: flushed(&mut snapshot, is_last)?, ..Look::default() };
        let to = snapshot.text(POSITION)?.ok_or_else(DatabaseError::lost)?;
        if to == self.from {
            return Ok(look);
        }
        // Where a table lies now, and where it lay before it was rewritten.
        self.locate(&mut snapshot, watched)?;
        let (names, paths): (Vec<&str>, Vec<&str>) =
            self.paths.iter().map(|(name, path)| (name.as_str(), path.as_str())).unzip();
        let sql = RECORDS
            .replace("$function", &self.function)
            .replace("$anchor", &literal(&self.anchor))
            .replace("$from", &literal(&self.from))
            .replace("$to", &literal(&to));
        let unreadable = |_| cannot("records of the log are in an unknown format");
        for row in snapshot.query(&sql, &[&names, &paths])? {
            let name: Option<String> = row.try_get(0).map_err(unreadable)?;
            if let Some(name) = name {
                let counts: &mut BTreeMap<String, i64> =
                    look.seen.entry(ObservationId::new(ObservationKind::Relation, name)).or_default();
                counts.insert(row.try_get(1).map_err(unreadable)?, row.try_get(2).map_err(unreadable)?);
            }
            self.anchor = row.try_get(3).map_err(unreadable)?;
            self.from = row.try_get(4).map_err(unreadable)?;
        }
        Ok(look)
    }
}

/// Installed, and given to us.
const FUNCTION: &str = "
SELECT n.nspname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'pg_walinspect'
WHERE p.proname = 'pg_get_wal_records_info' AND has_function_privilege(p.oid, 'EXECUTE')
  AND has_schema_privilege(n.oid, 'USAGE')
LIMIT 1";

const POSITION: &str = "SELECT pg_current_wal_flush_lsn()::text";

const PATHS: &str = "
SELECT w.name, format('rel %s/%s/%s ', CASE c.reltablespace WHEN 0 THEN d.dattablespace ELSE c.reltablespace END, d.oid, c.relfilenode)
FROM wanted w JOIN pg_class c ON c.oid = w.oid AND c.relfilenode <> 0, pg_database d WHERE d.datname = current_database()";

/// What only locks, prunes or freezes a row changes nothing that it says. Each row also says where the last record of all
/// begins and ends; one that ends after what is on the disk is not among them.
const RECORDS: &str = "
SELECT f.name, CASE WHEN f.name IS NOT NULL THEN lower(i.record_type) END, count(*),
       (max(max(i.start_lsn)) OVER ())::text, (max(max(i.end_lsn)) OVER ())::text
FROM $function($anchor::pg_lsn, $to::pg_lsn) AS i LEFT JOIN unnest($1::text[], $2::text[]) AS f (name, path)
  ON i.resource_manager IN ('Heap', 'Heap2') AND i.record_type ~ '^(INSERT|UPDATE|HOT_UPDATE|DELETE|MULTI_INSERT)'
 AND strpos(i.block_ref, f.path) > 0
WHERE i.start_lsn >= $from::pg_lsn
GROUP BY 1, 2";
