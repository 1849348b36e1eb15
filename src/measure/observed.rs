//! Observations that are facts: of each, the values that attributes are.

use crate::evidence::Observation;
use crate::problem::{Problem, Problems};
use crate::settings::facts::{ObservedFact, ValueKind};
use serde_json::{Map, Value, json};

/// The attributes that an observation gives.
pub fn attributes(observation: &Observation, fact: &ObservedFact) -> Result<Map<String, Value>, Problems> {
    let mut problems = Problems::new();
    let mut attributes = Map::new();
    for (path, name) in &fact.attributes {
        match value(observation, name, fact) {
            Ok(value) => {
                if !super::shape::place(&mut attributes, path, value) {
                    let message = format!("`{}`: `{path}` is an attribute and a record at once", observation.id);
                    problems.push(Problem::invalid(message));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems.or(attributes)
}

fn value(observation: &Observation, name: &str, fact: &ObservedFact) -> Result<Value, Problem> {
    let is_absent = observation.values.get("exists").is_some_and(|exists| exists == "false");
    let overloads = || {
        observation
            .values
            .iter()
            .filter(|(known, _)| known.strip_prefix(name).is_some_and(|rest| rest.starts_with(" (")))
    };
    let found = match (observation.values.get(name), overloads().count()) {
        (Some(found), _) => Some(found.as_str()),
        (None, 1) => overloads().next().map(|(_, found)| found.as_str()),
        // Of what is not there, nothing else is known, and that is known.
        (None, 0) if is_absent => Some("absent"),
        _ => None,
    };
    let Some(text) = found else {
        let why = observation.unknown.iter().map(crate::evidence::Unknown::words).collect::<Vec<_>>().join("; ");
        let known: Vec<&str> = observation.values.keys().map(String::as_str).collect();
        let message = format!("`{name}` of `{}` was not observed", observation.id);
        return Err(match why.is_empty() {
            true => Problem::invalid(message).help(format!("its values are {}", crate::json::in_backticks(&known))),
            false => Problem::failure(format!("{message}: {why}")),
        });
    };
    if name == "exists" && fact.means.is_empty() {
        return Ok(json!(text == "true"));
    }
    match fact.means.get(text) {
        Some(value) => Ok(value.clone()),
        None if fact.means.is_empty() => match (fact.kind, text.parse::<i64>()) {
            (ValueKind::Text, _) => Ok(json!(text)),
            (ValueKind::Long, Ok(number)) => Ok(json!(number)),
            (ValueKind::Long, Err(_)) => {
                Err(Problem::invalid(format!("`{}` is `{text}`, which is not a whole number", observation.id)))
            }
        },
        None => {
            Err(Problem::invalid(format!("`{}` is `{text}`, and `means` does not say what that is", observation.id))
                .help("add it to `means` in `[facts]`, or correct what is observed"))
        }
    }
}
