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
use crate::cedar::tokens::tokens;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::BundlePolicy;
use crate::prelude::NAMESPACE;
use crate::subject::Subject;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = rule!("L09", "unused-entity-type", Note, "unused_entity_type.rs");

/// Looks for types whose name stands in the schema once only and in no policy.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for source in subject.bundle.schema_sources() {
        for token in tokens(source.text()) {
            *named.entry(token.of(source.text()).trim_matches('"').to_owned()).or_default() += 1;
        }
    }
    // What the prelude declares is used by the runtime.
    let types = subject.bundle.schema().schema().entity_types();
    for entity in types.filter(|entity| subject.bundle.is_plain() || entity.namespace() != NAMESPACE) {
        let short = entity.basename();
        // In its JSON form a name of a type may stand with its namespace.
        let times: usize = [short.to_owned(), entity.to_string()].iter().filter_map(|name| named.get(name)).sum();
        let of_policy = |policy: &BundlePolicy| {
            let text = policy.source.text().get(policy.span.clone()).unwrap_or_default();
            tokens(text).iter().any(|token| token.of(text) == short)
        };
        if times == 1 && !subject.bundle.own().iter().any(of_policy) {
            findings.push(
                in_schema(&RULE, subject, short.to_owned(), "nothing uses the entity type")
                    .help("remove it, or use it"),
            );
        }
    }
}
