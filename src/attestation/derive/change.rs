//! The non-mutation table: what a comparison says, and which changes are exactly what done actions declare.

use super::{Input, sequences};
use crate::attestation::report::{Contradiction, ContradictionKind, DoneOutcome, DoneRow, ObservedRow, ObservedStatus};
use crate::evidence::{Capture, Comparison, Observation, ObservationId, ObservationKind, RowStatus, fresh};
use crate::record::RowDecision;
use std::collections::BTreeMap;

/// What finished actions declare of one observation.
#[derive(Default)]
pub(super) struct Expected<'a> {
    pub(super) by: Vec<&'a DoneRow>,
    /// By how much counters move, where all say so.
    pub(super) moves: BTreeMap<&'a str, i64>,
    /// The rows more that probes among them wrote and rolled back.
    undone: i64,
    /// Whether one of them does not say by how much.
    pub(super) unbounded: bool,
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
            (RowStatus::Changed, true) => match sequences::filled_by(input, &row.id, baseline, last) {
                Some((status, by)) => {
                    observed.status = status;
                    observed.explained_by = by;
                }
                None => contradict(
                    ContradictionKind::UnexplainedChange,
                    unexplained(input, &row.id, &row.because, (baseline, last)),
                ),
            },
            (RowStatus::Changed, false) => {
                match expected.difference(baseline.observation(&row.id), last.observation(&row.id)) {
                    None => {
                        observed.status = match expected.unbounded && !came_back(baseline, last, &row.id) {
                            true => ObservedStatus::ExpectedUnbounded,
                            false => ObservedStatus::Expected,
                        };
                        observed.explained_by.clone_from(&by);
                    }
                    Some(difference) => contradict(
                        ContradictionKind::EffectDiffers,
                        format!("{} changed otherwise than {} declares: {difference}", row.id, by.join(", ")),
                    ),
                }
            }
            // What lies beneath was written exactly as often as is declared, and it stands where it stood.
            (RowStatus::Unknown, false)
                if row.is_open_beneath()
                    && !expected.unbounded
                    && expected.difference(baseline.observation(&row.id), last.observation(&row.id)).is_none() =>
            {
                observed.status = ObservedStatus::Expected;
                observed.explained_by.clone_from(&by);
            }
            // Exactly as many were rolled back as is declared, so that no call is among them.
            (RowStatus::Unknown, true) if row.rolled_back() == Some(rolled_back(input)) => {
                observed.status = ObservedStatus::Unchanged;
            }
            (RowStatus::Unchanged | RowStatus::Tolerated, false) if expected.demands(&row.id) => contradict(
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
        // Older or other evidence can show a change; that there was none it cannot.
        if observed.status != ObservedStatus::Changed
            && let Some(doubt) = fresh::doubt(&row.id, baseline, last)
        {
            observed.status = ObservedStatus::Unknown;
            observed.because = vec![doubt];
        }
        rows.push(observed);
    }
    // What is declared and was never observed cannot be confirmed.
    for done in allowed(input) {
        let observed = done.expects.keys().filter(|id| id.as_str() != TRANSACTIONS);
        for id in observed.filter_map(|id| ObservationId::parse(id)) {
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

/// How many transactions are declared to be rolled back, as a program that only reads may end.
fn rolled_back(input: &Input<'_>) -> i64 {
    let declared = allowed(input).filter_map(|done| done.expects.get(TRANSACTIONS)?.get("rolled_back"));
    declared.fold(0, |sum, by| sum.saturating_add(*by))
}

/// Where effects declare it; no observation of its own.
const TRANSACTIONS: &str = "database:transactions";

/// What nothing explains, with the denied actions whose effect it may be.
fn unexplained(input: &Input<'_>, id: &ObservationId, because: &[String], captures: (&Capture, &Capture)) -> String {
    let denied = input.decisions.decisions.iter().filter(|row| row.decision == RowDecision::Deny);
    let bans =
        input.bans.iter().filter(|ban| ban.observations.iter().any(|named| observation_of(named) == id.as_str()));
    let bans: Vec<&str> = bans.map(|ban| ban.id.as_str()).collect();
    let denied: Vec<String> = denied
        .filter(|row| row.policies.iter().any(|policy| bans.contains(&policy.as_str())))
        .map(|row| format!("`{}`", row.id))
        .collect();
    let whose = match denied.is_empty() {
        true => String::new(),
        false => format!("; denied and able to do this: {}", denied.join(", ")),
    };
    let declared = declaration(id, captures.0.observation(id), captures.1.observation(id));
    let because = because.join("; ");
    format!("{id} changed, and nothing that was allowed and done declares it ({because}){whose}; {declared}")
}

/// The declaration of an effect that would have allowed the change.
fn declaration(id: &ObservationId, baseline: Option<&Observation>, last: Option<&Observation>) -> String {
    let moves = baseline.zip(last).map(|(baseline, last)| match id.kind() {
        ObservationKind::Tree => entries(baseline, last),
        _ => counted(baseline, last),
    });
    let moves: Vec<String> = moves
        .into_iter()
        .flatten()
        .filter(|(_, by)| *by > 0)
        .map(|(name, by)| if name.contains(' ') { format!("\"{name}\" = {by}") } else { format!("{name} = {by}") })
        .collect();
    if let Some(owners) = sequences::owners(id, baseline, last) {
        return owners;
    }
    match moves.is_empty() {
        true => "no counter of it moved, so that no effect can declare it within bounds".to_owned(),
        false => format!("an effect would declare it by `expects.\"{id}\" = {{ {} }}`", moves.join(", ")),
    }
}

/// By how much each counter moved.
fn counted(baseline: &Observation, last: &Observation) -> BTreeMap<String, i64> {
    let Some((before, after)) = baseline.counters.as_ref().zip(last.counters.as_ref()) else { return BTreeMap::new() };
    let names = before.opening.keys().chain(after.closing.keys());
    let moves = names.filter_map(|name| Some((name.clone(), moved(&before.opening, &after.closing, name)?)));
    moves.filter(|(_, by)| *by != 0).collect()
}

/// What became of each file and folder of a tree: `added`, `changed` or `removed`, and its name.
fn entries(baseline: &Observation, last: &Observation) -> BTreeMap<String, i64> {
    let of = |observation: &Observation| -> BTreeMap<String, String> {
        let entry = |(name, value): (&String, &String)| Some((name.strip_prefix("entry ")?.to_owned(), value.clone()));
        observation.values.iter().filter_map(entry).collect()
    };
    let (before, after) = (of(baseline), of(last));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let became = |name: &String| match (before.get(name), after.get(name)) {
        (None, _) => Some("added"),
        (_, None) => Some("removed"),
        (before, after) => (before != after).then_some("changed"),
    };
    names.into_iter().filter_map(|name| Some((format!("{} {name}", became(name)?), 1))).collect()
}

/// Whether everything is at the end as it was, so that a declared change was undone.
fn came_back(baseline: &Capture, last: &Capture, id: &str) -> bool {
    let pair = baseline.observation(id).zip(last.observation(id));
    pair.is_some_and(|(a, b)| !a.id.kind().is_counted() && a.values == b.values)
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

/// What finished actions declare of an observation.
pub(super) fn expected<'a>(input: &Input<'a>, id: &str) -> Expected<'a> {
    let mut expected = Expected::default();
    for done in allowed(input) {
        let Some(moves) = done.expects.get(id) else { continue };
        expected.by.push(done);
        expected.unbounded |= moves.is_empty();
        for (name, by) in moves {
            let sum = expected.moves.entry(name).or_default();
            *sum = sum.saturating_add(*by);
        }
        let mut decided = input.decisions.decisions.iter().filter(|row| row.id == done.id);
        if decided.any(|row| row.work.as_ref().is_some_and(|work| work.rolls_back)) {
            expected.undone =
                expected.undone.saturating_add(rows_more(moves.iter().map(|(name, by)| (name.as_str(), *by))));
        }
    }
    expected
}

/// How many rows more these moves make.
fn rows_more<'a>(moves: impl Iterator<Item = (&'a str, i64)>) -> i64 {
    moves.fold(0, |sum, (name, by)| match name {
        "inserted" => sum.saturating_add(by),
        "deleted" => sum.saturating_sub(by),
        _ => sum,
    })
}

