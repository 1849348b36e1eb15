//! Who gained and lost membership in which group, what else is said of them, and whether it is signed.

use super::policies::MEANT;
use super::{Side, differing, named, shortened};
use crate::findings::rule::Rule;
use crate::findings::{Finding, Place, rules};
use crate::json;
use crate::problem::{Problem, Problems, Source};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where an entity stands: in the bundle, and signed with it, or among the facts; it may stand in both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    Bundle,
    Facts,
}

/// One entity as the files of one home write it.
struct Entity {
    parents: BTreeSet<String>,
    /// What else each file says of it.
    rest: Vec<Value>,
    file: Source,
}

impl PartialEq for Entity {
    fn eq(&self, other: &Self) -> bool {
        self.parents == other.parents && self.rest == other.rest
    }
}

type Entities = BTreeMap<(Home, String), Entity>;

/// What the entities of the bundle and of the facts gained, lost, and are.
pub fn people(old: &Side, new: &Side) -> Result<Vec<Finding>, Problems> {
    let mut findings = Vec::new();
    let [was, is] = [entities(old)?, entities(new)?];
    // What is said in one finding for each file: that its entities moved, and what else is not the same.
    let mut moved: BTreeMap<(Home, &str), (&Source, Vec<String>)> = BTreeMap::new();
    let mut other: BTreeMap<(Home, &str), (&Source, bool, Vec<String>)> = BTreeMap::new();
    for (key, before, after) in differing(&was, &is) {
        let (home, name) = key;
        let elsewhere = &(if *home == Home::Bundle { Home::Facts } else { Home::Bundle }, name.clone());
        let before = match (before, after) {
            // What moved is told where it stands now.
            (Some(_), None) if !was.contains_key(elsewhere) && is.contains_key(elsewhere) => continue,
            (None, Some(after)) if was.contains_key(elsewhere) && !is.contains_key(elsewhere) => {
                let of_file = moved.entry((*home, after.file.name())).or_insert((&after.file, Vec::new()));
                of_file.1.push(format!("`{name}`"));
                was.get(elsewhere)
            }
            _ => before,
        };
        let Some(file) = after.or(before).map(|entity| &entity.file) else { continue };
        let nobody = BTreeSet::new();
        let parents = [before, after].map(|side| side.map_or(&nobody, |entity| &entity.parents));
        let [had, has] = parents;
        let place = || named(file, &quoted_id(name));
        let gained: Vec<String> = has.difference(had).map(|group| format!("`{group}`")).collect();
        if !gained.is_empty() {
            let members = members(&is, name);
            let through = match members.as_slice() {
                [] => String::new(),
                members => format!("; so are its members: {}", shortened(members)),
            };
            let is_new = if before.is_none() { ", and is new" } else { "" };
            let message = format!("it is now in {}{is_new}{through}", gained.join(", "));
            findings.push(Finding::new(&rules::AUTHORITY_WIDENED, name, message).at(place()).help(MEANT));
        }
        let lost: Vec<String> = had.difference(has).map(|group| format!("`{group}`")).collect();
        if !lost.is_empty() {
            let message = format!("it is not in {} any more", lost.join(", "));
            findings.push(Finding::new(&rules::AUTHORITY_NARROWED, name, message).at(place()));
        }
        if before.map(|entity| &entity.rest) != after.map(|entity| &entity.rest) {
            let what = match (before, after) {
                (None, _) => format!("`{name}` is new"),
                (_, None) => format!("`{name}` is gone"),
                (Some(before), Some(after)) => format!("`{name}` has another {}", keys(&before.rest, &after.rest)),
            };
            let of_file = other.entry((*home, file.name())).or_insert((file, false, Vec::new()));
            of_file.1 |= before.is_some() && after.is_some();
            of_file.2.push(what);
        }
    }
    for ((home, name), (file, names)) in moved {
        let message = match home {
            Home::Facts => {
                format!("it stood in the bundle, which is signed, and is stated as a fact now: {}", shortened(&names))
            }
            Home::Bundle => {
                format!("it was stated as a fact and stands in the bundle now, which is signed: {}", shortened(&names))
            }
        };
        findings.push(Finding::new(&rules::AUTHORITY_WIDENED, name, message).at(Place::new(file, 0..0)).help(MEANT));
    }
    for ((home, name), (file, is_changed, what)) in other {
        // What stands in the bundle is signed with it: its attributes are authority.
        let rule: &'static Rule = match home {
            Home::Bundle if is_changed => &rules::AUTHORITY_WIDENED,
            _ => &rules::FACTS_CHANGED,
        };
        findings.push(Finding::new(rule, name, shortened(&what)).at(Place::new(file, 0..0)));
    }
    Ok(findings)
}

