//! What could make good what a run on hold has done: for each row that began, the SQL that its effect proposes, as files for a person.
//! Nothing of it is run.

use crate::attestation::gather;
use crate::authorization::Inputs;
use crate::db;
use crate::files::{self, Output};
use crate::json;
use crate::layout::printable;
use crate::ledger::{Journal, Record};
use crate::problem::{Problem, Problems};
use crate::record::UseDecision;
use serde::Deserialize as _;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Writes the proposals into a folder, those of the latest row first; gives the files, and what could not be filled.
pub fn write(folder: &Path, inputs: &Inputs, journal: &Journal) -> Result<(Vec<PathBuf>, Problems), Problems> {
    let Inputs { plan, config, bundle, .. } = inputs;
    let (mut outputs, mut paths, mut problems) = (Vec::new(), Vec::new(), Problems::new());
    let done = gather::done(plan, config, bundle.schema(), journal).rows;
    for row in done.iter().rev() {
        let work = plan.action(&row.id).and_then(|(_, action)| action.work.as_ref());
        let Some(effect) = work.and_then(|work| config.effects.get(work.effect.as_ref()?)) else { continue };
        let began = journal.starts().find(|(entry, _)| row.records.first() == Some(&entry.sequence));
        let decision = began.and_then(|(_, started)| UseDecision::deserialize(&started.decision).ok());
        let values = Values {
            inputs,
            journal,
            row: &row.id,
            started_at: row.started_at.to_string(),
            context: decision.map(|decision| decision.row.context).unwrap_or_default(),
        };
        for (name, template) in &effect.compensation {
            let path = folder.join(format!("{:02}-{}-{name}", outputs.len() + 1, row.id));
            match values.fill(template) {
                Ok(text) => {
                    outputs.push(Output::replacing(&path, text));
                    paths.push(path);
                }
                Err(why) => problems.push(
                    Problem::failure(format!("the compensation `{name}` of `{}` is not proposed: {why}", row.id))
                        .help("correct it in [effects] of cutter.toml; a person decides what is to be done"),
                ),
            }
        }
    }
    files::write_together(&outputs)?;
    Ok((paths, problems))
}

/// What can stand in the place of a name.
struct Values<'a> {
    inputs: &'a Inputs,
    journal: &'a Journal,
    row: &'a str,
    started_at: String,
    /// By which the row was decided.
    context: Value,
}

impl Values<'_> {
    /// The text with a literal of SQL in the place of each name; other braces are SQL's own.
    fn fill(&self, template: &str) -> Result<String, String> {
        let mut parts = template.split('{');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            match part.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, rest)) => {
                    let value = self.value(name).ok_or_else(|| format!("the run has no `{name}`"))?;
                    let literal = literal(&value).ok_or_else(|| format!("`{name}` is not one plain value"))?;
                    filled.extend([&literal, rest]);
                }
                None => filled.extend(["{", part]),
            }
        }
        Ok(filled)
    }

    fn value(&self, name: &str) -> Option<Value> {
        let plan = &self.inputs.plan;
        let text = |text: &str| Some(Value::String(text.to_owned()));
        match (name, name.strip_prefix("target."), name.strip_prefix("run.facts.")) {
            ("run", ..) => text(&plan.run),
            ("row", ..) => text(self.row),
            ("started_at", ..) => text(&self.started_at),
            (_, Some(field), _) => text(plan.target.0.get(field)?),
            // What it brought about itself was no fact yet when it was decided.
            (_, _, Some(fact)) => json::at(&self.context, name).cloned().or_else(|| self.brought_about(fact)),
            _ => json::at(&self.context, name).cloned(),
        }
    }

    /// The fact as rows of the run brought it about last.
    fn brought_about(&self, fact: &str) -> Option<Value> {
        let mut entries = self.journal.entries.iter().rev();
        entries.find_map(|entry| match &entry.record {
            Record::Finished(finished) if finished.run == self.inputs.plan.run => finished.produced.get(fact).cloned(),
            _ => None,
        })
    }
}

fn is_name(text: &str) -> bool {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text.chars().all(is_of_name)
}

/// A value as SQL reads it; nothing where a person might read another one.
fn literal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if printable(text) == *text && !text.contains(['\n', '\\']) => Some(db::literal(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_stays_a_value_whatever_it_holds() {
        for (value, expected) in [
            (json!("GENERIC"), Some("'GENERIC'")),
            (json!("it's'; DELETE FROM t; --"), Some("'it''s''; DELETE FROM t; --'")),
            (json!(-3), Some("-3")),
            (json!(true), Some("true")),
            (json!("a\\' OR 1"), None),
            (json!("a\u{202e}b"), None),
            (json!("a\nb"), None),
            (json!(["a"]), None),
        ] {
            assert_eq!(literal(&value).as_deref(), expected, "{value}");
        }
    }
}
