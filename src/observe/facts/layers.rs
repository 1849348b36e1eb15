//! Live entities laid over recorded ones: a live value outranks a recorded one, and both outrank what is said for neither.

use crate::facts::{Origin, RawFacts};
use crate::problem::{Problems, Source};
use crate::settings::facts::{FactQuery, FactsSettings};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Type and id of an entity.
pub type Key = (String, String);

/// Recorded entities without those that are live, then one source for each query.
///
/// An entity that is only recorded stays, since others refer to it, but where queries own its type, by `owners`,
/// it has what their silence says instead of what was recorded.
pub fn merge(
    recorded: RawFacts,
    mut live: BTreeMap<Key, Value>,
    answers: &[(String, Vec<Key>)],
    settings: &FactsSettings,
    owners: &BTreeMap<String, Vec<&FactQuery>>,
) -> Result<RawFacts, Problems> {
    let mut problems = Problems::new();
    let mut sources = Vec::new();
    for source in &recorded.sources {
        let Some(value) = problems.absorb(crate::json::parse(source)) else { continue };
        let Value::Array(entities) = crate::json::to_serde(&value) else {
            sources.push(source.clone());
            continue;
        };
        // An untouched file keeps its own text, so that errors point into it.
        let mut untouched = true;
        let mut kept = Vec::new();
        for mut entity in entities {
            let key = key(&entity);
            if let Some(over) = live.get_mut(&key) {
                untouched = false;
                lay_over(over, entity);
                continue;
            }
            for query in owners.get(&key.0).into_iter().flatten() {
                untouched = false;
                silence(&mut entity, query);
            }
            kept.push(entity);
        }
        sources.push(if untouched {
            source.clone()
        } else {
            Source::new(source.name(), format!("{:#}\n", Value::Array(kept)))
        });
    }
    let mut names = recorded.names.clone();
    for (name, keys) in answers {
        let mut entities: Vec<Value> = keys.iter().filter_map(|key| live.remove(key)).collect();
        let otherwise = settings.queries.get(name).map(|query| &query.otherwise);
        otherwise.into_iter().for_each(|otherwise| entities.iter_mut().for_each(|entity| complete(entity, otherwise)));
        let text = format!("{:#}\n", Value::Array(entities));
        names.push(format!("postgres/{name}"));
        sources.push(Source::new(format!("query `{name}`"), text));
    }
    problems.or(RawFacts { sources, names, origin: Origin::Postgres, name: "the database".to_owned() })
}

/// Adds what was recorded and is not live.
fn lay_over(live: &mut Value, recorded: Value) {
    if let (Value::Object(live), Value::Object(recorded)) = (live, recorded) {
        for (name, value) in recorded {
            match live.get_mut(&name) {
                // A reference or a datetime is one value, not a record.
                Some(Value::Object(inner)) if inner.keys().any(|key| key.starts_with("__")) => {}
                Some(Value::Array(parents)) if name == "parents" && parents.is_empty() => *parents = array(value),
                Some(inner @ Value::Object(_)) if name != "uid" => lay_over(inner, value),
                Some(_) => {}
                None => drop(live.insert(name, value)),
            }
        }
    }
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}

/// What is left of a recorded entity that its query did not give: nothing that the query would have said.
fn silence(entity: &mut Value, query: &FactQuery) {
    let Some(Value::Object(attributes)) = entity.get_mut("attrs") else { return };
    for column in query.attributes.iter().chain(query.references.keys()) {
        remove(attributes, column);
    }
    for (name, value) in &query.absent {
        remove(attributes, name);
        put(attributes, name, value);
    }
}

/// Removes what a dotted name names.
fn remove(record: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        None => drop(record.remove(path)),
        Some((first, rest)) => {
            if let Some(Value::Object(inner)) = record.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

/// Puts a value where its dotted name says, over whatever stands there.
fn put(record: &mut Map<String, Value>, path: &str, value: &Value) {
    match path.split_once('.') {
        None => drop(record.insert(path.to_owned(), value.clone())),
        Some((first, rest)) => {
            let inner = record.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Adds what neither the database nor a file says.
fn complete(entity: &mut Value, otherwise: &BTreeMap<String, Value>) {
    if let Some(Value::Object(attributes)) = entity.get_mut("attrs") {
        for (name, value) in otherwise {
            attributes.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Type and id, in whichever of Cedar's two forms they stand.
pub fn key(entity: &Value) -> Key {
    let part = |name: &str| {
        let uid = entity.get("uid").map(|uid| uid.get("__entity").unwrap_or(uid));
        uid.and_then(|uid| uid.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    (part("type"), part("id"))
}
