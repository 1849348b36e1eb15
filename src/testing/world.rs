//! Facts as a case would have them: patches over the recorded entities, by path, with times relative to the case's own.

use crate::problem::nearest;
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// Whose attribute a path names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// The run's own entity: `facts.backup.taken_at`, also written `Run.facts...`.
    Run,
    /// The row's principal.
    Principal,
    /// The row's resource.
    Resource,
    /// An entity by type and id: `App::Document::"x".units`.
    Entity(String, String),
}

/// Reads a path, which must name an owner and at least one attribute (or `parents`).
pub(super) fn path(text: &str) -> Result<(Owner, Vec<String>), String> {
    let wrong = || {
        format!(
            "`{text}` is not a known column; it may be a result (`basis`, `decision`, `policies`, `only`, `needs`, `gaps`), what is asked (`row`, `stage`, `now`, `world`, `gates`, `mode`, `principal`, `resource`, `context.NAME`), or a fact (`facts.a.b`, `resource.a`, `principal.a`, `Type::\"id\".a`)"
        )
    };
    let (owner, rest) = match text.split_once("::\"").and_then(|(name, rest)| Some((name, rest.split_once('"')?))) {
        Some((name, (id, rest))) => {
            (Owner::Entity(name.to_owned(), id.to_owned()), rest.strip_prefix('.').ok_or_else(wrong)?)
        }
        None => match text.split_once('.') {
            Some(("Run", rest)) => (Owner::Run, rest),
            Some(("facts", _)) => (Owner::Run, text),
            Some(("principal", rest)) => (Owner::Principal, rest),
            Some(("resource", rest)) => (Owner::Resource, rest),
            _ => return Err(wrong()),
        },
    };
    let steps: Vec<String> = rest.split('.').map(str::to_owned).collect();
    if steps.iter().any(String::is_empty) {
        return Err(wrong());
    }
    Ok((owner, steps))
}

/// Puts a value where a path points, in the attributes of an entity; `*` is every member of the record before it.
pub(super) fn put(entity: &mut Value, steps: &[String], value: &Value) -> Result<(), String> {
    if let [only] = steps
        && only == "parents"
    {
        let parents = entity.as_object_mut().and_then(|entity| entity.get_mut("parents"));
        let set = uids(value).ok_or("`parents` is an array of entities, each as `Type::\"id\"`")?;
        *parents.ok_or("the entity has no `parents`")? = set;
        return Ok(());
    }
    let mut at = entity.get_mut("attrs").ok_or("the entity has no `attrs`")?;
    let Some((last, before)) = steps.split_last() else { return Ok(()) };
    for step in before {
        let record = at.as_object_mut().ok_or_else(|| format!("what comes before `{step}` is not a record"))?;
        at = record.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
    }
    let record = at.as_object_mut().ok_or_else(|| format!("what comes before `{last}` is not a record"))?;
    match (last.as_str(), is_absent(value)) {
        ("*", _) if record.is_empty() => {
            return Err("`*` stands for the members of a record, and it has none".to_owned());
        }
        ("*", true) => record.clear(),
        ("*", false) => record.values_mut().for_each(|member| *member = value.clone()),
        (_, true) => drop(record.remove(last)),
        (_, false) => drop(record.insert(last.clone(), value.clone())),
    }
    Ok(())
}

/// `{ absent = true }`: the attribute is not there.
fn is_absent(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.len() == 1 && members.get("absent") == Some(&Value::Bool(true)))
}

fn uids(value: &Value) -> Option<Value> {
    value.as_array()?.iter().map(|uid| uid.as_str().and_then(uid_of)).collect()
}

/// `Type::"id"` as Cedar's JSON has it.
pub(super) fn uid_of(text: &str) -> Option<Value> {
    let (name, rest) = text.split_once("::\"")?;
    Some(serde_json::json!({ "type": name, "id": rest.strip_suffix('"')? }))
}

