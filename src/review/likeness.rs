//! How much two policies speak of the same things: a guess that says where to look first, never what holds.

use cedar_policy::Policy;
use serde_json::Value;
use std::collections::BTreeSet;

/// The names and literals of a policy's conditions.
pub type Words = BTreeSet<String>;

/// Every word of the policy's conditions.
pub fn words(policy: &Policy) -> Words {
    let mut words = Words::new();
    if let Ok(json) = policy.to_json() {
        json.get("conditions").into_iter().for_each(|conditions| gather(conditions, &mut words));
    }
    words
}

/// The words in common, in thousandths of all words of either.
pub fn likeness(a: &Words, b: &Words) -> usize {
    a.intersection(b).count() * 1000 / a.union(b).count().max(1)
}

/// The policy once for each of its conditions, which alone are implied by it.
pub fn clauses(policy: &Policy) -> Vec<Policy> {
    let Ok(json) = policy.to_json() else { return Vec::new() };
    let conditions = json.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    if conditions.len() < 2 {
        return Vec::new();
    }
    let alone = conditions.into_iter().map(|condition| {
        let mut json = json.clone();
        *json.get_mut("conditions")? = Value::Array(vec![condition]);
        Policy::from_json(Some(policy.id().clone()), json).ok()
    });
    alone.flatten().collect()
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
    for common in ["run", "facts"] {
        words.remove(common);
    }
}
