//! A case as Cedar's own values, built without reading JSON again: most of the work of looking at many cases.

use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::subject::shrink::date_and_time;
use crate::time::Timestamp;
use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

/// The request of a case, if it conforms to the schema.
pub(super) fn request(case: &Case, subject: &Subject) -> Option<Request> {
    let pairs: Option<Vec<(String, RestrictedExpression)>> =
        case.context.as_object()?.iter().map(|(key, value)| Some((key.clone(), expression(value)?))).collect();
    let Some(context) = pairs.and_then(|pairs| Context::from_pairs(pairs).ok()) else { return case.request(subject) };
    let [principal, action, resource] = case.uids.clone();
    Request::new(principal, action, resource, context, Some(subject.bundle.schema().schema())).ok()
}

/// The entities of a case, if they conform to the schema.
pub(super) fn entities(case: &Case, subject: &Subject) -> Option<Entities> {
    let built: Option<Vec<Entity>> = case.entities.as_array()?.iter().map(entity).collect();
    match built {
        Some(built) => Entities::from_entities(built, Some(subject.bundle.schema().schema())).ok(),
        None => case.entities(subject),
    }
}

fn entity(value: &Value) -> Option<Entity> {
    let members = |name: &str| value.get(name).and_then(Value::as_object);
    let read = |name: &str| -> Option<HashMap<String, RestrictedExpression>> {
        members(name).into_iter().flatten().map(|(key, value)| Some((key.clone(), expression(value)?))).collect()
    };
    let parents: Option<HashSet<EntityUid>> = value.get("parents")?.as_array()?.iter().map(uid).collect();
    value.get("attrs")?;
    Entity::new_with_tags(uid(value.get("uid")?)?, read("attrs")?, parents?, read("tags")?).ok()
}

fn uid(value: &Value) -> Option<EntityUid> {
    let inner = value.get("__entity").unwrap_or(value);
    let name = EntityTypeName::from_str(inner.get("type")?.as_str()?).ok()?;
    Some(EntityUid::from_type_name_and_id(name, EntityId::new(inner.get("id")?.as_str()?)))
}

fn expression(value: &Value) -> Option<RestrictedExpression> {
    Some(match value {
        Value::Bool(flag) => RestrictedExpression::new_bool(*flag),
        Value::Number(number) => RestrictedExpression::new_long(number.as_i64()?),
        Value::String(text) => RestrictedExpression::new_string(text.clone()),
        Value::Array(elements) => {
            RestrictedExpression::new_set(elements.iter().map(expression).collect::<Option<Vec<_>>>()?)
        }
        Value::Object(_) if value.get("__entity").is_some() => RestrictedExpression::new_entity_uid(uid(value)?),
        Value::Object(_) if value.get("__extn").is_some() => extension(value)?,
        Value::Object(members) => {
            let pairs: Option<Vec<(String, RestrictedExpression)>> =
                members.iter().map(|(key, value)| Some((key.clone(), expression(value)?))).collect();
            RestrictedExpression::new_record(pairs?).ok()?
        }
        Value::Null => return None,
    })
}

fn extension(value: &Value) -> Option<RestrictedExpression> {
    if let Some((time, _)) = date_and_time(value) {
        return match Timestamp::from_milliseconds(time) {
            Some(time) => Some(RestrictedExpression::new_datetime(time.to_cedar())),
            None => format!("datetime(\"1970-01-01\").offset(duration(\"{time}ms\"))").parse().ok(),
        };
    }
    let call = value.get("__extn")?;
    let argument = call.get("arg")?.as_str()?;
    match call.get("fn")?.as_str()? {
        "duration" => Some(RestrictedExpression::new_duration(argument)),
        "decimal" => Some(RestrictedExpression::new_decimal(argument)),
        "ip" => Some(RestrictedExpression::new_ip(argument)),
        _ => None,
    }
}
