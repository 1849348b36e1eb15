//! The strict digest: the sha-256 over an ordered binary copy, which nobody can make fit.

use super::Plan;
use crate::db::{DatabaseError, Snapshot, identifier, literal};
use crate::progress::{Observer, Phase};
use sha2::{Digest as _, Sha256};

/// The sha-256 over all rows in order, in the binary form of COPY.
pub(super) fn ordered(
    plan: &Plan<'_>,
    oid: &str,
    snapshot: &mut Snapshot<'_>,
    observer: &dyn Observer,
) -> Result<String, DatabaseError> {
    let keys = snapshot.texts(&KEY.replace("$oid", &literal(oid)), 64)?;
    let keys: Vec<String> =
        keys.into_iter().flatten().flatten().map(|name| format!("cutter_row.{}", identifier(&name))).collect();
    // Without a key the rows are ordered by their own bytes.
    let order = if keys.is_empty() { "record_send(cutter_row.*)".to_owned() } else { keys.join(", ") };
    let sql = format!(
        "COPY (SELECT cutter_row.* FROM {} AS cutter_row ORDER BY {order}) TO STDOUT (FORMAT binary)",
        plan.qualified
    );
    let mut hasher = Sha256::new();
    let _phase = Phase::new(observer, &format!("copy of {}", plan.qualified), 0);
    snapshot.copy(&sql, |bytes| hasher.update(bytes))?;
    let digest: [u8; 32] = hasher.finalize().into();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

const KEY: &str = "
SELECT a.attname::text FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, at), pg_attribute a
WHERE i.indrelid = $oid AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.at";
