//! What changed between two bundles beside the decisions: policies and their annotations, invariants, people, keys, settings,
//! schema and facts. Nothing here asks a solver.

mod people;
mod policies;
mod schema;
pub mod settings;
mod signers;

pub use policies::earlier;

use crate::findings::{Finding, Place};
use crate::problem::{Problems, Source};
use crate::subject::Subject;
use std::collections::{BTreeMap, BTreeSet};

/// Everything of one project that says who may do what.
#[derive(Debug)]
pub struct Side {
    /// The bundle and its invariants.
    pub subject: Subject,
    /// The configuration, where there is one.
    pub config: Option<Source>,
    /// The recorded facts.
    pub facts: Vec<Source>,
}

/// Every difference, whatever it decides.
pub fn changes(old: &Side, new: &Side) -> Result<Vec<Finding>, Problems> {
    let mut findings = policies::changes(old, new);
    findings.extend(policies::templates(old, new));
    findings.extend(policies::invariants(&old.subject.invariants, &new.subject.invariants));
    findings.extend(people::people(old, new)?);
    findings.extend(signers::signers(&old.subject.bundle, &new.subject.bundle));
    findings.extend(settings::changes(old.config.as_ref(), new.config.as_ref())?);
    findings.extend(schema::changes(&old.subject, &new.subject)?);
    Ok(findings)
}

/// What one key was and is, for every key whose values differ.
fn differing<'a, K: Ord, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
    let keys: BTreeSet<&K> = old.keys().chain(new.keys()).collect();
    keys.into_iter().map(|key| (key, old.get(key), new.get(key))).filter(|(_, old, new)| old != new)
}

/// The first place where a text names something; its beginning, where it does not.
fn named(source: &Source, name: &str) -> Place {
    let start = source.text().find(name);
    Place::new(source, start.map_or(0..0, |start| start..start + name.len()))
}

/// `a, b and 3 more`.
fn shortened(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMED).map(String::as_str).collect();
    match names.len().saturating_sub(MOST_NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

const MOST_NAMED: usize = 6;
