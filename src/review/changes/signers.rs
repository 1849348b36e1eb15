//! Keys that may sign what they might not before, or for longer, and those that may no more.

use super::differing;
use super::policies::MEANT;
use crate::findings::rule::Rule;
use crate::findings::{Finding, Place, rules};
use crate::policy::PolicyBundle;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// When a key may sign: from the first moment to the last, both included; without one there is no bound.
type Times = Vec<(Option<Timestamp>, Option<Timestamp>)>;

/// By name and key, what it signs for and when.
type Keys = BTreeMap<(String, String), BTreeMap<String, Times>>;

/// Keys that are new, gone, or sign for more, for less, longer or shorter.
pub fn signers(old: &PolicyBundle, new: &PolicyBundle) -> Vec<Finding> {
    let (was, is) = (keys(old), keys(new));
    let mut findings = Vec::new();
    for ((principal, key), before, after) in differing(&was, &is) {
        let names = |of: &BTreeMap<String, Times>| of.keys().cloned().collect::<Vec<_>>().join(", ");
        let (rule, message): (&'static Rule, String) = match (before, after) {
            (None, Some(after)) => {
                (&rules::AUTHORITY_WIDENED, format!("the key {key} may now sign for {}", names(after)))
            }
            (Some(before), Some(after)) if after.iter().all(|(of, times)| is_within(times, before.get(of))) => {
                (&rules::AUTHORITY_NARROWED, format!("the key {key} signs for less, or for a shorter time"))
            }
            (Some(_), Some(after)) => (
                &rules::AUTHORITY_WIDENED,
                format!("the key {key} signs for {}, for more or longer than before", names(after)),
            ),
            (_, None) => (&rules::AUTHORITY_NARROWED, format!("the key {key} may not sign any more")),
        };
        let finding = Finding::new(rule, principal.as_str(), message);
        let finding = if *rule == rules::AUTHORITY_WIDENED { finding.help(MEANT) } else { finding };
        let side = if after.is_some() { new } else { old };
        findings.push(match side.signers_source().zip(line_of(side, key)) {
            Some((file, at)) => finding.at(Place::new(file, at..at + principal.len())),
            None => finding,
        });
    }
    findings
}

/// What each key may do, however many lines say so and in whichever order.
fn keys(bundle: &PolicyBundle) -> Keys {
    let mut keys = Keys::new();
    for line in bundle.signers().iter() {
        let key = keys.entry((line.principal().to_owned(), line.fingerprint().to_string())).or_default();
        for namespace in line.namespaces() {
            key.entry(namespace.clone()).or_default().push((line.valid_after(), line.valid_before()));
        }
    }
    for times in keys.values_mut().flat_map(BTreeMap::values_mut) {
        *times = joined(std::mem::take(times));
    }
    keys
}

/// The same times, sorted, without those that go on where another ends or lie in one.
fn joined(mut times: Times) -> Times {
    // What begins at no moment begins before all, as `None` sorts.
    times.sort_unstable();
    let mut joined = Times::new();
    for (from, until) in times {
        match joined.last_mut() {
            Some((_, last)) if last.is_none_or(|last| from.is_none_or(|from| from <= last)) => {
                *last = last.zip(until).map(|(last, until)| last.max(until));
            }
            _ => joined.push((from, until)),
        }
    }
    joined
}

/// Whether each of these times lies in one of those.
fn is_within(times: &Times, others: Option<&Times>) -> bool {
    let lies_in = |own: &(Option<Timestamp>, Option<Timestamp>), other: &(Option<Timestamp>, Option<Timestamp>)| {
        other.0.is_none_or(|from| own.0.is_some_and(|own| own >= from))
            && other.1.is_none_or(|until| own.1.is_some_and(|own| own <= until))
    };
    times.iter().all(|own| others.into_iter().flatten().any(|other| lies_in(own, other)))
}

/// Where the last line of the key begins.
fn line_of(side: &PolicyBundle, key: &str) -> Option<usize> {
    side.signers().iter().rfind(|line| line.fingerprint().to_string() == key).map(|line| line.start())
}
