//! A policy reads an attribute of which the schema does not say where it must come from.
//!
//! ## What it finds
//!
//! In a bundle whose schema uses `@source`, an attribute that a policy reads and that has none: neither itself nor the record
//! or entity type around it.
//!
//! ## Why it matters
//!
//! Such a fact may be stated by a file of the run, and still carry an allow at the moment of use.
//!
//! ## Examples
//!
//! ```text
//! finding: a new attribute `approved_by: String` without `@source`, read by a precondition
//! none:    `@source("stated")` says that a file is good enough, or `@source("query")` that it is not
//! ```

use super::found;
use crate::cedar::reads::{Base, Read, reads};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::BundlePolicy;
use crate::subject::Subject;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = rule!("L24", "unsourced-fact", Warning, "unsourced_fact.rs");

/// Looks for what each policy reads of the facts.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let needed = subject.bundle.schema().needed();
    if needed.is_empty() {
        return;
    }
    for policy in subject.bundle.own() {
        let unsourced: BTreeSet<String> = paths(subject, policy)
            .into_iter()
            .filter(|(entity, path)| needed.knows(entity, path) && needed.of(entity, path).is_none())
            .map(|(entity, path)| format!("{entity}.{path}"))
            .collect();
        for fact in unsourced {
            findings.push(
                found(&RULE, policy, format!("it reads `{fact}`, and the schema names no source for it"))
                    .help("put `@source` on the attribute, or on the record or entity type around it"),
            );
        }
    }
}

/// Entity type and path of everything that a policy reads, as far as its text alone tells the type.
fn paths(subject: &Subject, policy: &BundlePolicy) -> Vec<(String, String)> {
    let schema = subject.bundle.schema();
    let matching =
        || subject.request_types.iter().filter(|request_type| subject.can_match(&policy.policy, request_type));
    let mut found = Vec::new();
    for read in reads(&policy.policy) {
        let Read::Attribute(base, path) = read else { continue };
        let types: BTreeSet<String> = match &base {
            Base::Principal => matching().map(|request_type| request_type.principal().to_string()).collect(),
            Base::Resource => matching().map(|request_type| request_type.resource().to_string()).collect(),
            Base::Entity(uid) => BTreeSet::from([uid.type_name().to_string()]),
            Base::Context => match path.as_slice() {
                [run, facts, ..] if run == "run" && facts == "facts" => {
                    schema.entity_type("Run").map(|name| name.to_string()).into_iter().collect()
                }
                _ => BTreeSet::new(),
            },
        };
        let own = if base == Base::Context { path.get(1..).unwrap_or_default() } else { path.as_slice() };
        found.extend(types.into_iter().map(|of| (of, own.join("."))));
    }
    found
}
