//! The strict digest: the sha-256 over an ordered binary copy, which nobody can make fit.

use super::Shape;
use crate::db::{DatabaseError, Snapshot, identifier, literal};
use crate::progress::{Observer, Phase};
use sha2::{Digest as _, Sha256};

/// The sha-256 over all rows in order, in the binary form of COPY, or as text where a type has no binary form.
pub(super) fn ordered(
    shape: &Shape,
    by_text: bool,
    snapshot: &mut Snapshot<'_>,
    observer: &dyn Observer,
) -> Result<String, DatabaseError> {
    let keys = snapshot.texts(&KEY.replace("$oid", &literal(&shape.oid)), 64)?;
    let keys: Vec<String> =
        keys.into_iter().flatten().flatten().map(|name| format!("cutter_row.{}", identifier(&name))).collect();
    // Without a key the rows are ordered by their own bytes.
    let order = if keys.is_empty() {
        if by_text { "(cutter_row.*)::text" } else { "record_send(cutter_row.*)" }.to_owned()
    } else {
        keys.join(", ")
    };
    let sql = format!(
        "COPY (SELECT cutter_row.* FROM {} AS cutter_row ORDER BY {order}) TO STDOUT (FORMAT {})",
        shape.qualified,
        if by_text { "text" } else { "binary" }
    );
    let mut hasher = Sha256::new();
    let _phase = Phase::new(observer, &format!("copy of {}", shape.qualified), 0);
    snapshot.copy(&sql, |bytes| hasher.update(bytes))?;
    let digest: [u8; 32] = hasher.finalize().into();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(if by_text { format!("text {digest}") } else { digest })
}

const KEY: &str = "
SELECT a.attname::text FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, at), pg_attribute a
WHERE i.indrelid = $oid AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.at";
