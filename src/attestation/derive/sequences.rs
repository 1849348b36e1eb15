//! Sequences that fill a column of a table: where the rows that were inserted are declared, the numbers they took are no contradiction.

use super::Input;
use super::change::expected;
use crate::attestation::report::ObservedStatus;
use crate::evidence::{Capture, Observation, ObservationId, ObservationKind};
use std::collections::BTreeMap;

/// A sequence of which something differs between the captures.
struct Moved<'a> {
    name: &'a str,
    /// The table that it fills; none where it fills none, or another than before.
    owner: Option<&'a str>,
    /// How many calls moved it forward, at least; none where it was set back, made or dropped.
    calls: Option<i64>,
}

/// How declared insertions explain all that moved of the sequences, and which actions declare them.
pub(super) fn filled_by(
    input: &Input<'_>,
    id: &ObservationId,
    baseline: &Capture,
    last: &Capture,
) -> Option<(ObservedStatus, Vec<String>)> {
    let moved = moved(id, baseline.observation(id), last.observation(id));
    let (mut status, mut by) = (ObservedStatus::Expected, Vec::new());
    for sequence in &moved {
        let calls = sequence.calls?;
        if tolerated(input, id, sequence.name, baseline.observation(id), last.observation(id)) {
            continue;
        }
        let table = format!("relation:{}", sequence.owner?);
        let expected = expected(input, &table);
        let as_declared = expected.difference(baseline.observation(&table), last.observation(&table)).is_none();
        let inserted = expected.moves.get("inserted").copied().unwrap_or(0);
        match expected.unbounded {
            _ if expected.by.is_empty() || !as_declared => return None,
            true => status = ObservedStatus::ExpectedUnbounded,
            // A row that gives its own number takes none, so fewer may have been taken.
            false if calls > inserted => return None,
            false => {}
        }
        by.extend(expected.by.iter().map(|done| done.id.clone()).filter(|id| !by.contains(id)).collect::<Vec<_>>());
    }
    (!moved.is_empty()).then_some((status, by))
}

/// Whether it grew by no more than the rules allow it by itself.
fn tolerated(
    input: &Input<'_>,
    id: &ObservationId,
    name: &str,
    baseline: Option<&Observation>,
    last: Option<&Observation>,
) -> bool {
    let value = |of: Option<&Observation>| of?.values.get(name)?.parse::<i64>().ok();
    let grown = value(last).zip(value(baseline)).and_then(|(last, baseline)| last.checked_sub(baseline));
    let mut rules = input.grounds.rules.tolerate.iter();
    rules.any(|rule| {
        rule.id == *id && rule.value.as_deref() == Some(name) && grown.is_some_and(|by| (0..=rule.growth).contains(&by))
    })
}

/// The declarations that would have allowed what moved, where each sequence fills a table.
pub(super) fn owners(id: &ObservationId, baseline: Option<&Observation>, last: Option<&Observation>) -> Option<String> {
    let moved = moved(id, baseline, last);
    let mut tables: BTreeMap<&str, i64> = BTreeMap::new();
    for sequence in &moved {
        let most = tables.entry(sequence.owner?).or_default();
        *most = sequence.calls?.max(*most);
    }
    let declared = |(table, calls): (&str, i64)| format!("expects.\"relation:{table}\" = {{ inserted = {calls} }}");
    let declared: Vec<String> = tables.into_iter().map(declared).collect();
    let names: Vec<&str> = moved.iter().map(|sequence| sequence.name).collect();
    (!moved.is_empty())
        .then(|| format!("{} would move with rows declared by `{}`", names.join(", "), declared.join("`, `")))
}

/// Every sequence of which anything differs.
fn moved<'a>(id: &ObservationId, baseline: Option<&'a Observation>, last: Option<&'a Observation>) -> Vec<Moved<'a>> {
    let (Some(before), Some(after)) = (baseline, last) else { return Vec::new() };
    if id.kind() != ObservationKind::Database || id.name() != "sequences" {
        return Vec::new();
    }
    let mut names: Vec<&str> = before.values.keys().chain(after.values.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let owner = |of: &'a Observation, name: &str| of.traces.get(&format!("owner {name}")).map(String::as_str);
    let all = |of: &'a Observation, name: &str| (of.values.get(name), of.traces.get(name), owner(of, name));
    let moved = |name: &'a str| {
        let owner = owner(before, name).filter(|found| Some(*found) == owner(after, name));
        let (table, step) = owner.map_or((None, 1), |owner| match owner.split_once(" in steps of ") {
            Some((table, step)) => (Some(table), step.parse().unwrap_or(0)),
            None => (Some(owner), 1),
        });
        let values = before.values.get(name).zip(after.values.get(name));
        // What was written and stands where it stood was put back.
        let calls = values.filter(|(a, b)| a != b).and_then(|(before, after)| calls(before, after, step));
        Moved { name, owner: table, calls }
    };
    names.into_iter().filter(|name| all(before, name) != all(after, name)).map(moved).collect()
}

/// How many steps lie between two values; the first call of a sequence gives the value it begins with.
fn calls(before: &str, after: &str, step: i64) -> Option<i64> {
    // What was set back to before its first call was moved by hand.
    let after = after.parse::<i64>().ok()?;
    let (before, is_first) = match before.strip_suffix(" not called") {
        Some(before) => (before, true),
        None => (before, false),
    };
    let by = after.checked_sub(before.parse().ok()?)?.checked_mul(step.signum())?;
    let step = step.checked_abs()?;
    match (by, is_first) {
        (..0, _) => None,
        (_, true) => by.checked_div(step)?.checked_add(1),
        (_, false) => by.checked_div(step).filter(|_| by.checked_rem(step) == Some(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_forward_and_the_first_call_moves_nothing() {
        for (before, after, step, expected) in [
            ("60", "61", 1, Some(1)),
            ("60", "60", 1, Some(0)),
            ("1 not called", "1", 1, Some(1)),
            ("1 not called", "3", 1, Some(3)),
            ("60", "80", 20, Some(1)),
            ("60", "81", 20, None),
            ("-5", "-7", -1, Some(2)),
            ("61", "60", 1, None),
            ("61", "61 not called", 1, None),
            ("1 not called", "20", 20, Some(1)),
            ("1 not called", "11", 10, Some(2)),
            ("60", "61", 0, None),
            ("60", "none", 1, None),
        ] {
            assert_eq!(calls(before, after, step), expected, "{before} {after} {step}");
        }
    }
}
