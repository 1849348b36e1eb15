//! Who gained and lost membership in which group, and whose keys may sign what and for how long.

use super::policies::MEANT;
use super::{Side, differing, named, shortened};
use crate::findings::rule::Rule;
use crate::findings::{Finding, Place, rules};
use crate::json;
use crate::policy::PolicyBundle;
use crate::problem::{Problems, Source};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One entity as a file of entities writes it.
#[derive(PartialEq)]
struct Entity {
    parents: BTreeSet<String>,
    rest: Value,
}

/// The entities of one side by name, and the file that each stands in.
struct Entities {
    all: BTreeMap<String, Entity>,
    files: BTreeMap<String, Source>,
}

/// What the entities of the bundle and of the facts gained, lost, and are.
pub fn people(old: &Side, new: &Side) -> Result<Vec<Finding>, Problems> {
    let mut findings = Vec::new();
    // A folder of policies by itself has no facts beside it.
    let with_facts = old.is_whole || new.is_whole || !(old.facts.is_empty() || new.facts.is_empty());
    let [was, is] = [entities(old, with_facts)?, entities(new, with_facts)?];
    let mut facts: BTreeMap<String, (Source, Vec<String>)> = BTreeMap::new();
    for (name, before, after) in differing(&was.all, &is.all) {
        let Some(file) = is.files.get(name).or_else(|| was.files.get(name)) else { continue };
        let nobody = BTreeSet::new();
        let parents = [before, after].map(|side| side.map_or(&nobody, |entity| &entity.parents));
        let [had, has] = parents;
        let place = || named(file, &quoted_id(name));
        let gained: Vec<String> = has.difference(had).map(|group| format!("`{group}`")).collect();
        if !gained.is_empty() {
            let members = members(&is.all, name);
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
            facts.entry(file.name().to_owned()).or_insert_with(|| (file.clone(), Vec::new())).1.push(what);
        }
    }
    for (name, (file, what)) in facts {
        // What stands in the bundle is signed with it: its attributes are authority.
        let of_bundle = new.subject.bundle.people().iter().any(|source| source.name() == name);
        let rule: &'static Rule = if of_bundle { &rules::AUTHORITY_WIDENED } else { &rules::FACTS_CHANGED };
        let changed_only = what.iter().any(|what| what.contains(" has another "));
        let rule = if of_bundle && !changed_only { &rules::FACTS_CHANGED } else { rule };
        findings.push(Finding::new(rule, name, shortened(&what)).at(Place::new(&file, 0..0)));
    }
    Ok(findings)
}

/// Keys that are new, gone, or sign for more, for less, longer or shorter.
pub fn signers(old: &PolicyBundle, new: &PolicyBundle) -> Vec<Finding> {
    let lines = |bundle: &PolicyBundle| {
        let mut lines = BTreeMap::new();
        for line in bundle.signers().iter() {
            let namespaces: BTreeSet<String> = line.namespaces().iter().cloned().collect();
            let times = (line.valid_after(), line.valid_before());
            let key = (line.principal().to_owned(), line.fingerprint().to_string());
            lines.entry(key).or_insert_with(Vec::new).push((namespaces, times));
        }
        lines
    };
    let (was, is) = (lines(old), lines(new));
    let mut findings = Vec::new();
    for ((principal, key), before, after) in differing(&was, &is) {
        let names = |lines: &[(BTreeSet<String>, _)]| -> Vec<String> {
            let all: BTreeSet<String> = lines.iter().flat_map(|(namespaces, _)| namespaces.iter().cloned()).collect();
            all.into_iter().collect()
        };
        let (rule, message): (&'static Rule, String) = match (before, after) {
            (None, Some(after)) => {
                (&rules::AUTHORITY_WIDENED, format!("the key {key} may now sign for {}", names(after).join(", ")))
            }
            (Some(before), Some(after)) => {
                // A line is covered where an old one signs for all of it, at every time of it.
                let covered = |line: &(BTreeSet<String>, (Option<_>, Option<_>))| {
                    before.iter().any(|(namespaces, (from, until))| {
                        line.0.is_subset(namespaces)
                            && from.is_none_or(|from| line.1.0.is_some_and(|own| own >= from))
                            && until.is_none_or(|until| line.1.1.is_some_and(|own| own <= until))
                    })
                };
                match after.iter().all(covered) {
                    true => {
                        (&rules::AUTHORITY_NARROWED, format!("the key {key} signs for less, or for a shorter time"))
                    }
                    false => (
                        &rules::AUTHORITY_WIDENED,
                        format!("the key {key} signs for {}, for more or longer than before", names(after).join(", ")),
                    ),
                }
            }
            (_, None) => (&rules::AUTHORITY_NARROWED, format!("the key {key} may not sign any more")),
        };
        let finding = Finding::new(rule, principal.as_str(), message);
        let finding = if *rule == rules::AUTHORITY_WIDENED { finding.help(MEANT) } else { finding };
        let file = if after.is_some() { new.signers_source() } else { old.signers_source() };
        findings.push(match file {
            Some(file) => finding.at(line_of(file, principal)),
            None => finding,
        });
    }
    findings
}