fn entities(side: &Side) -> Result<Entities, Problems> {
    let mut found = Entities::new();
    let mut problems = Problems::new();
    let of_bundle = side.subject.bundle.people().iter().map(|source| (Home::Bundle, source));
    let of_facts = side.facts.iter().map(|source| (Home::Facts, source));
    for (home, source) in of_bundle.chain(of_facts) {
        let parsed = json::parse(source).map(|value| json::to_serde(&value));
        let Some(value) = problems.absorb(parsed) else { continue };
        let Value::Array(elements) = value else {
            // Any other policies' files of JSON may be whatever they are.
            if !side.subject.bundle.is_plain() {
                problems
                    .push(Problem::invalid(format!("`{}` is no array of entities", source.name())).at(source, 0..1));
            }
            continue;
        };
        for mut element in elements {
            let Some(name) = element.get("uid").and_then(uid) else {
                if !side.subject.bundle.is_plain() {
                    problems
                        .push(Problem::invalid(format!("`{}` has an entity without `uid`", source.name())).of(source));
                }
                continue;
            };
            let parents = element.get("parents").and_then(Value::as_array).into_iter().flatten();
            let parents: BTreeSet<String> = parents.filter_map(uid).collect();
            if let Some(object) = element.as_object_mut() {
                object.remove("parents");
                object.remove("uid");
            }
            let entity = found.entry((home, name)).or_insert_with(|| Entity {
                parents: BTreeSet::new(),
                rest: Vec::new(),
                file: source.clone(),
            });
            entity.parents.extend(parents);
            entity.rest.push(element);
        }
    }
    problems.or(found)
}

fn uid(value: &Value) -> Option<String> {
    crate::subject::counterexample::uid(value)
}

/// Those below a group, at any depth, sorted.
fn members(all: &Entities, group: &str) -> Vec<String> {
    let mut found: BTreeSet<&str> = BTreeSet::from([group]);
    loop {
        let more: Vec<&str> = all
            .iter()
            .filter(|((_, name), entity)| {
                !found.contains(name.as_str()) && entity.parents.iter().any(|p| found.contains(p.as_str()))
            })
            .map(|((_, name), _)| name.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.into_iter().filter(|name| *name != group).map(|name| format!("`{name}`")).collect()
}

/// The attributes and tags that differ.
fn keys(before: &[Value], after: &[Value]) -> String {
    let of = |rest: &[Value]| {
        let parts = rest.iter().flat_map(|value| ["attrs", "tags"].map(|part| value.get(part)));
        let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (key, value) in parts.flatten().filter_map(Value::as_object).flatten() {
            found.entry(key.clone()).or_default().push(value.clone());
        }
        found
    };
    let names: Vec<String> = differing(&of(before), &of(after)).map(|(key, _, _)| format!("`{key}`")).collect();
    shortened(&names)
}

/// The id of `Type::"id"` in its quotes, as a file of entities writes it.
fn quoted_id(name: &str) -> String {
    name.split_once("::\"").map_or_else(|| name.to_owned(), |(_, id)| format!("\"{id}"))
}
