//! The JSON form of several schema fragments as one, in which every name of a type is whole.

use cedar_policy::EntityUid;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// All fragments as one; what two of them declare was refused before.
pub fn join(parts: Vec<Value>) -> Value {
    let mut all = serde_json::Map::new();
    for (namespace, body) in parts.into_iter().filter_map(object).flatten() {
        let joined = all.entry(namespace).or_insert_with(|| serde_json::json!({}));
        for (section, members) in object(body).into_iter().flatten() {
            match joined.get_mut(&section).and_then(Value::as_object_mut) {
                Some(there) => there.extend(object(members).into_iter().flatten()),
                None => {
                    let Some(joined) = joined.as_object_mut() else { continue };
                    joined.insert(section, members);
                }
            }
        }
    }
    for (namespace, body) in &mut all {
        let of = |section: &str| members(body, section).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        let names: BTreeSet<String> = of("commonTypes").into_iter().chain(of("entityTypes")).collect();
        Names { namespace, names: &names }.whole(body);
    }
    Value::Object(all)
}

/// The names that a namespace declares.
struct Names<'a> {
    namespace: &'a str,
    names: &'a BTreeSet<String>,
}

impl Names<'_> {
    fn whole(&self, body: &mut Value) {
        for common in values(body, "commonTypes") {
            self.shape(common);
        }
        for entity in values(body, "entityTypes") {
            for key in ["shape", "tags"] {
                entity.get_mut(key).into_iter().for_each(|shape| self.shape(shape));
            }
            self.list(entity.get_mut("memberOfTypes"));
        }
        for action in values(body, "actions") {
            let Some(applies) = action.get_mut("appliesTo") else { continue };
            self.list(applies.get_mut("principalTypes"));
            self.list(applies.get_mut("resourceTypes"));
            applies.get_mut("context").into_iter().for_each(|context| self.shape(context));
        }
    }

    fn list(&self, names: Option<&mut Value>) {
        names.and_then(Value::as_array_mut).into_iter().flatten().for_each(|name| self.name(name));
    }

    fn name(&self, name: &mut Value) {
        if let Some(whole) = name.as_str().filter(|name| self.names.contains(*name)) {
            *name = Value::String(format!("{}::{whole}", self.namespace));
        }
    }

    fn shape(&self, shape: &mut Value) {
        let key = if shape.get("name").is_some() { "name" } else { "type" };
        shape.get_mut(key).into_iter().for_each(|name| self.name(name));
        values(shape, "attributes").for_each(|attribute| self.shape(attribute));
        shape.get_mut("element").into_iter().for_each(|element| self.shape(element));
    }
}

/// Everything of a section, by whole name.
pub fn all(json: &Value, section: &'static str) -> impl Iterator<Item = (String, Value)> {
    let namespaces = json.as_object().into_iter().flatten();
    namespaces.flat_map(move |(namespace, body)| {
        members(body, section).map(move |(name, value)| (format!("{namespace}::{name}"), value.clone()))
    })
}

/// The context of an action that applies to something.
pub fn context<'a>(json: &'a Value, action: &EntityUid) -> Option<&'a Value> {
    let action = json.get(action.type_name().namespace())?.get("actions")?.get(action.id().unescaped())?;
    let applies = action.get("appliesTo")?;
    let some = |key| applies.get(key).and_then(Value::as_array).is_some_and(|types| !types.is_empty());
    (some("principalTypes") && some("resourceTypes")).then(|| applies.get("context").unwrap_or(&Value::Null))
}

/// The annotations of an action.
pub fn annotations<'a>(json: &'a Value, action: &EntityUid) -> impl Iterator<Item = (&'a str, &'a str)> {
    let actions = json.get(action.type_name().namespace()).and_then(|body| body.get("actions"));
    let declared = actions.and_then(|actions| actions.get(action.id().unescaped()));
    declared
        .into_iter()
        .flat_map(|action| members(action, "annotations"))
        .map(|(key, text)| (key, text.as_str().unwrap_or_default()))
}

pub fn members<'a>(body: &'a Value, section: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    body.get(section).and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

pub fn attributes(record: &Value) -> impl Iterator<Item = (&str, &Value)> {
    members(record, "attributes")
}

fn values<'a>(body: &'a mut Value, section: &str) -> impl Iterator<Item = &'a mut Value> {
    body.get_mut(section).and_then(Value::as_object_mut).into_iter().flat_map(|members| members.values_mut())
}

fn object(value: Value) -> Option<serde_json::Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Follows the names of common types to what they stand for.
pub fn resolve<'a>(shape: &'a Value, common_types: &'a BTreeMap<String, Value>) -> &'a Value {
    let mut shape = shape;
    // Cedar refuses cyclic types, so that there are at most as many steps as types.
    for _ in 0..=common_types.len() {
        let name = shape.get("name").or_else(|| shape.get("type")).and_then(Value::as_str).unwrap_or_default();
        match common_types.get(name) {
            Some(next) => shape = next,
            None => break,
        }
    }
    shape
}

/// A type that comes to more parts than anybody could look at, once the names in it stand for what they name.
pub fn too_large(json: &Value) -> Option<String> {
    let types: BTreeMap<String, Value> = all(json, "commonTypes").collect();
    let mut sizes = BTreeMap::new();
    types
        .iter()
        .find(|(name, shape)| size(name, shape, &types, &mut sizes, 0) > MOST_PARTS)
        .map(|(name, _)| name.clone())
}

fn size(
    name: &str,
    shape: &Value,
    types: &BTreeMap<String, Value>,
    sizes: &mut BTreeMap<String, u64>,
    depth: usize,
) -> u64 {
    if let Some(known) = sizes.get(name).filter(|_| !name.is_empty()) {
        return *known;
    }
    // Of a type that holds itself Cedar says so.
    if depth > types.len().min(DEEPEST) {
        return 1;
    }
    let named = shape.get("name").or_else(|| shape.get("type")).and_then(Value::as_str).unwrap_or_default();
    let below = match types.get_key_value(named) {
        Some((named, next)) => size(named, next, types, sizes, depth + 1),
        None => attributes(shape)
            .map(|(_, part)| part)
            .chain(shape.get("element"))
            .fold(0, |sum: u64, part| sum.saturating_add(size("", part, types, sizes, depth))),
    };
    let all = below.saturating_add(1);
    if !name.is_empty() {
        sizes.insert(name.to_owned(), all);
    }
    all
}

pub const MOST_PARTS: u64 = 20_000;
const DEEPEST: usize = 1_000;

/// The schema in which no action's context has `run`.
pub fn without_run(mut json: Value) -> Value {
    let types: BTreeMap<String, Value> = all(&json, "commonTypes").collect();
    for namespace in json.as_object_mut().into_iter().flat_map(|namespaces| namespaces.values_mut()) {
        for action in values(namespace, "actions") {
            if let Some(context) = action.pointer_mut("/appliesTo/context") {
                *context = resolve(context, &types).clone();
                if let Some(attributes) = context.get_mut("attributes").and_then(Value::as_object_mut) {
                    attributes.remove("run");
                }
            }
        }
    }
    json
}
