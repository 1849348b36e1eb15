//! Reading and changing single values of a case by the path at which a policy reads them.

use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::subject::shrink::{date_and_time, datetime};
use crate::subject::twin::Ask;
use cedar_policy::{EntityUid, EvalResult};
use serde_json::{Map, Value, json};

/// What a step of a path begins with that is the name of a tag.
pub(super) const TAG: char = '#';

/// Where a value lies: in the context, or in the entities.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    in_context: bool,
    pointer: String,
}

/// Where the value of a path lies, followed through entities; it need not be there.
pub(super) fn locate(case: &Case, path: &str) -> Option<Place> {
    let mut steps = path.split('.');
    let [principal, _, resource] = &case.uids;
    let mut at = match steps.next()? {
        "context" => Place { in_context: true, pointer: String::new() },
        "principal" => attributes_of(case, &uid_json(principal))?,
        "resource" => attributes_of(case, &uid_json(resource))?,
        _ => return None,
    };
    for step in steps {
        if let Some(uid) = read(case, &at).and_then(|value| value.get("__entity")) {
            at = attributes_of(case, uid)?;
        }
        let step = match step.strip_prefix(TAG) {
            Some(key) => {
                at.pointer = format!("{}/tags", at.pointer.strip_suffix("/attrs")?);
                key
            }
            None => step,
        };
        at.pointer = format!("{}/{}", at.pointer, step.replace('~', "~0").replace('/', "~1"));
    }
    Some(at)
}

/// The place of the attributes of an entity.
fn attributes_of(case: &Case, uid: &Value) -> Option<Place> {
    let index = entity(case, uid)?;
    Some(Place { in_context: false, pointer: format!("/{index}/attrs") })
}

/// The index of an entity among those of the case.
pub(super) fn entity(case: &Case, uid: &Value) -> Option<usize> {
    let is = |entity: &Value| entity.get("uid").is_some_and(|own| own.get("__entity").unwrap_or(own) == uid);
    case.entities.as_array()?.iter().position(is)
}

/// The value at a place.
pub(super) fn read<'c>(case: &'c Case, place: &Place) -> Option<&'c Value> {
    let root = if place.in_context { &case.context } else { &case.entities };
    root.pointer(&place.pointer)
}

/// The case with another value at a place, or without one.
pub(super) fn with(case: &Case, place: &Place, value: Option<Value>) -> Option<Case> {
    let mut case = case.clone();
    let root = if place.in_context { &mut case.context } else { &mut case.entities };
    let (parent, key) = place.pointer.rsplit_once('/')?;
    // An entity that has no tags yet may be written without any.
    if let Some(entity) = parent.strip_suffix("/tags").and_then(|entity| root.pointer_mut(entity)?.as_object_mut()) {
        entity.entry("tags").or_insert_with(|| json!({}));
    }
    let members = root.pointer_mut(parent)?.as_object_mut()?;
    let key = key.replace("~1", "/").replace("~0", "~");
    match value {
        Some(value) => drop(members.insert(key, value)),
        None => drop(members.remove(&key)?),
    }
    Some(case)
}

/// The number that a value is or stands for: milliseconds of times, ten-thousandths of decimals.
pub(super) fn number(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    if let Some((time, _)) = date_and_time(value) {
        return Some(time);
    }
    let call = value.get("__extn")?;
    let argument = call.get("arg")?.as_str()?;
    match call.get("fn")?.as_str()? {
        "duration" => argument.strip_suffix("ms")?.parse().ok(),
        "decimal" => decimal(argument),
        _ => None,
    }
}

