//! What a run did or did not do by its conduct: no observer sees it, but its plan, its journal and the judged approvals show it.
//!
//! What these cannot show has no row here, and a ban that leans on it is the run's own word.

use super::Input;
use crate::attestation::report::{Contradiction, ContradictionKind, DoneOutcome, ObservedRow, ObservedStatus};
use crate::decision::Basis;
use crate::evidence::{ObservationId, ObservationKind};
use crate::record::{ApprovalStatus, RecordedRow};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One row for each kind of conduct that can be shown; what was done against it becomes a contradiction.
pub fn rows(input: &Input<'_>, contradictions: &mut Vec<Contradiction>) -> Vec<ObservedRow> {
    let journal = &input.grounds.journal;
    let mut rows = vec![gaps(input)];
    rows.extend(packages(input));
    if journal.ledger.is_some() && journal.faults.is_empty() {
        rows.extend([order(input), retries(input), used(input)]);
    }
    for row in rows.iter().filter(|row| row.status == ObservedStatus::Changed) {
        let text = format!("{}: {}", row.id, row.because.join("; "));
        contradictions.push(Contradiction { kind: ContradictionKind::Conduct, about: vec![row.id.to_string()], text });
    }
    rows
}

/// A row of what was found: nothing, and then how that is known, or each finding.
fn row(kind: ObservationKind, name: &str, found: Vec<String>, known: String) -> ObservedRow {
    ObservedRow {
        id: ObservationId::new(kind, name),
        status: if found.is_empty() { ObservedStatus::Unchanged } else { ObservedStatus::Changed },
        baseline: "nothing".to_owned(),
        last: known,
        because: found,
        explained_by: Vec::new(),
    }
}

/// Whether each row began after those that it comes after had ended well.
fn order(input: &Input<'_>) -> ObservedRow {
    let plan: Value = serde_json::from_str(&input.grounds.plan).unwrap_or_default();
    let after = |id: &str| -> Vec<String> {
        let actions = plan.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let action = actions.iter().find(|action| action.get("id").and_then(Value::as_str) == Some(id));
        let is_finally = action.and_then(|action| action.get("finally")).and_then(Value::as_bool).unwrap_or_default();
        let names = action.and_then(|action| action.get("after")).and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        names.filter(|_| !is_finally).collect()
    };
    let ended = |id: &str, by| {
        let rows = input.done.iter().filter(|done| done.id == id && done.outcome == DoneOutcome::Finished);
        rows.into_iter().any(|done| done.finished_at.is_some_and(|ended| ended <= by))
    };
    let mut found = Vec::new();
    for done in input.done {
        for before in after(&done.id).iter().filter(|before| !ended(before, done.started_at)) {
            found.push(format!("`{}` began before `{before}` had ended well", done.id));
        }
    }
    row(ObservationKind::Journal, "order", found, format!("{} beginnings, each in its turn", input.done.len()))
}

/// Whether a row began again after it had failed, or its end was not recorded.
fn retries(input: &Input<'_>) -> ObservedRow {
    let mut found = BTreeSet::new();
    for (index, done) in input.done.iter().enumerate() {
        let mut earlier = input.done.iter().take(index).filter(|earlier| earlier.id == done.id);
        if earlier.any(|earlier| earlier.outcome != DoneOutcome::Finished) {
            found.insert(format!("`{}` began again after it had not ended well", done.id));
        }
    }
    row(ObservationKind::Journal, "retries", found.into_iter().collect(), "nothing began again".to_owned())
}

/// Whether each approved row used an accepted approval of each of its gates, and each approval once for it.
fn used(input: &Input<'_>) -> ObservedRow {
    let decided = |id: &str| input.decisions.decisions.iter().find(|row| row.id == id);
    let needs = |row: &RecordedRow| -> Vec<String> {
        let needs = row.needs.iter().filter(|_| row.basis == Basis::Approved);
        needs.map(|need| need.gate.clone()).collect()
    };
    let mut found = Vec::new();
    let mut uses: BTreeMap<(String, String), usize> = BTreeMap::new();
    for done in input.done {
        for gate in decided(&done.id).map(needs).unwrap_or_default() {
            if !done.approvals.iter().any(|used| used.gate == gate) {
                found.push(format!("`{}` used no approval of {gate}", done.id));
            }
        }
        for used in &done.approvals {
            *uses.entry((used.sha256.to_string(), done.id.clone())).or_default() += 1;
            let judged = input.decisions.approvals.iter().find(|judged| judged.sha256 == Some(used.sha256));
            if judged.is_some_and(|judged| judged.signers.is_empty()) {
                found.push(format!("nobody whose voice counts signed `{}`, which `{}` used", used.id, done.id));
            }
        }
    }
    let twice = uses.iter().filter(|(_, count)| **count > 1);
    found.extend(twice.map(|((_, row), count)| format!("`{row}` used one approval {count} times")));
    let accepted = input.decisions.approvals.iter().filter(|row| row.status == ApprovalStatus::Accepted).count();
    let known =
        format!("{} uses, each of an approval that was judged again; {accepted} in force at the end", uses.len());
    row(ObservationKind::Approvals, "used", found, known)
}

/// Whether every gap that any row found is disclosed.
fn gaps(input: &Input<'_>) -> ObservedRow {
    let decisions = input.decisions;
    let found: BTreeSet<&String> = decisions.decisions.iter().flat_map(|row| &row.gaps).collect();
    let hidden = found.iter().filter(|gap| !decisions.open_gaps.contains(gap));
    let hidden: Vec<String> = hidden.map(|gap| format!("{gap} is open and not disclosed")).collect();
    let names: Vec<&str> = found.iter().map(|gap| gap.as_str()).collect();
    let known = match names.is_empty() {
        true => "no gap is open".to_owned(),
        false => format!("open and disclosed: {}", names.join(", ")),
    };
    row(ObservationKind::Report, "gaps", hidden, known)
}

/// Whether each open gap was packaged by a row that was done and says so in its label `closes`; no row where one was not.
fn packages(input: &Input<'_>) -> Option<ObservedRow> {
    let decisions = input.decisions;
    let is_done =
        |row: &&RecordedRow| input.done.iter().any(|done| done.id == row.id && done.outcome == DoneOutcome::Finished);
    let mut known = Vec::new();
    for gap in &decisions.open_gaps {
        let closes = |row: &&RecordedRow| {
            row.labels.get("closes").is_some_and(|closes| closes.split([',', ' ']).any(|name| name == gap))
        };
        let by = decisions.decisions.iter().filter(closes).find(is_done)?;
        known.push(format!("{gap} by `{}`", by.id));
    }
    let known = if known.is_empty() { "no gap is open".to_owned() } else { format!("packaged: {}", known.join(", ")) };
    Some(row(ObservationKind::Report, "packages", Vec::new(), known))
}