/// The uid of an entity, whichever of Cedar's two forms it has.
pub(super) fn uid(entity: &Value) -> Option<&Value> {
    entity.get("uid").map(|uid| uid.get("__entity").unwrap_or(uid))
}

/// The entity of this type and id among arrays of entities.
pub(super) fn find<'a>(entities: &'a mut [Vec<Value>], name: &str, id: &str) -> Result<&'a mut Value, String> {
    let is = |entity: &Value| {
        let uid = uid(entity);
        let member = |key| uid.and_then(|uid| uid.get(key)).and_then(Value::as_str);
        member("type") == Some(name) && member("id") == Some(id)
    };
    let ids: Vec<String> = entities
        .iter()
        .flatten()
        .filter_map(uid)
        .filter(|uid| uid.get("type").and_then(Value::as_str) == Some(name))
        .filter_map(|uid| uid.get("id").and_then(Value::as_str).map(str::to_owned))
        .collect();
    entities.iter_mut().flatten().find(|entity| is(entity)).ok_or_else(|| {
        let meant = nearest(id, ids.iter().map(String::as_str));
        let hint = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        format!("the facts have no entity `{name}::\"{id}\"`{hint}")
    })
}

/// `now`, `now-59m59s`, `now+1h` as the time that is meant; anything else, and anything inside, as it is.
pub(super) fn resolve_times(value: &mut Value, now: Timestamp) {
    match value {
        Value::String(text) => {
            if let Some(time) = relative(text, now) {
                *text = time.to_cedar();
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| resolve_times(element, now)),
        Value::Object(members) => members.values_mut().for_each(|member| resolve_times(member, now)),
        _ => {}
    }
}

/// The time that a relative one means; units are those of Cedar's durations: d, h, m, s, ms.
pub(super) fn relative(text: &str, now: Timestamp) -> Option<Timestamp> {
    let rest = text.strip_prefix("now")?;
    if rest.is_empty() {
        return Some(now);
    }
    let (sign, mut rest) = match rest.split_at_checked(1)? {
        ("-", rest) => (-1, rest),
        ("+", rest) => (1, rest),
        _ => return None,
    };
    if rest.is_empty() {
        return None;
    }
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit)?;
        let milliseconds: i64 = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(milliseconds)?)?;
        rest = tail;
    }
    Timestamp::from_milliseconds(now.milliseconds().checked_add(sum.checked_mul(sign)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn relative_times_are_exact_and_anything_else_is_left_as_it_is() {
        let now = Timestamp::parse("2026-05-21T08:00:00Z").unwrap();
        let at = |text| relative(text, now).map(|time| time.to_string());
        assert_eq!(at("now-59m59s").as_deref(), Some("2026-05-21T07:00:01Z"));
        assert_eq!(at("now+1d1ms").as_deref(), Some("2026-05-22T08:00:00.001Z"));
        for other in
            ["nowhere", "now-", "now-5", "now 1h", "now-1w", "now-99999999999999999999s", "2026-05-21T08:00:00Z"]
        {
            assert_eq!(at(other), None, "{other}");
        }
    }

    #[test]
    fn a_patch_sets_one_attribute_all_of_a_record_or_takes_one_away() {
        let mut entity =
            json!({ "attrs": { "facts": { "key": { "a": false, "b": false }, "old": 1 } }, "parents": [] });
        let steps = |text: &str| path(text).unwrap().1;
        put(&mut entity, &steps("facts.key.*"), &json!(true)).unwrap();
        put(&mut entity, &steps("facts.old"), &json!({ "absent": true })).unwrap();
        put(&mut entity, &steps("facts.made.here"), &json!(7)).unwrap();
        put(&mut entity, &steps("Run.parents"), &json!(["App::Group::\"g\""])).unwrap();
        let facts = json!({ "key": { "a": true, "b": true }, "made": { "here": 7 } });
        assert_eq!(entity, json!({ "attrs": { "facts": facts }, "parents": [{ "type": "App::Group", "id": "g" }] }));
        assert!(put(&mut entity, &steps("facts.none.*"), &json!(true)).is_err());
    }
}
