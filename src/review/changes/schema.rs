//! Declarations of the schema that are not the same.

use super::policies::MEANT;
use super::{differing, named, shortened};
use crate::cedar::tokens::{self, Token};
use crate::findings::rule::Severity;
use crate::findings::{Finding, Place, rules};
use crate::problem::{Problems, Source};
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
                    let only = |some: &Names, others: &Names| -> Vec<String> {
                        some.iter()
                            .filter(|name| !others.contains(name))
                            .map(|(id, of)| match of {
                                Some(of) if others.iter().any(|(other, _)| other == id) => format!("`{of}::{id:?}`"),
                                _ => format!("`{id}`"),
                            })
                            .collect()
                    };
                    let (lost, gained) = (only(&had, &has), only(&has, &had));
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
                let [was, is] = [before, after].map(annotations);
                let other: Vec<String> = differing(&was, &is).map(|(key, ..)| format!("`@{key}`")).collect();
                match (said.as_slice(), other.as_slice()) {
                    ([], []) => format!("the {kind} has other attributes"),
                    ([], other) => format!("the {kind} has another {}", shortened(other)),
                    (said, _) => format!("the {kind} is declared otherwise: {}", said.join("; ")),
                }
            }
        };
        let side = if after.is_some() { new } else { old };
        let id = name.rsplit("::").next().unwrap_or(name);
        let mut finding = Finding::new(&rules::SCHEMA_CHANGED, name.as_str(), message);
        finding = finding.at(declared(side.bundle.schema().source(), is_action, id));
        if severity == Severity::Warning {
            finding = finding.help(MEANT);
        }
        finding.severity = severity;
        findings.push(finding);
    }
    Ok(findings)
}

/// Where an action or a type is declared; where that cannot be told, the first place that names it.
fn declared(source: &Source, is_action: bool, id: &str) -> Place {
    let text = source.text();
    if let Some(at) = is_action.then(|| tokens::declaration(text, id)).flatten() {
        return Place::new(source, at);
    }
    let all = tokens::tokens(text);
    let is_it = |pair: &&[Token]| matches!(pair, [before, name] if name.of(text) == id && ["entity", "type", ","].contains(&before.of(text)));
    all.windows(2)
        .find(is_it)
        .and_then(<[Token]>::last)
        .map_or_else(|| named(source, id), |at| Place::new(source, at.span.clone()))
}

/// Every declaration by its kind and name.
fn declarations(subject: &Subject) -> BTreeMap<(&'static str, String), Value> {
    let json = subject.bundle.schema().json();
    let is_ban = |id: &str| subject.bundle.policy(id).is_some_and(|policy| policy.is_action);
    let mut found = BTreeMap::new();
    for (namespace, body) in json.as_object().into_iter().flatten() {
        for (kind, key) in [(ACTION, "actions"), ("entity type", "entityTypes"), ("common type", "commonTypes")] {
            for (id, declaration) in body.get(key).and_then(Value::as_object).into_iter().flatten() {
                let name = if namespace.is_empty() { id.clone() } else { format!("{namespace}::{id}") };
                let mut declaration = declaration.clone();
                // What an action of `never` says of itself is compared as what the ban says that it is.
                if let Some(object) = declaration.as_object_mut().filter(|_| kind == ACTION && is_ban(id)) {
                    object.remove("annotations");
                }
                // A group without a namespace is one of the action's own.
                let groups = declaration.get_mut("memberOf").and_then(Value::as_array_mut);
                for group in groups.into_iter().flatten().filter_map(Value::as_object_mut) {
                    if !namespace.is_empty() && group.get("type").is_none_or(|of| of == "Action") {
                        group.insert("type".to_owned(), format!("{namespace}::Action").into());
                    }
                }
                found.insert((kind, name), declaration);
            }
        }
    }
    found
}

/// The names in a list: of types, of groups with their types, of the ids of an enumeration.
fn names(list: Option<&Value>) -> Names {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = |value: &Value| match text(value, "id").or_else(|| value.as_str().map(str::to_owned)) {
        Some(name) => (name, text(value, "type")),
        None => (value.to_string(), None),
    };
    list.and_then(Value::as_array).into_iter().flatten().map(name).collect()
}

/// The annotations of a declaration itself.
fn annotations(declaration: &Value) -> BTreeMap<String, Value> {
    let annotations = declaration.get("annotations").and_then(Value::as_object).into_iter().flatten();
    annotations.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Names, each with the type that it is of where it says so.
type Names = BTreeSet<(String, Option<String>)>;

const ACTION: &str = "action";
/// The parts that are lists of names.
const PARTS: [(&str, &str); 5] = [
    ("its groups", "/memberOf"),
    ("its principals", "/appliesTo/principalTypes"),
    ("its resources", "/appliesTo/resourceTypes"),
    ("its groups", "/memberOfTypes"),
    ("its list of ids", "/enum"),
];
