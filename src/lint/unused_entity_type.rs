//! An entity type that nothing in schema or policies uses.
//!
//! ## What it finds
//!
//! A type that is neither a principal nor a resource of an action, nor the type of an attribute, nor a parent of another, nor
//! named by a policy.
//!
//! ## Why it matters
//!
//! It suggests a protection that nobody wrote, or was left behind.
//!
//! ## Examples
//!
//! ```text
//! finding: `entity Volume;` that no action applies to
//! none:    the type is used, or gone
//! ```

use super::in_schema;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::prelude::NAMESPACE;
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = rule!("L09", "unused-entity-type", Warning, "unused_entity_type.rs");

/// Looks for types whose name stands in the schema once only and in no policy.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let text = code(subject.bundle.schema().source().text());
    let words = || text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    let types = subject.bundle.schema().schema().entity_types();
    for entity in types.filter(|entity| entity.namespace() != NAMESPACE) {
        let short = entity.basename();
        let declared_once = words().filter(|word| *word == short).count() <= 1;
        let full = format!("{entity}::");
        let named = subject
            .bundle
            .own()
            .iter()
            .any(|policy| policy.source.text().get(policy.span.clone()).is_some_and(|text| text.contains(&full)));
        if declared_once && !named {
            findings.push(
                in_schema(&RULE, subject, short.to_owned(), "nothing uses the entity type")
                    .help("remove it, or use it"),
            );
        }
    }
}

/// The schema without comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}
