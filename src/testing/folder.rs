//! Reading a case that is a folder: a plan, entities in place of recorded ones, and what the decisions must be.

use super::{Asked, Case, Expected};
use crate::problem::{Problem, Problems, Source};
use crate::request::Stage;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// The case of a folder.
pub(super) fn read(plan: &str, entities: &Source, expected: &Source) -> Result<Case, Problems> {
    let parse = |source: &Source| -> Result<Value, Problems> {
        crate::json::parse(source).map(|value| crate::json::to_serde(&value))
    };
    let (mut document, entities) = (parse(expected)?, parse(entities)?);
    let wrong = |message: &str| Problems::from(Problem::invalid(message).of(expected));
    let members = document.as_object_mut().ok_or_else(|| wrong("it is no object"))?;
    let says = members.remove("says").and_then(|says| says.as_str().map(str::to_owned));
    let now = members.remove("now").and_then(|now| Timestamp::parse(now.as_str()?));
    if members.is_empty() {
        return Err(wrong("it expects nothing: give `verdict`, `open_gaps`, `deferred_gaps` or `rows`"));
    }
    let entities = entities.as_array().cloned().ok_or_else(|| wrong("`entities.json` is not an array of entities"))?;
    Ok(Case {
        name: says.ok_or_else(|| wrong("it lacks `says`, one sentence"))?,
        source: expected.clone(),
        at: 0..0,
        plan: Some(plan.to_owned()),
        asked: Asked::Plan,
        replaced: Vec::new(),
        of_world: 0,
        patches: entities.into_iter().map(|entity| (String::new(), entity)).collect(),
        now: now.ok_or_else(|| wrong("it lacks `now`, a time such as 2026-05-21T08:15:00Z"))?,
        stage: Stage::Plan,
        gates: BTreeSet::new(),
        expected: Expected { document: Some(document), ..Expected::default() },
    })
}
