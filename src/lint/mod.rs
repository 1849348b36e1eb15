//! `review lint`: the numbered rules over the text and shape of policies. One file a rule; its doc comment is its page.

mod action_without_policy;
mod allowance;
mod approval_ban_tests_more;
mod contradiction;
mod gate_nobody_opens;
mod incomplete_annotations;
mod mutating_permit_without_ban;
mod one_sided_bound;
mod open_time_window;
mod permit_tests_runtime;
mod redundant_policy;
mod secret_in_policy;
mod stale_allowance;
mod unscoped_permit;
mod unused_entity_type;

use crate::findings::rule::Rule;
use crate::findings::{Check as Checked, Finding, Outcome, Part, Place};
use crate::policy::BundlePolicy;
use crate::prelude::NAMESPACE;
use crate::subject::Subject;
use cedar_policy::EntityUid;

/// What a rule does: it pushes what it finds.
pub type Check = fn(&Subject, &mut Vec<Finding>);

/// Runs every rule, and takes away what comments allow.
pub fn lint(subject: &Subject) -> Part {
    let mut findings = Vec::new();
    for (_, check) in &RULES {
        check(subject, &mut findings);
    }
    let findings = allowance::apply(subject, findings);
    let outcome = |rule: &Rule| match findings.iter().any(|finding| finding.rule == rule) {
        true => Outcome::Failed,
        false => Outcome::Held,
    };
    let checks: Vec<Checked> =
        RULES.iter().map(|(rule, _)| Checked { name: rule.name.to_owned(), outcome: outcome(rule) }).collect();
    let policies = subject.bundle.own().len();
    let summary = format!("{} rules over {policies} policies", checks.len());
    Part { name: "lint", summary, checks, findings }
}

/// A finding about a policy, at its place.
fn found(rule: &'static Rule, policy: &BundlePolicy, message: impl Into<String>) -> Finding {
    Finding::new(rule, policy.id(), message).at(Place::new(&policy.source, policy.span.clone()))
}

/// A finding about something that the schema declares, at the first line of code that names it.
fn in_schema(rule: &'static Rule, subject: &Subject, about: String, message: impl Into<String>) -> Finding {
    let schema = subject.bundle.schema();
    let (source, at) = (schema.source(), schema.place(&about));
    Finding::new(rule, about, message).at(Place::new(source, at))
}

/// Whether the prelude declares the action.
fn is_prelude(action: &EntityUid) -> bool {
    action.type_name().namespace() == NAMESPACE
}

/// An action's id by itself.
fn name(action: &EntityUid) -> String {
    AsRef::<str>::as_ref(action.id()).to_owned()
}

/// Every rule with its check, by number.
pub static RULES: [(Rule, Check); 14] = [
    (unscoped_permit::RULE, unscoped_permit::check),
    (mutating_permit_without_ban::RULE, mutating_permit_without_ban::check),
    (incomplete_annotations::RULE, incomplete_annotations::check),
    (approval_ban_tests_more::RULE, approval_ban_tests_more::check),
    (permit_tests_runtime::RULE, permit_tests_runtime::check),
    (one_sided_bound::RULE, one_sided_bound::check),
    (action_without_policy::RULE, action_without_policy::check),
    (unused_entity_type::RULE, unused_entity_type::check),
    (contradiction::RULE, contradiction::check),
    (redundant_policy::RULE, redundant_policy::check),
    (secret_in_policy::RULE, secret_in_policy::check),
    (open_time_window::RULE, open_time_window::check),
    (gate_nobody_opens::RULE, gate_nobody_opens::check),
    (stale_allowance::RULE, stale_allowance::check),
];
