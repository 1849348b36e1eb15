//! Growth that was declared: whether a difference lies within it, and is growth at all.

use super::super::{Observation, ObservationKind};
use super::difference;
use crate::settings::evidence::Toleration;
use std::collections::BTreeMap;

/// Whether what grew was expected to.
pub(super) struct Growth<'a> {
    pub(super) all: Vec<&'a Toleration>,
    pub(super) a: &'a Observation,
    pub(super) b: &'a Observation,
    pub(super) counters_hold: bool,
}

impl Growth<'_> {
    /// Why a difference of this name is tolerated, if it is.
    pub(super) fn status(&self, name: &str) -> Option<String> {
        let number = |observation: &Observation, name: &str| observation.values.get(name)?.parse::<i64>().ok();
        let grown = |name: &str| number(self.b, name)?.checked_sub(number(self.a, name)?);
        let own = self.all.iter().find(|toleration| toleration.value.as_deref().unwrap_or("rows") == name);
        if let Some(toleration) =
            own.filter(|toleration| grown(name).is_some_and(|by| (0..=toleration.growth).contains(&by)))
        {
            return Some(words(toleration));
        }
        // What follows from added rows is tolerated if rows were added and nothing else was done.
        let rows = self.all.iter().find(|toleration| toleration.value.as_deref().unwrap_or("rows") == "rows")?;
        let follows = matches!(name, "content" | "sha256" | "headers")
            || name.starts_with("newest ")
            || name.starts_with("rows ");
        let counters = self.moved();
        let only_added = self.counters_hold && self.counters(&counters).is_some();
        (follows && only_added && grown("rows").is_some_and(|by| (0..=rows.growth).contains(&by))).then(|| words(rows))
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
        within.then(|| words(toleration))
    }

    fn moved(&self) -> BTreeMap<String, i64> {
        match (&self.a.counters, &self.b.counters) {
            (Some(a), Some(b)) => difference(&a.opening, &b.closing),
            _ => BTreeMap::from([("unknown".to_owned(), i64::MAX)]),
        }
    }
}

fn words(toleration: &Toleration) -> String {
    format!("at most {} more: {}", toleration.growth, toleration.why)
}
