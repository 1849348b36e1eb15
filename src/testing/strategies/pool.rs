//! What values are made of: the literals of the policies and what lies beside them, and the entities of each type.

use super::uid;
use crate::policy::PolicyBundle;
use crate::subject::shrink::date_and_time;
use crate::testing::matching::milliseconds;
use cedar_policy::{EntityTypeName, EntityUid};
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The literals of a bundle, and its entities.
#[derive(Clone, Default, Debug)]
pub(super) struct Pool {
    /// Whole numbers, smallest first.
    pub(super) longs: Vec<i64>,
    pub(super) strings: Vec<String>,
    /// Milliseconds; the plainest first.
    pub(super) times: Vec<i64>,
    /// Milliseconds.
    pub(super) durations: Vec<i64>,
    pub(super) decimals: Vec<String>,
    /// By type, those that policies name and one besides; the plain one first.
    ids: BTreeMap<String, Vec<EntityUid>>,
    enumerated: BTreeSet<String>,
}

impl Pool {
    pub(super) fn of(bundle: &PolicyBundle) -> Self {
        let schema = bundle.schema();
        let mut pool = Self::default();
        let (mut longs, mut durations) = (BTreeSet::from([0, 1, 2, 3]), BTreeSet::from([0, 1]));
        let mut strings = BTreeSet::from([String::new(), "other".to_owned()]);
        let (mut times, mut decimals) = (BTreeSet::new(), BTreeSet::from(["0.0".to_owned()]));
        for policy in bundle.policies() {
            let json = policy.policy.to_json().unwrap_or_default();
            visit(&json, &mut |name, value| match (name, value) {
                ("duration", Value::String(text)) => durations.extend(milliseconds(text)),
                ("datetime", Value::String(text)) => {
                    let call = json!({ "__extn": { "fn": "datetime", "arg": text } });
                    times.extend(date_and_time(&call).map(|(time, _)| time));
                }
                ("decimal", Value::String(text)) => drop(decimals.insert(text.clone())),
                (_, Value::String(text)) => drop(strings.insert(text.clone())),
                (_, Value::Number(number)) => {
                    longs.extend(
                        number.as_i64().into_iter().flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)]),
                    );
                }
                _ => {}
            });
        }
        let beside = |of: &BTreeSet<i64>| -> BTreeSet<i64> { of.iter().flat_map(|n| [n - 1, *n, n + 1]).collect() };
        // Times that lie as far from each other as a duration that policies reckon with, and one step to either side.
        let spans: BTreeSet<i64> = durations.iter().flat_map(|span| [-*span, *span]).collect();
        pool.times = std::iter::once(FIRST)
            .chain(beside(&spans).into_iter().map(|span| FIRST + span))
            .chain(beside(&times))
            .collect();
        pool.durations = durations.into_iter().collect();
        pool.longs = longs.into_iter().collect();
        pool.longs.sort_by_key(|number| (number.unsigned_abs(), *number < 0));
        pool.strings = strings.into_iter().collect();
        pool.decimals = decimals.into_iter().collect();
        for kind in schema.schema().entity_types() {
            let members = schema.members(kind).map(<[String]>::to_vec);
            if members.is_some() || schema.is_enumerated(kind) {
                pool.enumerated.insert(kind.to_string());
            }
            let ids = members.unwrap_or_else(|| vec![kind.basename().to_lowercase()]);
            pool.ids.insert(kind.to_string(), ids.iter().map(|id| uid(kind, id)).collect());
        }
        for named in bundle.policies().iter().flat_map(|policy| policy.policy.entity_literals()) {
            let known = pool.ids.get_mut(&named.type_name().to_string());
            if let Some(known) = known.filter(|known| !known.contains(&named)) {
                known.push(named);
            }
        }
        pool
    }

    /// Every entity that a world must hold.
    pub(super) fn entities(&self) -> impl Iterator<Item = &EntityUid> {
        self.ids.iter().filter(|(kind, _)| !self.enumerated.contains(*kind)).flat_map(|(_, ids)| ids)
    }

    /// The entities of a type.
    pub(super) fn of_type(&self, kind: &str) -> &[EntityUid] {
        self.ids.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// Any entity of a type; the plainest is the smallest.
    pub(super) fn any_of(&self, kind: &EntityTypeName) -> BoxedStrategy<EntityUid> {
        match self.of_type(&kind.to_string()) {
            [] => Just(uid(kind, &kind.basename().to_lowercase())).boxed(),
            known => select(known.to_vec()).boxed(),
        }
    }
}

/// Every literal below an expression, with the name of the function that it is given to.
fn visit(expression: &Value, see: &mut dyn FnMut(&str, &Value)) {
    match expression {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("Value", value) => see("", value),
                    (call @ ("datetime" | "duration" | "decimal"), Value::Array(given)) => {
                        given.iter().filter_map(|one| one.get("Value")).for_each(|value| see(call, value));
                    }
                    (_, member) => visit(member, see),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| visit(element, see)),
        _ => {}
    }
}

/// 2026-01-01T00:00:00Z in milliseconds.
pub(super) const FIRST: i64 = 1_767_225_600_000;
