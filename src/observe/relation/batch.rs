//! Short relations, read many in one statement. Nobody is waited for: where one is locked, or cannot be read, each is read by itself.

use super::shape::{Part, Shape};
use super::sums::{Plan, Totals};
use crate::db::{DatabaseError, Snapshot};

/// Whether a relation may be read together with others.
pub(super) fn takes(plan: &Plan<'_>, shape: &Shape) -> bool {
    plan.settings.scopes.is_empty()
        && !shape.parts.is_empty()
        && shape.has_headers()
        && shape.parts.len() <= MOST_PARTS
        && pages(shape) <= MOST_PAGES
}

/// Splits relations so that no statement reads much.
pub(super) fn split<'a>(shapes: impl Iterator<Item = &'a Shape>) -> Vec<Vec<&'a Shape>> {
    let (mut batches, mut parts, mut read): (Vec<Vec<&Shape>>, usize, u64) = (Vec::new(), 0, 0);
    for shape in shapes {
        (parts, read) = (parts + shape.parts.len(), read + pages(shape));
        match batches.last_mut() {
            Some(batch) if parts <= MOST_PARTS && read <= MOST_PAGES => batch.push(shape),
            _ => {
                (parts, read) = (shape.parts.len(), pages(shape));
                batches.push(vec![shape]);
            }
        }
    }
    batches
}

/// The sums over each of these relations.
pub(super) fn ask(
    plan: &Plan<'_>,
    shapes: &[&Shape],
    snapshot: &mut Snapshot<'_>,
) -> Result<Vec<Totals>, DatabaseError> {
    let parts: Vec<(usize, &Part)> =
        shapes.iter().enumerate().flat_map(|(at, shape)| shape.parts.iter().map(move |part| (at, part))).collect();
    let names: Vec<String> = parts.iter().map(|(_, part)| format!("ONLY {}", part.qualified)).collect();
    // Whoever waits while he holds locks may stand in the way of somebody who waits for these.
    snapshot.query(&format!("LOCK TABLE {} IN ACCESS SHARE MODE NOWAIT", names.join(", ")), &[])?;
    let selects: Vec<String> =
        parts.iter().map(|(at, part)| format!("SELECT '{at}', {}", plan.select(part, ""))).collect();
    let mut all = vec![Totals::default(); shapes.len()];
    for row in snapshot.texts(&selects.join(" UNION ALL "), parts.len())? {
        let cells: Vec<&str> = row.iter().filter_map(Option::as_deref).collect();
        let (at, cells) = cells.split_first().ok_or_else(DatabaseError::lost)?;
        let total = at.parse().ok().and_then(|at: usize| all.get_mut(at)).ok_or_else(DatabaseError::lost)?;
        total.add(&plan.read(cells)?);
    }
    Ok(all)
}

fn pages(shape: &Shape) -> u64 {
    shape.parts.iter().map(|part| part.pages).fold(0, u64::saturating_add)
}

/// Locks are held for one statement: of so many things, and of 8 MiB.
const MOST_PARTS: usize = 50;
const MOST_PAGES: u64 = 1024;
