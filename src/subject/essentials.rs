//! Which facts of a case matter: those of which another value would not show the same any more.

use super::Subject;
use super::counterexample::{Case, extension, uid};
use super::shrink::{date_and_time, walk};
use cedar_policy::{EntityTypeName, EntityUid};
use serde_json::{Value, json};
use std::str::FromStr as _;

/// Every fact that matters, as `context.to = true`; `judge` says whether a changed case still shows it.
pub fn essentials(case: &Case, subject: &Subject, judge: &impl Fn(&Case) -> Option<bool>) -> Vec<String> {
    let mut pointers = Vec::new();
    walk(&case.context, String::new(), &mut pointers);
    let mut found = Vec::new();
    for pointer in pointers {
        let Some(value) = case.context.pointer(&pointer) else { continue };
        let changed = others(value, subject).into_iter().any(|other| {
            let mut changed = case.clone();
            let Some(place) = changed.context.pointer_mut(&pointer) else { return false };
            *place = other;
            // What does not conform to the schema says nothing.
            judge(&changed) == Some(false)
        });
        if changed {
            found.push(format!("context{} = {}", pointer.replace('/', "."), shown(value)));
        }
    }
    let attribute_matters = |index: usize, key: &str, value: &Value| {
        others(value, subject).into_iter().any(|other| {
            let mut changed = case.clone();
            let attributes = changed.entities.get_mut(index).and_then(|entity| entity.get_mut("attrs"));
            let Some(place) = attributes.and_then(|attributes| attributes.get_mut(key)) else { return false };
            *place = other;
            judge(&changed) == Some(false)
        })
    };
    for (index, entity) in case.entities.as_array().into_iter().flatten().enumerate() {
        let name = entity.get("uid").and_then(uid).unwrap_or_default();
        for parent in entity.get("parents").and_then(Value::as_array).into_iter().flatten().filter_map(uid) {
            found.push(format!("{name} in {parent}"));
        }
        let attributes = entity.get("attrs").and_then(Value::as_object).into_iter().flatten();
        for (key, value) in attributes.filter(|(key, value)| attribute_matters(index, key, value)) {
            found.push(format!("{name}.{key} = {}", shown(value)));
        }
    }
    found
}

/// Other values of the same type.
fn others(value: &Value, subject: &Subject) -> Vec<Value> {
    if let Some(inner) = value.get("__entity") {
        let name = inner.get("type").and_then(Value::as_str).unwrap_or_default();
        let id = inner.get("id").and_then(Value::as_str).unwrap_or_default();
        let members = members(subject, name);
        let others = members.into_iter().filter(|member| member != id);
        return others.map(|member| json!({ "__entity": { "type": name, "id": member } })).collect();
    }
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            vec![json!(number.saturating_add(1)), json!(number.saturating_sub(1)), json!(1_000_000)]
        }
        Value::String(_) => vec![json!("something else")],
        Value::Array(elements) => {
            let schema = subject.bundle.schema();
            let gates = schema.gates().iter().filter_map(|gate| schema.gate(gate));
            let uid = |gate: EntityUid| json!({ "type": gate.type_name().to_string(), "id": gate.id().unescaped() });
            let all: Value = gates.map(|gate| json!({ "__entity": uid(gate) })).collect();
            let nothing = if elements.is_empty() { None } else { Some(json!([])) };
            [all].into_iter().chain(nothing).chain([json!(["something else"])]).collect()
        }
        Value::Object(_) if extension(value).is_some() => {
            [-86_400_000, 86_400_000].into_iter().filter_map(|by| shifted(value, by)).collect()
        }
        _ => Vec::new(),
    }
}

fn members(subject: &Subject, name: &str) -> Vec<String> {
    let name = EntityTypeName::from_str(name).ok();
    name.and_then(|name| subject.bundle.schema().members(&name)).map(<[String]>::to_vec).unwrap_or_default()
}

fn shifted(value: &Value, milliseconds: i64) -> Option<Value> {
    let (at, _) = date_and_time(value)?;
    super::shrink::datetime(at.checked_add(milliseconds)?)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        other => uid(other).or_else(|| extension(other)).unwrap_or_else(|| other.to_string()),
    }
}
