//! The table of all rows: each judged at its moment, denied rows blocking those that come after them, and the verdict.

use super::judge::{Judge, Judged};
use super::{Basis, DecisionRow, DecisionTable, Verdict};
use crate::plan::{IntendedAction, Mode};
use crate::problem::{Problem, Problems};
use crate::request::{Moment, Requests};
use std::collections::{BTreeMap, BTreeSet};

/// Judges every row of a plan at a moment.
///
/// The problems are faults of the inputs: a row that is not a valid request for the schema.
pub fn decide(requests: &Requests<'_>, moment: &Moment) -> Result<DecisionTable, Problems> {
    decide_rest(requests, moment, &BTreeMap::new())
}

/// The same, where some rows were decided before, at their own moments of use; they are given by their index.
pub fn decide_rest(
    requests: &Requests<'_>,
    moment: &Moment,
    decided: &BTreeMap<usize, DecisionRow>,
) -> Result<DecisionTable, Problems> {
    let mut judge = Judge::new(requests);
    tabulate(requests, &mut |index, action| match decided.get(&index) {
        Some(row) => Ok((row.clone(), Vec::new())),
        None => judge.row(action, moment),
    })
}

/// Judges every row at a moment of its own; there are as many moments as rows.
#[cfg(feature = "internals")]
pub fn decide_each(requests: &Requests<'_>, moments: &[Moment]) -> Result<DecisionTable, Problems> {
    let mut judge = Judge::new(requests);
    tabulate(requests, &mut |index, action| {
        let moment = moments.get(index).ok_or_else(|| Problem::failure("a row has no moment"))?;
        judge.row(action, moment)
    })
}

/// Judges one row by itself, whatever comes before it in the plan.
///
/// The problem is a fault of the inputs: the row is not a valid request for the schema.
pub fn decide_one(requests: &Requests<'_>, action: &IntendedAction, moment: &Moment) -> Result<DecisionRow, Problem> {
    Ok(worked(requests, action, Judge::new(requests).row(action, moment)?.0))
}

/// The table of all rows, and what follows for those that come after a denied one.
pub(super) fn tabulate(
    requests: &Requests<'_>,
    row: &mut dyn FnMut(usize, &IntendedAction) -> Result<Judged, Problem>,
) -> Result<DecisionTable, Problems> {
    let mut problems = Problems::new();
    let mut rows = Vec::new();
    let mut deferred = BTreeSet::new();
    for (index, action) in requests.plan().actions.iter().enumerate() {
        match row(index, action) {
            Ok((row, gaps)) => {
                rows.push(worked(requests, action, row));
                deferred.extend(gaps);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    block(requests, &mut rows);
    let verdict = rows.iter().map(|row| Verdict::of(row.basis)).max().unwrap_or(Verdict::Indeterminate);
    let open: BTreeSet<String> = rows.iter().flat_map(|row| row.gaps.iter().cloned()).collect();
    let deferred_gaps = deferred.difference(&open).cloned().collect();
    Ok(DecisionTable { rows, verdict, open_gaps: open.into_iter().collect(), deferred_gaps })
}

/// An allow of a live row needs work: what would run is what was judged, and nothing else is.
fn worked(requests: &Requests<'_>, action: &IntendedAction, row: DecisionRow) -> DecisionRow {
    if action.work.is_some() || !row.basis.allows() || requests.plan().mode != Mode::Live {
        return row;
    }
    let reason = "it would be allowed, and names nothing that would run".to_owned();
    DecisionRow { basis: Basis::NoWork, reason, needs: Vec::new(), lifted: Vec::new(), held: Vec::new(), ..row }
}

/// Denies each row that comes after a denied one, however far; `finally` rows excepted.
fn block(requests: &Requests<'_>, rows: &mut [DecisionRow]) {
    let actions = &requests.plan().actions;
    let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, action) in actions.iter().enumerate().filter(|(_, action)| !action.finally) {
        for before in &action.after {
            followers.entry(*before).or_default().push(index);
        }
    }
    let mut denied: Vec<usize> =
        (0..rows.len()).filter(|at| rows.get(*at).is_some_and(|r| !r.basis.allows())).collect();
    // Each denied row is taken once; only a plan that names a row twice in `after` gives a blocker twice.
    while let Some(index) = denied.pop() {
        for follower in followers.get(&index).into_iter().flatten() {
            let Some(row) = rows.get_mut(*follower) else { continue };
            if row.basis.allows() {
                row.basis = Basis::BlockedBy;
                denied.push(*follower);
            }
            if row.basis == Basis::BlockedBy {
                row.blocked_by.push(index);
            }
        }
    }
    for row in rows.iter_mut().filter(|row| row.basis == Basis::BlockedBy) {
        row.blocked_by.sort_unstable();
        row.blocked_by.dedup();
        let names: Vec<&str> = row.blocked_by.iter().filter_map(|at| actions.get(*at)).map(|a| a.id.as_str()).collect();
        row.reason = format!("comes after {}, which is denied", crate::json::in_backticks(&names));
    }
}
