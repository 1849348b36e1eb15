//! Growth that was declared: whether a difference lies within it, and is growth at all.
//!
//! Rows were added, and nothing else was done, where the rows of the baseline are proved to be there as they were. Counters
//! prove nothing of the kind: those of a session at work are yet to come.

use super::super::{Generation, MOST_GENERATIONS, Observation, ObservationKind};
use crate::settings::evidence::Toleration;
use std::collections::BTreeMap;

/// Whether what grew was expected to.
pub(super) struct Growth<'a> {
    all: Vec<&'a Toleration>,
    a: &'a Observation,
    b: &'a Observation,
    /// Whether every row of the baseline is proved to be as it was.
    is_proved: bool,
}

impl<'a> Growth<'a> {
    pub(super) fn new(tolerate: &'a [Toleration], a: &'a Observation, b: &'a Observation, snapshot: &str) -> Self {
        let all: Vec<&Toleration> = tolerate.iter().filter(|toleration| toleration.id == a.id).collect();
        let is_proved = !all.is_empty() && old_rows_are_the_same(a, b, snapshot) == Some(true);
        Self { all, a, b, is_proved }
    }

    /// Why a difference of this name is tolerated, if it is.
    pub(super) fn status(&self, name: &str) -> Option<String> {
        let number = |observation: &Observation, name: &str| observation.values.get(name)?.parse::<i64>().ok();
        let grown = |name: &str| number(self.b, name)?.checked_sub(number(self.a, name)?);
        let within = |name: &str, most: i64| grown(name).is_some_and(|by| (0..=most).contains(&by));
        let is_relation = self.a.id.kind() == ObservationKind::Relation;
        let own = self.all.iter().find(|toleration| toleration.value.as_deref().unwrap_or("rows") == name);
        if let Some(toleration) = own.filter(|toleration| within(name, toleration.growth)) {
            return (!is_relation || self.is_proved).then(|| words(toleration));
        }
        // What follows from added rows is tolerated if rows were added and nothing else was done.
        let rows = self.all.iter().find(|toleration| toleration.value.as_deref().unwrap_or("rows") == "rows")?;
        let follows = matches!(name, "content" | "sha256" | "headers")
            || name.starts_with("newest ")
            || name.starts_with("rows ");
        (follows && self.is_proved && within("rows", rows.growth)).then(|| words(rows))
    }

    /// Why a difference that lies within what was declared is none that is tolerated.
    pub(super) fn refusal(&self) -> &'static str {
        let is_relation = self.a.id.kind() == ObservationKind::Relation;
        if self.all.is_empty() || self.is_proved || !is_relation {
            ""
        } else {
            ", and the rows of before are not proved unchanged"
        }
    }

    /// Why these counters are tolerated, if they are.
    pub(super) fn counters(&self, moved: &BTreeMap<String, i64>) -> Option<String> {
        let toleration = self
            .all
            .iter()
            .find(|toleration| matches!(toleration.value.as_deref(), None | Some("rows" | "counters")))?;
        let is_relation = self.a.id.kind() == ObservationKind::Relation;
        let within = moved
            .iter()
            .all(|(name, count)| (0..=toleration.growth).contains(count) && (!is_relation || name == "inserted"));
        (within && (!is_relation || self.is_proved)).then(|| words(toleration))
    }
}

/// Whether what the baseline digested is what is left of the final without the rows of later transactions.
fn old_rows_are_the_same(a: &Observation, b: &Observation, snapshot: &str) -> Option<bool> {
    let (old, new): (Vec<_>, Vec<_>) =
        b.generations.iter().partition(|(writer, _)| writer.parse().is_ok_and(|writer| !is_later(writer, snapshot)));
    // The oldest that is listed must be of before, or all of them must be listed.
    if old.is_empty() && new.len() >= MOST_GENERATIONS {
        return None;
    }
    let rows = |observation: &Observation| observation.values.get("rows")?.parse::<u64>().ok();
    let added = new.iter().map(|(_, generation)| generation.rows).fold(0, u64::saturating_add);
    if rows(b)?.checked_sub(added)? != rows(a)? || a.traces.get("storage")? != b.traces.get("storage")? {
        return Some(false);
    }
    let sums_of = |text: &str| -> Option<Vec<u128>> {
        let text = text.strip_prefix("text ").unwrap_or(text);
        let parts = (0..text.len() / 32).map(|at| u128::from_str_radix(text.get(at * 32..(at + 1) * 32)?, 16).ok());
        parts.collect()
    };
    let is_left = |before: &str, after: &str, of: &dyn Fn(&Generation) -> String| -> Option<bool> {
        let mut left = sums_of(after)?;
        for (_, generation) in &new {
            for (sum, part) in left.iter_mut().zip(sums_of(&of(generation))?) {
                *sum = sum.wrapping_sub(part);
            }
        }
        Some(left == sums_of(before)?)
    };
    let headers =
        is_left(a.traces.get("headers")?, b.traces.get("headers")?, &|generation| generation.headers.clone())?;
    let content = match (a.values.get("content"), b.values.get("content")) {
        (Some(before), Some(after)) => is_left(before, after, &|generation| generation.content.clone())?,
        // An ordered copy has no parts; headers say that no row of before was written.
        _ => a.values.contains_key("sha256") && b.values.contains_key("sha256"),
    };
    Some(headers && content)
}

/// Whether a transaction is not seen in a snapshot; transactions of rows are numbered modulo 2^32.
fn is_later(writer: u32, snapshot: &str) -> bool {
    let mut parts = snapshot.split(':').skip(1);
    let low = |text: &str| text.parse::<u64>().ok().and_then(|number| u32::try_from(number % (1 << 32)).ok());
    let Some(next) = parts.next().and_then(low) else { return true };
    let was_running = parts.next().is_some_and(|list| list.split(',').any(|one| low(one) == Some(writer)));
    // The first three numbers are the server's own.
    writer > 2 && (was_running || writer.wrapping_sub(next) < 1 << 31)
}

fn words(toleration: &Toleration) -> String {
    format!("at most {} more: {}", toleration.growth, toleration.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_at_the_snapshot_or_began_after_it_is_later() {
        for (writer, snapshot, later) in [
            (99, "100:100:", false),
            (100, "100:100:", true),
            (101, "99:105:99,101", true),
            (102, "99:105:99,101", false),
            (2, "100:100:", false),
            (5, "4294967290:4294967298:", true),
            (4_294_967_290, "4294967300:4294967300:", false),
            (100, "no snapshot", true),
        ] {
            assert_eq!(is_later(writer, snapshot), later, "{writer} {snapshot}");
        }
    }
}