/// Ten-thousandths of a decimal.
pub(super) fn decimal(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let part: i64 = format!("{part:0<4}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(10_000)?.checked_add(sign * part)
}

/// The value of the same type that stands for another number.
pub(super) fn of_number(like: &Value, number: i64) -> Option<Value> {
    if like.is_number() {
        return Some(json!(number));
    }
    if date_and_time(like).is_some() {
        // Years that people do not write down are times to Cedar all the same.
        return Some(datetime(number).unwrap_or_else(|| {
            let call = |name: &str, argument: String| json!({ "__extn": { "fn": name, "arg": argument } });
            let parts = [call("datetime", "1970-01-01".to_owned()), call("duration", format!("{number}ms"))];
            json!({ "__extn": { "fn": "offset", "args": parts } })
        }));
    }
    match like.pointer("/__extn/fn")?.as_str()? {
        "duration" => Some(json!({ "__extn": { "fn": "duration", "arg": format!("{number}ms") } })),
        "decimal" => {
            let (sign, size) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
            let text = format!("{sign}{}.{:04}", size / 10_000, size % 10_000);
            Some(json!({ "__extn": { "fn": "decimal", "arg": text } }))
        }
        _ => None,
    }
}

/// An entity as the uid of an entity is written.
pub(super) fn uid_json(uid: &EntityUid) -> Value {
    json!({ "type": uid.type_name().to_string(), "id": uid.id().unescaped() })
}

/// What an expression came to, in Cedar's JSON form.
pub(super) fn to_json(value: &EvalResult) -> Option<Value> {
    Some(match value {
        EvalResult::Bool(value) => json!(value),
        EvalResult::Long(value) => json!(value),
        EvalResult::String(value) => json!(value),
        EvalResult::EntityUid(uid) => json!({ "__entity": uid_json(uid) }),
        EvalResult::Set(set) => Value::Array(set.iter().map(to_json).collect::<Option<_>>()?),
        EvalResult::Record(record) => {
            let members: Option<Map<String, Value>> =
                record.iter().map(|(key, value)| Some((key.clone(), to_json(value)?))).collect();
            Value::Object(members?)
        }
        EvalResult::ExtensionValue(text) => {
            let (name, rest) = text.trim().split_once("(\"")?;
            let argument = rest.strip_suffix("\")")?;
            let is_plain = name.chars().all(char::is_alphanumeric) && !argument.contains('"');
            is_plain.then(|| json!({ "__extn": { "fn": name, "arg": argument } }))?
        }
    })
}

/// The case in which principal (0) or resource (2) is another entity; one that is new has the attributes of the old.
pub(super) fn with_uid(case: &Case, which: usize, new: &EntityUid) -> Option<Case> {
    let mut changed = with_entity(case, &uid_json(case.uids.get(which)?), &uid_json(new))?;
    *changed.uids.get_mut(which)? = new.clone();
    Some(changed)
}

/// The case in which there is an entity, with the attributes and parents of another where it is new.
pub(super) fn with_entity(case: &Case, old: &Value, new: &Value) -> Option<Case> {
    let mut changed = case.clone();
    if entity(case, new).is_none()
        && let Some(mut copy) = entity(case, old).and_then(|index| case.entities.get(index)).cloned()
    {
        copy.as_object_mut()?.insert("uid".to_owned(), new.clone());
        changed.entities.as_array_mut()?.push(copy);
    }
    Some(changed)
}

/// The case of the request that an ask is, with what else the case knows that such a request has.
pub(super) fn asked_for(case: &Case, ask: &Ask, subject: &Subject) -> Option<Case> {
    let mut changed = case.clone();
    let [_, action, resource] = &mut changed.uids;
    if let Some(wanted) = ask.resource.as_ref().filter(|wanted| **wanted != *resource) {
        let (old, new) = (uid_json(resource), uid_json(wanted));
        let is_alike = resource.type_name() == wanted.type_name();
        *resource = wanted.clone();
        if is_alike {
            changed.entities = with_entity(case, &old, &new)?.entities;
        } else if entity(case, &new).is_none() {
            changed.entities.as_array_mut()?.push(json!({ "uid": new, "attrs": {}, "parents": [] }));
        }
    }
    *action = ask.action.clone();
    let schema = subject.bundle.schema();
    let shape = schema.resolved(schema.context(&ask.action));
    let known = shape.get("attributes").and_then(Value::as_object)?;
    let context = changed.context.as_object_mut()?;
    context.retain(|key, _| known.contains_key(key));
    context.extend(ask.context.clone());
    Some(changed)
}
