//! How much two policies speak of the same things: a guess that says where to look first, never what holds.

use cedar_policy::Policy;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The names and literals of a policy's conditions.
pub type Words = BTreeSet<String>;

/// Every word of the policy's conditions, and of its scope without the action.
pub fn words(policy: &Policy) -> Words {
    let mut words = Words::new();
    if let Ok(json) = policy.to_json() {
        let parts = ["conditions", "principal", "resource"].into_iter().filter_map(|part| json.get(part));
        parts.for_each(|part| gather(part, &mut words));
    }
    words
}

/// How much a word says: a word that many policies use says little.
#[derive(Debug, Default)]
pub struct Weights(BTreeMap<String, usize>);

impl Weights {
    /// Counts in how many of the policies each word stands.
    pub fn of<'a>(policies: impl Iterator<Item = &'a Words>) -> Self {
        let mut counts = BTreeMap::new();
        policies.flatten().for_each(|word| *counts.entry(word.clone()).or_insert(0) += 1);
        Self(counts)
    }

    /// The words in common, in thousandths of all words of either, each by its weight.
    pub fn likeness(&self, a: &Words, b: &Words) -> usize {
        let weight = |word: &String| WHOLE / self.0.get(word).copied().unwrap_or(1).max(1);
        let common: usize = a.intersection(b).map(weight).sum();
        let all: usize = a.union(b).map(weight).sum();
        common * 1000 / all.max(1)
    }
}

/// The policy once for each of its conditions alone, all of which it implies.
pub fn clauses(policy: &Policy) -> Vec<Policy> {
    let Ok(json) = policy.to_json() else { return Vec::new() };
    let conditions = json.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut split = Vec::new();
    for condition in &conditions {
        match (condition.get("kind").and_then(Value::as_str), condition.get("body")) {
            (Some(kind @ "when"), Some(body)) => split_into(body, "&&", kind, &mut split),
            (Some(kind @ "unless"), Some(body)) => split_into(body, "||", kind, &mut split),
            _ => {}
        }
    }
    if split.len() < 2 {
        return Vec::new();
    }
    let alone = split.into_iter().map(|condition| {
        let mut json = json.clone();
        *json.get_mut("conditions")? = Value::Array(vec![condition]);
        Policy::from_json(Some(policy.id().clone()), json).ok()
    });
    alone.flatten().collect()
}

/// One condition for each operand; one that says `has` stands before those after it, which may rely on it.
fn split_into(body: &Value, operator: &str, kind: &str, split: &mut Vec<Value>) {
    let mut operands = Vec::new();
    flatten(body, operator, &mut operands);
    // All of the condition is a clause, too: it may hold together what only together says something.
    if operands.len() > 1 {
        split.push(json!({ "kind": kind, "body": body }));
    }
    let mut guards: Vec<&Value> = Vec::new();
    for operand in operands {
        let guarded = guards
            .iter()
            .rev()
            .fold(operand.clone(), |right, left| json!({ operator: { "left": left, "right": right } }));
        split.push(json!({ "kind": kind, "body": guarded }));
        if operand.get("has").is_some() {
            guards.push(operand);
        }
    }
}

fn flatten<'a>(body: &'a Value, operator: &str, operands: &mut Vec<&'a Value>) {
    match body.get(operator).map(|both| (both.get("left"), both.get("right"))) {
        Some((Some(left), Some(right))) => {
            flatten(left, operator, operands);
            flatten(right, operator, operands);
        }
        _ => operands.push(body),
    }
}

fn gather(value: &Value, words: &mut Words) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            // Attributes and literals are values of these; operators are keys.
            match (key.as_str(), value) {
                ("attr" | "Value" | "id", Value::String(word)) => drop(words.insert(word.clone())),
                ("Value", Value::Number(number)) => drop(words.insert(number.to_string())),
                _ => gather(value, words),
            }
        }),
        Value::Array(elements) => elements.iter().for_each(|value| gather(value, words)),
        _ => {}
    }
}

/// The weight of a word that stands in one policy only.
const WHOLE: usize = 100_000;
