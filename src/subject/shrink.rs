//! Makes a case smaller as long as it still shows what it shows.

use super::Subject;
use super::counterexample::Case;
use crate::time::Timestamp;
use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// The smallest case found that still `holds`; every step conforms to the schema.
pub fn shrink(case: Case, subject: &Subject, holds: &impl Fn(&Case) -> bool) -> Case {
    let mut smallest = case;
    for clearer in [rename, write_times, move_times, align_times] {
        let changed = clearer(&smallest, subject);
        if holds(&changed) {
            smallest = changed;
        }
    }
    // Each round can open the way for another; a few are enough for any request a person would write.
    for _ in 0..ROUNDS {
        let before = smallest.clone();
        smallest = simplify(smallest, |case| &mut case.context, holds);
        smallest = simplify(smallest, |case| &mut case.entities, holds);
        smallest = drop_unreached(smallest, holds);
        if smallest == before {
            break;
        }
    }
    smallest
}

/// Tries simpler values everywhere below one part of the case.
fn simplify(mut case: Case, part: impl Fn(&mut Case) -> &mut Value, holds: &impl Fn(&Case) -> bool) -> Case {
    let mut pointers = Vec::new();
    walk(part(&mut case), String::new(), &mut pointers);
    for pointer in pointers {
        let Some(value) = part(&mut case).pointer(&pointer).cloned() else { continue };
        for candidate in candidates(&value) {
            let mut smaller = case.clone();
            let Some(place) = part(&mut smaller).pointer_mut(&pointer) else { continue };
            *place = candidate;
            if holds(&smaller) {
                case = smaller;
                break;
            }
        }
        let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
        let mut smaller = case.clone();
        let removed = match part(&mut smaller).pointer_mut(parent) {
            // Entities are dropped as a whole elsewhere; here only optional attributes and elements of sets go.
            Some(Value::Object(map)) => map.remove(&key.replace("~1", "/").replace("~0", "~")),
            _ => None,
        };
        if removed.is_some() && holds(&smaller) {
            case = smaller;
        }
    }
    case
}

