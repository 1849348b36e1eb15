//! The rows of a relation by the transaction that wrote them, youngest first: old rows can be told from new ones.

use super::shape::Shape;
use super::sums::Plan;
use crate::db::{DatabaseError, Snapshot};
use crate::evidence::{Generation, MOST_GENERATIONS};
use std::collections::BTreeMap;

/// The youngest generations of the whole relation.
pub(super) fn of(
    plan: &Plan<'_>,
    shape: &Shape,
    snapshot: &mut Snapshot<'_>,
) -> Result<BTreeMap<String, Generation>, DatabaseError> {
    let (content, header) = plan.hashes();
    let sql = format!(
        "SELECT writer::text, count(*)::text, sum(content)::text, sum(hashint8extended(content, 2))::text, sum(header)::text
         FROM (SELECT cutter_row.xmin AS writer, {content} AS content, {header} AS header FROM {} AS cutter_row OFFSET 0) AS rows
         GROUP BY writer ORDER BY age(writer) LIMIT {MOST_GENERATIONS}",
        shape.qualified
    );
    let mut found = BTreeMap::new();
    for row in snapshot.texts(&sql, MOST_GENERATIONS)? {
        let [Some(writer), Some(rows), Some(first), Some(second), Some(header)] = row.as_slice() else {
            return Err(DatabaseError::lost());
        };
        let number = |text: &str| text.parse::<i128>().map_err(|_| DatabaseError::lost());
        let rows = rows.parse().map_err(|_| DatabaseError::lost())?;
        let content = format!("{:032x}{:032x}", number(first)?, number(second)?);
        found.insert(writer.clone(), Generation { rows, content, headers: format!("{:032x}", number(header)?) });
    }
    Ok(found)
}
