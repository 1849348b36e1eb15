//! Large objects: what each holds, where it may be read.

use super::sql::Table;
use crate::db::{DatabaseError, Snapshot};
use crate::evidence::Observation;

/// Observes the content of every large object.
pub fn observe(table: &Table, snapshot: &mut Snapshot<'_>, observation: &mut Observation) -> Result<(), DatabaseError> {
    let sql = if table.is_readable() { PAGES } else { ONE_BY_ONE };
    match snapshot.texts(sql, MOST) {
        Ok(rows) => {
            for row in rows {
                match row.as_slice() {
                    [Some(number), Some(digest), mark] => {
                        observation.value(number.clone(), digest.clone());
                        if let Some(mark) = mark {
                            observation.trace(number.clone(), mark.clone());
                        }
                    }
                    [Some(number), None, _] => {
                        observation.refused(number.clone(), "permission denied for the large object", Some("42501"));
                    }
                    _ => {}
                }
            }
        }
        Err(error) if error.is_final() || error.is_transient() => return Err(error),
        Err(error) => observation.refused("value", &error.reason, error.sqlstate.as_deref()),
    }
    Ok(())
}

const MOST: usize = 200_000;

const PAGES: &str = "
SELECT loid::text, 'sha256 ' || encode(sha256(string_agg(int4send(pageno) || sha256(data), ''::bytea ORDER BY pageno)), 'hex'),
       sum(hash_record_extended(row(ctid, xmin), 1))::text
FROM pg_largeobject GROUP BY loid";

/// Of those that may be read, without any digest of the others.
const ONE_BY_ONE: &str = "
SELECT m.oid::text, CASE WHEN may.read THEN 'sha256 ' || encode(sha256(lo_get(m.oid)), 'hex') END, NULL
FROM pg_largeobject_metadata m, LATERAL (
    SELECT pg_has_role(m.lomowner, 'USAGE') OR EXISTS (
        SELECT FROM aclexplode(m.lomacl) AS a
        WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))) AS read) AS may";
