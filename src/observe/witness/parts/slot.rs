//! A temporary logical slot: every committed change of logged tables, while this session lives.

use super::{Look, Part, Watched, cannot, flushed};
use crate::db::{DatabaseError, Session, Snapshot, literal};
use crate::evidence::{ObservationId, ObservationKind};
use crate::observe::counters::{WANTED, places};
use std::collections::BTreeMap;

/// The slot, and what the decoder calls the watched tables.
///
/// The server drops the temporary slots of a session in which a statement fails, whatever the statement; so it has one of
/// its own, in which nothing else is asked.
#[derive(Default)]
pub struct Slot {
    session: Option<Session>,
    name: String,
    tables: BTreeMap<String, String>,
}

impl Slot {
    /// What inherits from a watched table may be made later.
    fn locate(&mut self, snapshot: &mut Snapshot<'_>, watched: &Watched<'_>) -> Result<(), DatabaseError> {
        let names = watched.places();
        let (names, schemas, tables) = places(&names);
        for row in snapshot.query(&format!("{WANTED}{NAMES}"), &[&names, &schemas, &tables])? {
            if let (Ok(name), Ok(quoted)) = (row.try_get(0), row.try_get(1)) {
                self.tables.insert(quoted, name);
            }
        }
        Ok(())
    }
}

impl Part for Slot {
    fn name(&self) -> &'static str {
        "slot"
    }

    fn blind_to(&self) -> &'static str {
        "roll-backs; DDL, grants and sequences; unlogged tables"
    }

    fn ends_with_a_failure(&self) -> bool {
        true
    }

    fn open(&mut self, session: &mut Session, watched: &Watched<'_>) -> Result<(), DatabaseError> {
        let mut snapshot = session.begin()?;
        let level = snapshot.text("SELECT current_setting('wal_level')")?.unwrap_or_default();
        if level != "logical" {
            return Err(cannot(&format!("`wal_level` is `{level}`, not `logical`")));
        }
        if snapshot.text(ALLOWED)?.is_none() {
            return Err(cannot("the role has no REPLICATION"));
        }
        self.locate(&mut snapshot, watched)?;
        drop(snapshot);
        let mut own = watched.access.open().map_err(|problem| cannot(&problem.message))?;
        let mut snapshot = own.begin()?;
        self.name = snapshot.text("SELECT 'cutter_witness_' || pg_backend_pid()")?.ok_or_else(DatabaseError::lost)?;
        // Where this fails, a slot that never became ready goes with its session.
        snapshot.text(&format!(
            "SELECT slot_name::text FROM pg_create_logical_replication_slot({}, 'test_decoding', true)",
            literal(&self.name)
        ))?;
        drop(snapshot);
        self.session = Some(own);
        Ok(())
    }

    fn look(&mut self, session: &mut Session, watched: &Watched<'_>, is_last: bool) -> Result<Look, DatabaseError> {
        self.locate(&mut session.begin()?, watched)?;
        let mut snapshot = self.session.as_mut().ok_or_else(DatabaseError::lost)?.begin()?;
        let mut look = Look { late: flushed(&mut snapshot, is_last)?, ..Look::default() };
        let sql = CHANGES.replace("$slot", &literal(&self.name));
        for row in snapshot.query(&sql, &[])? {
            let (Ok(Some(tables)), Ok(Some(what)), Ok(count)) =
                (row.try_get::<_, Option<String>>(0), row.try_get::<_, Option<String>>(1), row.try_get::<_, i64>(2))
            else {
                look.blind = Some("a change is in an unknown format".to_owned());
                continue;
            };
            // Only TRUNCATE names several.
            for table in std::iter::once(tables.as_str()).chain(tables.split(", ")) {
                if let Some(name) = self.tables.get(table) {
                    look.seen
                        .entry(ObservationId::new(ObservationKind::Relation, name))
                        .or_default()
                        .insert(what.to_lowercase(), count);
                }
            }
        }
        Ok(look)
    }
}

const ALLOWED: &str = "SELECT 'yes' FROM pg_roles WHERE rolname = current_user AND (rolreplication OR rolsuper)";

/// As the decoder writes them.
const NAMES: &str = "
SELECT w.name, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM wanted w JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace";

/// The rows themselves stay on the server.
const CHANGES: &str = "
SELECT part[1], part[2], count(*)
FROM pg_logical_slot_get_changes($slot, NULL, NULL, 'include-xids', '0') AS change,
     LATERAL (SELECT regexp_match(change.data, '^table (.*?): (INSERT|UPDATE|DELETE|TRUNCATE):') AS part) AS found
WHERE change.data NOT IN ('BEGIN', 'COMMIT') AND change.data NOT LIKE 'message:%'
GROUP BY 1, 2";
