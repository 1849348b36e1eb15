//! Declarations of the schema that are not the same.

use super::policies::MEANT;
use super::{differing, named, shortened};
use crate::findings::rule::Severity;
use crate::findings::{Finding, rules};
use crate::problem::Problems;
use crate::subject::Subject;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One finding for each action, entity type and common type that differs.
pub fn changes(old: &Subject, new: &Subject) -> Result<Vec<Finding>, Problems> {
    let (was, is) = (declarations(old), declarations(new));
    let mut findings = Vec::new();
    for ((kind, name), before, after) in differing(&was, &is) {
        let is_action = *kind == ACTION;
        let mut severity = Severity::Note;
        let message = match (before, after) {
            (None, _) => format!("the {kind} is new"),
            (_, None) => format!("the {kind} is gone"),
            (Some(before), Some(after)) => {
                let mut said = Vec::new();
                for (what, pointer) in PARTS {
                    let names = |of: &Value| names(of.pointer(pointer));
                    let (had, has) = (names(before), names(after));
                    let lost: Vec<String> = had.difference(&has).map(|name| format!("`{name}`")).collect();
                    let gained: Vec<String> = has.difference(&had).map(|name| format!("`{name}`")).collect();
                    if !lost.is_empty() {
                        said.push(format!("{what} has lost {}", shortened(&lost)));
                    }
                    if !gained.is_empty() {
                        said.push(format!("{what} has gained {}", shortened(&gained)));
                    }
                    if is_action && !(lost.is_empty() && gained.is_empty()) {
                        severity = Severity::Warning;
                    }
                }
                match said.as_slice() {
                    [] => format!("the {kind} has other attributes"),
                    said => format!("the {kind} is declared otherwise: {}", said.join("; ")),
                }
            }
        };
        let side = if after.is_some() { new } else { old };
        let id = name.rsplit("::").next().unwrap_or(name);
        let mut finding = Finding::new(&rules::SCHEMA_CHANGED, name.as_str(), message);
        finding = finding.at(named(side.bundle.schema().source(), id));
        if severity == Severity::Warning {
            finding = finding.help(MEANT);
        }
        finding.severity = severity;
        findings.push(finding);
    }
    Ok(findings)
}

/// Every declaration by its kind and name.
fn declarations(subject: &Subject) -> BTreeMap<(&'static str, String), Value> {
    let json = subject.bundle.schema().json();
    let mut found = BTreeMap::new();
    for (namespace, body) in json.as_object().into_iter().flatten() {
        for (kind, key) in [(ACTION, "actions"), ("entity type", "entityTypes"), ("common type", "commonTypes")] {
            for (name, declaration) in body.get(key).and_then(Value::as_object).into_iter().flatten() {
                let name = if namespace.is_empty() { name.clone() } else { format!("{namespace}::{name}") };
                let mut declaration = declaration.clone();
                if let Some(object) = declaration.as_object_mut() {
                    object.remove("annotations");
                }
                found.insert((kind, name), declaration);
            }
        }
    }
    found
}

/// The names in a list: of types, of groups, of the ids of an enumeration.
fn names(list: Option<&Value>) -> BTreeSet<String> {
    let name = |value: &Value| match value.get("id").and_then(Value::as_str).or_else(|| value.as_str()) {
        Some(name) => name.to_owned(),
        None => value.to_string(),
    };
    list.and_then(Value::as_array).into_iter().flatten().map(name).collect()
}

const ACTION: &str = "action";
/// The parts that are lists of names.
const PARTS: [(&str, &str); 5] = [
    ("its groups", "/memberOf"),
    ("its principals", "/appliesTo/principalTypes"),
    ("its resources", "/appliesTo/resourceTypes"),
    ("its groups", "/memberOfTypes"),
    ("its list of ids", "/enum"),
];
