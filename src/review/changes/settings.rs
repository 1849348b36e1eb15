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
            (None, after) => format!("`{key}` is new: {}", shown(after, 0)),
            (before, None) => format!("`{key}` is gone; it was {}", shown(before, 0)),
            (Some(was), Some(is)) => {
                let at = was.chars().zip(is.chars()).take_while(|(was, is)| was == is).count();
                let blanks = if was.split_whitespace().eq(is.split_whitespace()) { "other blanks: it " } else { "" };
                format!("`{key}` {blanks}was {} and is {}", shown(before, at), shown(after, at))
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

/// Every value by its path, whole: what is shown of it is less. Arrays and empty tables are values.
fn values(source: Option<&Source>) -> Result<BTreeMap<Vec<String>, String>, Problems> {
    let mut found = BTreeMap::new();
    if let Some(source) = source {
        let table: Table = toml::from_str(source.text()).map_err(|error| {
            // The reader's own message may repeat a line that holds a password.
            let at = error.span().unwrap_or(0..0);
            Problem::invalid(format!("`{}` is not TOML", source.name())).at(source, at)
        })?;
        table.iter().for_each(|(key, value)| gather(value, vec![key.clone()], &mut found));
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
        other => drop(found.insert(path, other.to_string())),
    }
}

/// What is shown of a value on one line: all of it, or the part around the letter of this number.
fn shown(value: Option<&String>, at: usize) -> String {
    let text: Vec<char> = value.map(|value| value.replace('\n', "\\n")).unwrap_or_default().chars().collect();
    let start = if text.len() > LONGEST { at.saturating_sub(BEFORE) } else { 0 };
    let part: String = text.iter().skip(start).take(LONGEST).collect();
    let [before, after] = [start > 0, text.len() > start + LONGEST].map(|more| if more { "..." } else { "" });
    format!("{before}{part}{after}")
}

/// The line that opens the section, or the one that names its last part.
pub fn place(source: &Source, section: &str) -> Place {
    let last = section.rsplit('.').next().unwrap_or(section);
    let text = source.text();
    let header = ["]", "."].iter().find_map(|end| text.find(&format!("[{section}{end}")));
    let start = header.or_else(|| text.find(last)).unwrap_or_default();
    let rest = text.get(start..).unwrap_or_default();
    Place::new(source, start..start + rest.find('\n').unwrap_or(rest.len()))
}

/// The sentence for people in an effect, which decides nothing.
const SENTENCE: &str = "does";
/// Of longer values only this many letters are shown.
const LONGEST: usize = 120;
/// How many of them stand before what is not the same.
const BEFORE: usize = 40;
