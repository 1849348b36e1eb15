//! What an answer says of the facts that its effect brings about, each in Cedar's JSON form and of its declared type.

use crate::settings::effects::{FactKind, Origin};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The facts that an answer gives; an answer that does not give each of them as declared gives none, and the error says which.
pub fn facts(produces: &BTreeMap<String, Origin>, answer: &Value) -> Result<BTreeMap<String, Value>, String> {
    let value = |(fact, origin): (&String, &Origin)| {
        let given = origin.answer.as_ref().map_or(Some(answer), |member| answer.get(member)).unwrap_or(&Value::Null);
        let value = of_kind(origin.kind, given);
        value.map(|value| (fact.clone(), value)).ok_or_else(|| format!("{given}, and `{fact}` is {origin}"))
    };
    produces.iter().map(value).collect()
}

fn of_kind(kind: FactKind, given: &Value) -> Option<Value> {
    match (kind, given) {
        (FactKind::Bool, Value::Bool(_)) | (FactKind::String, Value::String(_)) => Some(given.clone()),
        (FactKind::Strings, Value::Array(all)) if all.iter().all(Value::is_string) => Some(given.clone()),
        (FactKind::Long, Value::Number(number)) => number.as_i64().map(Value::from),
        (FactKind::Datetime, Value::String(text)) => {
            Timestamp::parse(text).map(|time| json!({"__extn": {"fn": "datetime", "arg": time.to_cedar()}}))
        }
        _ => None,
    }
}