/// Every pointer below a value, outermost first.
pub(super) fn walk(value: &Value, at: String, pointers: &mut Vec<String>) {
    let opaque = value.get("__extn").is_some() || value.get("__entity").is_some();
    match value {
        Value::Object(map) if !opaque => {
            for (key, value) in map {
                let below = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                if !key.eq("uid") {
                    pointers.push(below.clone());
                    walk(value, below, pointers);
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                walk(element, format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
}

/// Simpler values of the same kind, simplest first.
fn candidates(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(true) => vec![json!(false)],
        Value::Number(_) => [0, 1, 2, 3].into_iter().map(|number| json!(number)).filter(|new| new != value).collect(),
        Value::String(text) if !text.is_empty() => vec![json!("")],
        Value::Array(elements) => {
            let mut smaller = vec![json!([])];
            for index in 0..elements.len() {
                let rest = elements.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, element)| element);
                smaller.push(Value::Array(rest.cloned().collect()));
            }
            smaller.retain(|smaller| smaller != value);
            smaller
        }
        Value::Object(_) if date_and_time(value).is_some() => {
            datetime(FIRST_TIME).into_iter().filter(|new| new != value).collect()
        }
        _ => Vec::new(),
    }
}

/// Entities that no request, attribute or parent leads to.
fn drop_unreached(case: Case, holds: &impl Fn(&Case) -> bool) -> Case {
    let [principal, _, resource] = &case.uids;
    let mut reached: BTreeSet<String> = [principal.to_string(), resource.to_string()].into();
    names(&case.context, &mut reached);
    let entities = case.entities.as_array().cloned().unwrap_or_default();
    loop {
        let before = reached.len();
        for entity in &entities {
            if entity.get("uid").and_then(name).is_some_and(|uid| reached.contains(&uid)) {
                names(entity, &mut reached);
            }
        }
        if reached.len() == before {
            break;
        }
    }
    let kept = entities.into_iter().filter(|e| e.get("uid").and_then(name).is_some_and(|uid| reached.contains(&uid)));
    let smaller = Case { entities: kept.collect(), ..case.clone() };
    if holds(&smaller) { smaller } else { case }
}

/// Gives entities that no policy names an id that can be read: the type in lower case.
fn rename(case: &Case, subject: &Subject) -> Case {
    let policies = subject.bundle.policies().iter().map(|policy| &policy.policy);
    let all = policies.chain(subject.invariants.iter().map(|invariant| &invariant.policy));
    let literals: BTreeSet<String> =
        all.flat_map(|policy| policy.entity_literals()).map(|uid| uid.to_string()).collect();
    let mut found = BTreeSet::new();
    names(&case.entities, &mut found);
    names(&case.context, &mut found);
    let [principal, _, resource] = &case.uids;
    found.extend([principal.to_string(), resource.to_string()]);
    let mut taken = literals.clone();
    let mut case = case.clone();
    for old in found.iter().filter_map(|old| EntityUid::from_str(old).ok()) {
        if subject.bundle.schema().is_enumerated(old.type_name()) || literals.contains(&old.to_string()) {
            continue;
        }
        let plain = old.type_name().basename().to_lowercase();
        let fresh = (1..).map(|n| if n == 1 { plain.clone() } else { format!("{plain}-{n}") });
        let Some(new) = fresh.map(|id| uid(old.type_name(), &id)).find(|new| taken.insert(new.to_string())) else {
            continue;
        };
        replace(&mut case.entities, &old, &new);
        replace(&mut case.context, &old, &new);
        let swap = |uid: &EntityUid| if *uid == old { new.clone() } else { uid.clone() };
        let [principal, action, resource] = &case.uids;
        case.uids = [swap(principal), action.clone(), swap(resource)];
    }
    case
}

/// Writes every time as people do.
fn write_times(case: &Case, _subject: &Subject) -> Case {
    retime(case, |time, _| Some(time))
}

/// Moves all times into a year that people know, as far from each other as they are.
fn move_times(case: &Case, _subject: &Subject) -> Case {
    retime(case, |time, times| FIRST_TIME.checked_add(time.checked_sub(*times.first()?)?))
}

/// The same close together, in the same order, equal ones equal.
fn align_times(case: &Case, _subject: &Subject) -> Case {
    retime(case, |time, times| {
        let rank = times.iter().position(|other| *other == time)?;
        Some(FIRST_TIME + i64::try_from(rank).ok()? * 60_000)
    })
}

/// The case with each time in its context made another, of which all are known.
fn retime(case: &Case, another: impl Fn(i64, &BTreeSet<i64>) -> Option<i64>) -> Case {
    let mut case = case.clone();
    let mut pointers = Vec::new();
    walk(&case.context, String::new(), &mut pointers);
    let time = |context: &Value, pointer: &str| Some(date_and_time(context.pointer(pointer)?)?.0);
    let times: BTreeSet<i64> = pointers.iter().filter_map(|pointer| time(&case.context, pointer)).collect();
    for pointer in &pointers {
        let new = time(&case.context, pointer).and_then(|old| another(old, &times)).and_then(datetime);
        if let (Some(place), Some(new)) = (case.context.pointer_mut(pointer), new) {
            *place = new;
        }
    }
    case
}

/// The milliseconds of a datetime in either of the forms that Cedar writes, and the value itself.
pub(crate) fn date_and_time(value: &Value) -> Option<(i64, &Value)> {
    let call = value.get("__extn")?;
    if call.get("fn")?.as_str()? == "datetime" {
        let text = call.get("arg")?.as_str()?;
        let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        return Some((Timestamp::parse(&text)?.milliseconds(), value));
    }
    let (start, _) = date_and_time(call.pointer("/args/0")?)?;
    let duration = call.pointer("/args/1/__extn/arg")?.as_str()?.strip_suffix("ms")?;
    Some((start.checked_add(duration.parse().ok()?)?, value))
}

/// A datetime in Cedar's JSON form.
pub(crate) fn datetime(milliseconds: i64) -> Option<Value> {
    let text = Timestamp::from_milliseconds(milliseconds)?.to_cedar();
    Some(json!({ "__extn": { "fn": "datetime", "arg": text } }))
}

fn uid(name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
}

/// Every entity named in a value, as Cedar writes them.
pub(super) fn names(value: &Value, found: &mut BTreeSet<String>) {
    if let Some(name) = name(value) {
        found.insert(name);
    }
    match value {
        Value::Object(map) => map.values().for_each(|value| names(value, found)),
        Value::Array(elements) => elements.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

/// The entity of an object that is one, as Cedar writes it.
pub(super) fn name(value: &Value) -> Option<String> {
    let map = value.as_object().filter(|map| map.len() == 2)?;
    let (name, id) = (map.get("type")?.as_str()?, map.get("id")?.as_str()?);
    Some(uid(&EntityTypeName::from_str(name).ok()?, id).to_string())
}

fn replace(value: &mut Value, old: &EntityUid, new: &EntityUid) {
    if name(value).is_some_and(|name| name == old.to_string()) {
        *value = json!({"type": new.type_name().to_string(), "id": AsRef::<str>::as_ref(new.id())});
        return;
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| replace(value, old, new)),
        Value::Array(elements) => elements.iter_mut().for_each(|value| replace(value, old, new)),
        _ => {}
    }
}

const ROUNDS: usize = 4;

/// 2026-01-01T00:00:00Z in milliseconds.
pub(super) const FIRST_TIME: i64 = 1_767_225_600_000;