/// The last line that begins with the name; earlier ones may be of other keys.
fn line_of(file: &Source, principal: &str) -> Place {
    let mut start = 0;
    let mut at = 0..0;
    for line in file.text().split_inclusive('\n') {
        if line.split_whitespace().next() == Some(principal) {
            at = start..start + principal.len();
        }
        start += line.len();
    }
    Place::new(file, at)
}

fn entities(side: &Side, with_facts: bool) -> Result<Entities, Problems> {
    let mut found = Entities { all: BTreeMap::new(), files: BTreeMap::new() };
    let mut problems = Problems::new();
    for source in side.subject.bundle.people().iter().chain(side.facts.iter().filter(|_| with_facts)) {
        let parsed = json::parse(source).map(|value| json::to_serde(&value));
        let Some(Value::Array(elements)) = problems.absorb(parsed) else { continue };
        for mut element in elements {
            let Some(name) = element.get("uid").and_then(uid) else { continue };
            let parents = element.get("parents").and_then(Value::as_array).into_iter().flatten();
            let parents = parents.filter_map(uid).collect();
            if let Some(object) = element.as_object_mut() {
                object.remove("parents");
                object.remove("uid");
            }
            found.files.insert(name.clone(), source.clone());
            found.all.insert(name, Entity { parents, rest: element });
        }
    }
    problems.or(found)
}

fn uid(value: &Value) -> Option<String> {
    crate::subject::counterexample::uid(value)
}

/// Those below a group, at any depth, sorted.
fn members(all: &BTreeMap<String, Entity>, group: &str) -> Vec<String> {
    let mut found: BTreeSet<&str> = BTreeSet::from([group]);
    loop {
        let more: Vec<&str> = all
            .iter()
            .filter(|(name, entity)| {
                !found.contains(name.as_str()) && entity.parents.iter().any(|p| found.contains(p.as_str()))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.into_iter().filter(|name| *name != group).map(|name| format!("`{name}`")).collect()
}

/// The attributes and tags that differ.
fn keys(before: &Value, after: &Value) -> String {
    let of = |value: &Value| -> BTreeMap<String, Value> {
        let parts = ["attrs", "tags"].into_iter().filter_map(|part| value.get(part)?.as_object().cloned());
        parts.flatten().collect()
    };
    let names: Vec<String> = differing(&of(before), &of(after)).map(|(key, _, _)| format!("`{key}`")).collect();
    shortened(&names)
}

/// The id of `Type::"id"` in its quotes, as a file of entities writes it.
fn quoted_id(name: &str) -> String {
    name.split_once("::\"").map_or_else(|| name.to_owned(), |(_, id)| format!("\"{id}"))
}
