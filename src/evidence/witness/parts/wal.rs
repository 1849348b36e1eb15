//! The server's log, read with `pg_walinspect`: every change of the watched tables' files, roll-backs included.

use super::{Look, Part, TABLES, Watched, cannot, flushed};
use crate::db::{DatabaseError, Session, Snapshot, identifier, literal};
use std::collections::{BTreeMap, BTreeSet};

/// How far the log was read, and in which files the watched tables lie or lay.
#[derive(Default)]
pub struct Wal {
    from: String,
    function: String,
    paths: BTreeSet<(String, String)>,
}

impl Wal {
    fn locate(&mut self, snapshot: &mut Snapshot<'_>, watched: &Watched<'_>) -> Result<(), DatabaseError> {
        let names: Vec<&str> = watched.settings.relations.keys().map(String::as_str).collect();
        for row in snapshot.query(&format!("{TABLES}{PATHS}"), &[&names])? {
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
        self.locate(&mut snapshot, watched)
    }

    fn look(&mut self, session: &mut Session, watched: &Watched<'_>, is_last: bool) -> Result<Look, DatabaseError> {
        let mut snapshot = session.begin()?;
        let mut look = Look { late: flushed(&mut snapshot, is_last)?, ..Look::default() };
        let to = snapshot.text(POSITION)?.ok_or_else(DatabaseError::lost)?;
        if to == self.from {
            return Ok(look);
        }
        // Where a table lies now, and where it lay before it was written anew.
        self.locate(&mut snapshot, watched)?;
        let (names, paths): (Vec<&str>, Vec<&str>) =
            self.paths.iter().map(|(name, path)| (name.as_str(), path.as_str())).unzip();
        let sql = format!(
            "{}{}({}::pg_lsn, {}::pg_lsn){}",
            RECORDS,
            self.function,
            literal(&self.from),
            literal(&to),
            OF_FILES
        );
        for row in snapshot.query(&sql, &[&names, &paths])? {
            if let (Ok(name), Ok(what), Ok(count)) =
                (row.try_get::<_, String>(0), row.try_get::<_, String>(1), row.try_get::<_, i64>(2))
            {
                let counts: &mut BTreeMap<String, i64> = look.seen.entry(format!("relation:{name}")).or_default();
                counts.insert(what, count);
            }
        }
        self.from = to;
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

const RECORDS: &str = "
SELECT f.name, lower(i.record_type), count(*) FROM ";

/// What only locks, prunes or freezes a row changes nothing that it says.
const OF_FILES: &str = " AS i, unnest($1::text[], $2::text[]) AS f (name, path)
WHERE i.resource_manager IN ('Heap', 'Heap2') AND i.record_type ~ '^(INSERT|UPDATE|HOT_UPDATE|DELETE|MULTI_INSERT)'
  AND strpos(i.block_ref, f.path) > 0
GROUP BY 1, 2";
