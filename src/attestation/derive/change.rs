//! The non-mutation table: what a comparison says, and which changes are exactly what done actions declare.

use super::Input;
use crate::attestation::report::{Contradiction, ContradictionKind, DoneOutcome, DoneRow, ObservedRow, ObservedStatus};
use crate::evidence::ObservationId;
use crate::evidence::{Capture, Comparison, Observation, RowStatus};
use crate::record::RowDecision;
use std::collections::BTreeMap;

/// What finished actions declare of one observation.
#[derive(Default)]
struct Expected<'a> {
    by: Vec<&'a DoneRow>,
    /// By how much counters move, where all say so.
    moves: BTreeMap<&'a str, i64>,
    /// Whether one of them does not say by how much.
    unbounded: bool,
}

/// One row for each row of the comparison; what does not fit becomes a contradiction.
pub fn rows(
    input: &Input<'_>,
    comparison: &Comparison,
    baseline: &Capture,
    last: &Capture,
    contradictions: &mut Vec<Contradiction>,
) -> Vec<ObservedRow> {
    let mut rows = Vec::new();
    for row in &comparison.rows {
        let expected = expected(input, &row.id);
        let mut observed = ObservedRow {
            id: row.id.clone(),
            status: match row.status {
                RowStatus::Unchanged => ObservedStatus::Unchanged,
                RowStatus::Tolerated => ObservedStatus::Tolerated,
                RowStatus::Unknown => ObservedStatus::Unknown,
                RowStatus::Changed => ObservedStatus::Changed,
            },
            baseline: row.baseline.clone(),
            last: row.last.clone(),
            because: row.because.clone(),
            explained_by: Vec::new(),
        };
        let by: Vec<String> = expected.by.iter().map(|done| done.id.clone()).collect();
        let mut contradict = |kind, text| {
            let about = by.iter().cloned().chain([row.id.to_string()]).collect();
            contradictions.push(Contradiction { kind, about, text });
        };
        match (row.status, expected.by.is_empty()) {
            (RowStatus::Changed, true) => {
                contradict(ContradictionKind::UnexplainedChange, unexplained(input, &row.id, &row.because));
            }
            (RowStatus::Changed, false) => {
                match expected.difference(baseline.observation(&row.id), last.observation(&row.id)) {
                    None => {
                        observed.status = ObservedStatus::Expected;
                        observed.explained_by.clone_from(&by);
                    }
                    Some(difference) => contradict(
                        ContradictionKind::EffectDiffers,
                        format!("{} changed otherwise than {} declares: {difference}", row.id, by.join(", ")),
                    ),
                }
            }
            (RowStatus::Unchanged | RowStatus::Tolerated, false) if expected.demands() => contradict(
                ContradictionKind::EffectAbsent,
                format!("{} is done and declares to change {}, which did not change so", by.join(", "), row.id),
            ),
            _ => {}
        }
        if let Some(calls) = calls(baseline.observation(&row.id), last.observation(&row.id)) {
            observed.last = format!("called {calls} times in between");
        }
        if let Some(resting) = input.grounds.rules.resting.get(row.id.as_str())
            && let Some(value) = last.observation(&row.id).and_then(|observation| observation.values.get("value"))
            && value != resting
        {
            contradict(ContradictionKind::LeftOn, format!("{} is {value} at the end, and must be {resting}", row.id));
            observed.status = ObservedStatus::Changed;
        }
        rows.push(observed);
    }
    // What is declared and was never observed cannot be confirmed.
    for done in allowed(input) {
        for id in done.expects.keys().filter_map(|id| ObservationId::parse(id)) {
            if !rows.iter().any(|row| row.id == id) {
                rows.push(ObservedRow {
                    id,
                    status: ObservedStatus::Unknown,
                    baseline: "not observed".to_owned(),
                    last: "not observed".to_owned(),
                    because: vec![format!("{} declares to change it", done.id)],
                    explained_by: Vec::new(),
                });
            }
        }
    }
    rows
}

