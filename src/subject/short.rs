//! A case written short, to be kept in a file: only what differs from the emptiest request of its action, and no entity that is empty.

use super::Subject;
use super::counterexample::Case;
use super::sample::Contexts;
use super::shrink::{name, names};
use cedar_policy::EntityUid;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The case written short; `None` where that would not give it back.
pub fn short(case: &Case, subject: &Subject) -> Option<Value> {
    let contexts = Contexts(subject.bundle.schema());
    let [principal, action, resource] = case.uids.each_ref().map(ToString::to_string);
    let mut value = json!({ "principal": principal, "action": action, "resource": resource });
    let map = value.as_object_mut()?;
    let context = difference(&contexts.emptiest(&case.uids[1]), &case.context);
    map.extend(context.map(|context| ("context".to_owned(), context)));
    let entities = case.entities.as_array()?.iter().filter_map(|entity| {
        let mut entity = entity.as_object()?.clone();
        let kind = entity.get("uid")?.get("type")?.as_str()?;
        let attributes = difference(&contexts.emptiest_entity(kind), entity.get("attrs")?);
        entity.remove("attrs");
        entity.extend(attributes.map(|attributes| ("attrs".to_owned(), attributes)));
        entity.retain(|_, part| ![json!([]), json!({})].contains(part));
        (entity.len() > 1).then_some(Value::Object(entity))
    });
    let entities: Vec<Value> = entities.collect();
    if !entities.is_empty() {
        map.insert("entities".to_owned(), Value::Array(entities));
    }
    whole(&value, subject).filter(|again| again.uids == case.uids && again.context == case.context)?;
    Some(value)
}

/// The case that was written short, with every entity that it names.
pub fn whole(value: &Value, subject: &Subject) -> Option<Case> {
    let schema = subject.bundle.schema();
    let contexts = Contexts(schema);
    let part = |key: &str| value.get(key)?.as_str()?.parse::<EntityUid>().ok();
    let uids = [part("principal")?, part("action")?, part("resource")?];
    let context = laid_over(contexts.emptiest(&uids[1]), value.get("context"));
    let mut entities: Vec<Value> = Vec::new();
    for entity in value.get("entities").and_then(Value::as_array).into_iter().flatten() {
        let kind = entity.get("uid")?.get("type")?.as_str()?;
        let attributes = laid_over(contexts.emptiest_entity(kind), entity.get("attrs"));
        let mut whole = Map::from_iter([("attrs".to_owned(), attributes), ("parents".to_owned(), json!([]))]);
        whole
            .extend(entity.as_object()?.iter().filter(|(key, _)| *key != "attrs").map(|(k, v)| (k.clone(), v.clone())));
        entities.push(Value::Object(whole));
    }
    // Whatever is named and not described is there, and empty.
    let mut known: BTreeSet<String> = entities.iter().filter_map(|entity| name(entity.get("uid")?)).collect();
    let mut named: BTreeSet<String> = [&uids[0], &uids[2]].map(ToString::to_string).into();
    names(&context, &mut named);
    entities.iter().for_each(|entity| names(entity, &mut named));
    while let Some(new) = named.pop_first() {
        let uid: EntityUid = new.parse().ok()?;
        let is_action = uid.type_name().basename() == "Action";
        if is_action || schema.is_enumerated(uid.type_name()) || !known.insert(new) {
            continue;
        }
        let kind = uid.type_name().to_string();
        let attributes = contexts.emptiest_entity(&kind);
        names(&attributes, &mut named);
        let id: &str = uid.id().as_ref();
        entities.push(json!({ "uid": { "type": kind, "id": id }, "attrs": attributes, "parents": [] }));
    }
    Some(Case { uids, context, entities: Value::Array(entities) })
}

/// What lies over the base; `None` where nothing does.
fn difference(base: &Value, value: &Value) -> Option<Value> {
    match (record(base), record(value)) {
        (Some(base), Some(value)) => {
            let differs = value.iter().filter_map(|(key, value)| {
                let difference = base.get(key).map_or_else(|| Some(value.clone()), |base| difference(base, value));
                Some((key.clone(), difference?))
            });
            let differs: Map<String, Value> = differs.collect();
            (!differs.is_empty()).then_some(Value::Object(differs))
        }
        _ => (base != value).then(|| value.clone()),
    }
}

/// The base with a difference over it.
fn laid_over(base: Value, over: Option<&Value>) -> Value {
    match (base, over) {
        (base, None) => base,
        (Value::Object(mut base), Some(over)) if record(over).is_some() && !is_opaque(&base) => {
            for (key, over) in record(over).into_iter().flatten() {
                let under = base.remove(key).unwrap_or_default();
                base.insert(key.clone(), laid_over(under, Some(over)));
            }
            Value::Object(base)
        }
        (_, Some(over)) => over.clone(),
    }
}

/// A record, and no entity or extension value.
fn record(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object().filter(|map| !is_opaque(map))
}

fn is_opaque(map: &Map<String, Value>) -> bool {
    map.contains_key("__entity") || map.contains_key("__extn")
}
