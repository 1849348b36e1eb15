//! Sections of `cutter.toml` that are not the same.

use super::policies::MEANT;
use super::{differing, shortened};
use crate::findings::rule::Severity;
use crate::findings::{Finding, Place, rules};
use crate::problem::{Problem, Problems, Source};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// One finding for each section, or entry of a section, that differs.
pub fn changes(old: Option<&Source>, new: Option<&Source>) -> Result<Vec<Finding>, Problems> {
    let (was, is) = (values(old)?, values(new)?);
    let mut sections: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (path, before, after) in differing(&was, &is) {
        let depth = path.len().saturating_sub(1).min(2);
        let (section, key) = path.split_at_checked(depth).unwrap_or((path, &[]));
        let key = key.join(".");
        let said = match (before, after) {
            // Somebody may have written a password there.
            _ if section.iter().any(|name| name == "database" || name == "ledger") => format!("`{key}` is another"),
            (None, Some(after)) => format!("`{key}` is new: {after}"),
            (Some(before), None) => format!("`{key}` is gone; it was {before}"),
            (before, after) => {
                format!("`{key}` was {} and is {}", before.map_or("", |v| v), after.map_or("", |v| v))
            }
        };
        sections.entry(section.join(".")).or_default().push((key, said));
    }
    let finding = |(section, changes): (String, Vec<(String, String)>)| {
        let said: Vec<String> = changes.iter().map(|(_, said)| said.clone()).collect();
        let mut finding = Finding::new(&rules::SETTINGS_CHANGED, format!("[{section}]"), shortened(&said));
        if changes.iter().all(|(key, _)| key == SENTENCE) {
            finding.severity = Severity::Note;
        } else {
            finding = finding.help(MEANT);
        }
        match new.or(old) {
            Some(source) => finding.at(place(source, &section)),
            None => finding,
        }
    };
    Ok(sections.into_iter().map(finding).collect())
}

/// The note that only one of two folders has a configuration beside it.
pub fn on_one_side(only: &Source) -> Finding {
    let message = "only one of the two folders has a configuration beside it, which is not compared";
    let mut finding = Finding::new(&rules::SETTINGS_CHANGED, only.name(), message).at(Place::new(only, 0..0));
    finding.severity = Severity::Note;
    finding
}

/// Every value by its path; arrays and empty tables are values.
fn values(source: Option<&Source>) -> Result<BTreeMap<Vec<String>, String>, Problems> {
    let mut found = BTreeMap::new();
    if let Some(source) = source {
        let table: Table = toml::from_str(source.text()).map_err(|error| {
            // The reader's own message may repeat a line that holds a password.
            let at = error.span().unwrap_or(0..0);
            Problem::invalid(format!("`{}` is not TOML", source.name())).at(source, at)
        })?;
        gather(&Value::Table(table), Vec::new(), &mut found);
    }
    Ok(found)
}

fn gather(value: &Value, path: Vec<String>, found: &mut BTreeMap<Vec<String>, String>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                gather(value, path.iter().cloned().chain([key.clone()]).collect(), found);
            }
        }
        other => drop(found.insert(path, one_line(other))),
    }
}

fn one_line(value: &Value) -> String {
    let text = value.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The line that opens the section, or the one that names its last part.
fn place(source: &Source, section: &str) -> Place {
    let last = section.rsplit('.').next().unwrap_or(section);
    let text = source.text();
    let start = text.find(&format!("[{section}")).or_else(|| text.find(last)).unwrap_or_default();
    let rest = text.get(start..).unwrap_or_default();
    Place::new(source, start..start + rest.find('\n').unwrap_or(rest.len()))
}

/// The sentence for people in an effect, which decides nothing.
const SENTENCE: &str = "does";
/// Longer values are cut.
const LONGEST: usize = 120;