/// What nothing explains, with the denied actions whose effect it may be.
fn unexplained(input: &Input<'_>, id: &str, because: &[String]) -> String {
    let denied = input.decisions.decisions.iter().filter(|row| row.decision == RowDecision::Deny);
    let bans = input.bans.iter().filter(|ban| ban.observations.iter().any(|named| observation_of(named) == id));
    let bans: Vec<&str> = bans.map(|ban| ban.id.as_str()).collect();
    let denied: Vec<String> = denied
        .filter(|row| row.policies.iter().any(|policy| bans.contains(&policy.as_str())))
        .map(|row| format!("`{}`", row.id))
        .collect();
    let whose = match denied.is_empty() {
        true => String::new(),
        false => format!("; denied and able to do this: {}", denied.join(", ")),
    };
    format!("{id} changed, and nothing that was allowed and done declares it ({}){whose}", because.join("; "))
}

/// The observation of a name such as `relation:public.t#deleted`.
pub fn observation_of(named: &str) -> &str {
    named.split_once('#').map_or(named, |(id, _)| id)
}

/// The actions that finished, and that the decisions allow.
fn allowed<'a>(input: &Input<'a>) -> impl Iterator<Item = &'a DoneRow> {
    let rows = &input.decisions.decisions;
    let is_allowed = |done: &&DoneRow| rows.iter().any(|row| row.id == done.id && row.decision == RowDecision::Allow);
    input.done.iter().filter(|done| done.outcome == DoneOutcome::Finished).filter(is_allowed)
}

fn expected<'a>(input: &Input<'a>, id: &str) -> Expected<'a> {
    let mut expected = Expected::default();
    for done in allowed(input) {
        let Some(moves) = done.expects.get(id) else { continue };
        expected.by.push(done);
        expected.unbounded |= moves.is_empty();
        for (name, by) in moves {
            let sum = expected.moves.entry(name).or_default();
            *sum = sum.saturating_add(*by);
        }
    }
    expected
}

impl Expected<'_> {
    /// Whether something must have changed.
    fn demands(&self) -> bool {
        self.unbounded || self.moves.values().any(|by| *by != 0)
    }

    /// In what the change differs from what is declared.
    fn difference(&self, baseline: Option<&Observation>, last: Option<&Observation>) -> Option<String> {
        if self.unbounded {
            return None;
        }
        let (Some(baseline), Some(last)) = (baseline, last) else {
            return Some("it was not observed twice".to_owned());
        };
        let Some((before, after)) = baseline.counters.as_ref().zip(last.counters.as_ref()) else {
            return Some("nothing counts what was done to it".to_owned());
        };
        let names = before.opening.keys().chain(after.closing.keys()).map(String::as_str);
        let mut names: Vec<&str> = names.chain(self.moves.keys().copied()).collect();
        names.sort_unstable();
        names.dedup();
        let mut differences: Vec<String> = names
            .into_iter()
            .filter_map(|name| {
                let moved = moved(&before.opening, &after.closing, name);
                let declared = self.moves.get(name).copied().unwrap_or(0);
                (moved != Some(declared)).then(|| match moved {
                    Some(moved) => format!("{moved} {name}, not {declared}"),
                    None => format!("{name} are not counted"),
                })
            })
            .collect();
        // A truncated table is counted nowhere.
        if let Some(grown) = grown(baseline, last) {
            let declared = ["inserted", "deleted"].map(|name| self.moves.get(name).copied().unwrap_or(0));
            let declared = declared[0].saturating_sub(declared[1]);
            if grown != declared {
                differences.push(format!("{grown} rows more, not {declared}"));
            }
        }
        (!differences.is_empty()).then(|| differences.join(", "))
    }
}

/// How often a function was called between the captures.
fn calls(baseline: Option<&Observation>, last: Option<&Observation>) -> Option<i64> {
    moved(&baseline?.counters.as_ref()?.opening, &last?.counters.as_ref()?.closing, "calls")
}

/// By how much a counter moved between the captures.
pub fn moved(opening: &BTreeMap<String, i64>, closing: &BTreeMap<String, i64>, name: &str) -> Option<i64> {
    match (opening.get(name), closing.get(name)) {
        (None, None) => None,
        (before, after) => after.copied().unwrap_or(0).checked_sub(before.copied().unwrap_or(0)),
    }
}

/// By how many rows a relation grew.
pub fn grown(baseline: &Observation, last: &Observation) -> Option<i64> {
    let rows = |observation: &Observation| observation.values.get("rows")?.parse::<i64>().ok();
    rows(last)?.checked_sub(rows(baseline)?)
}