impl Expected<'_> {
    /// Whether something must have changed; a switch that was set twice may stand where it stood.
    fn demands(&self, id: &ObservationId) -> bool {
        let may_be_undone = id.kind() == ObservationKind::Flag && self.by.len() > 1;
        (self.unbounded && !may_be_undone) || self.moves.values().any(|by| *by != 0)
    }

    /// In what the change differs from what is declared.
    pub(super) fn difference(&self, baseline: Option<&Observation>, last: Option<&Observation>) -> Option<String> {
        if self.unbounded {
            return None;
        }
        let (Some(baseline), Some(last)) = (baseline, last) else {
            return Some("it was not observed twice".to_owned());
        };
        if baseline.id.kind() == ObservationKind::Tree {
            return self.difference_of_tree(baseline, last);
        }
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
            let all = self.moves.iter().map(|(name, by)| (*name, *by));
            let declared = rows_more(all).saturating_sub(self.undone);
            if grown != declared {
                differences.push(format!("{grown} rows more, not {declared}"));
            }
        }
        (!differences.is_empty()).then(|| differences.join(", "))
    }

    /// The same of a tree, whose files are declared by name; a name that ends in `*` stands for all that begin so.
    fn difference_of_tree(&self, baseline: &Observation, last: &Observation) -> Option<String> {
        let of_git = |observation: &Observation| -> Vec<(String, String)> {
            let git = observation.values.iter().filter(|(name, _)| name.starts_with("git "));
            git.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        if of_git(baseline) != of_git(last) {
            return Some("its git head or status moved".to_owned());
        }
        let moved = entries(baseline, last);
        if moved.is_empty() {
            return Some("its files are too many to be named".to_owned());
        }
        let mut left = self.moves.clone();
        let mut differences = Vec::new();
        for name in moved.keys() {
            let is_meant = |declared: &str| {
                declared == name || declared.strip_suffix('*').is_some_and(|begin| name.starts_with(begin))
            };
            match left.iter_mut().find(|(declared, _)| is_meant(declared)) {
                Some((_, by)) => *by = by.saturating_sub(1),
                None => differences.push(format!("{name}, which is not declared")),
            }
        }
        for (name, by) in left.iter().filter(|(_, by)| **by != 0) {
            differences.push(format!("{name}: {} {} than declared", by.abs(), if *by > 0 { "fewer" } else { "more" }));
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
