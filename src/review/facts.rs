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
        for (role, rights) in &config.grants.roles {
            let is_observer = config.facts.role.as_ref() == Some(role);
            if rights.superuser || is_observer || query.accepted.contains_key(role) {
                continue;
            }
            for relation in relations.iter().filter(|relation| rights.may_write(relation)) {
                let header = format!("[facts.queries.{name}]");
                let at = source.text().find(&header).map_or(0..0, |at| at..at + header.len());
                let message = format!("it reads `{relation}`, which `{role}` may write");
                part.findings.push(
                    Finding::new(&rules::WRITABLE_FACT, name.clone(), message)
                        .at(Place::new(source, at))
                        .help(format!("ask something that `{role}` cannot write, or say why it is no way to an allow: `accepted = {{ {role} = \"...\" }}`")),
                );
            }
        }
        let outcome = if part.findings.len() == before { Outcome::Held } else { Outcome::Failed };
        part.checks.push(Check { name: name.clone(), outcome });
    }
    part.summary = format!("{} queries", config.facts.queries.len());
    part
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
