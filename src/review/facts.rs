//! Whether somebody who acts could write the facts by which he is judged: relations of queries, and the roles of `[grants]`.

use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::problem::Source;
use crate::settings::Config;

/// Looks at every query of `[facts]`.
pub fn facts(config: &Config, source: &Source) -> Part {
    let mut part = Part { name: "facts", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (name, query) in &config.facts.queries {
        let relations = relations(&query.query);
        let before = part.findings.len();
        for (role, relation, how) in writers(config, &relations) {
            if config.facts.role.as_deref() == Some(role) || query.accepted.contains_key(role) {
                continue;
            }
            let header = format!("[facts.queries.{name}]");
            let at = source.text().find(&header).map_or(0..0, |at| at..at + header.len());
            part.findings.push(
                Finding::new(&rules::WRITABLE_FACT, name.clone(), format!("it reads `{relation}`, which {how}"))
                    .at(Place::new(source, at))
                    .help(format!("ask something that `{role}` cannot write, or say why it is not a way to an allow: `accepted = {{ {role} = \"...\" }}`")),
            );
        }
        let outcome = if part.findings.len() == before { Outcome::Held } else { Outcome::Failed };
        part.checks.push(Check { name: name.clone(), outcome });
    }
    part.summary = format!("{} queries", config.facts.queries.len());
    part
}

/// Who writes which of these relations: roles by their rights, and effects by what their functions write.
fn writers<'a>(config: &'a Config, relations: &'a [String]) -> Vec<(&'a str, &'a str, String)> {
    let mut writers = Vec::new();
    for (role, rights) in config.grants.roles.iter().filter(|(_, rights)| !rights.superuser) {
        let written = relations.iter().filter(|relation| rights.may_write(relation));
        writers.extend(written.map(|relation| (role.as_str(), relation.as_str(), format!("`{role}` may write"))));
    }
    for (name, sql) in config.effects.iter().filter_map(|(name, effect)| Some((name, effect.sql.as_ref()?))) {
        let is_known = |relation: &str| writers.iter().any(|(role, known, _)| (*role, *known) == (&sql.role, relation));
        let written = relations.iter().filter(|relation| sql.triggers.contains_key(*relation) && !is_known(relation));
        let how = |relation: &'a String| {
            (sql.role.as_str(), relation.as_str(), format!("the effect `{name}` writes as `{}`", sql.role))
        };
        let written: Vec<_> = written.map(how).collect();
        writers.extend(written);
    }
    writers
}

/// Every `schema.name` that stands in a query.
fn relations(query: &str) -> Vec<String> {
    // What stands in quotes is a text, and reads nothing.
    let outside: Vec<&str> = query.split('\'').step_by(2).collect();
    let words = outside
        .iter()
        .flat_map(|part| part.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '.')));
    let mut found: Vec<String> = words
        .filter(|word| word.split_once('.').is_some_and(|(schema, name)| !schema.is_empty() && !name.is_empty()))
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}
