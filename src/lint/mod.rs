//! `review lint`: the numbered rules over the text and shape of policies. One file a rule; its doc comment is its page.

mod action_outside_scope;
mod action_without_policy;
mod allowance;
mod approval_ban_tests_more;
mod contradiction;
mod evidence_cannot_refute;
mod gate_ban_outside_judging;
mod gate_nobody_opens;
mod in_on_strings;
mod incomplete_annotations;
mod invisible_text;
mod mutating_permit_without_ban;
mod no_permit;
mod one_sided_bound;
mod open_time_window;
mod permit_tests_runtime;
mod redundant_policy;
mod secret_in_policy;
mod stale_allowance;
mod unknown_evidence;
mod unnamed_observation;
mod unscoped_permit;
mod unsourced_fact;
mod unused_entity_type;

pub use unknown_evidence::is_observed;

use crate::cedar::tokens::{Token, TokenKind, tokens};
use crate::findings::headline::{counted, policies as policies_in_words};
use crate::findings::rule::Rule;
use crate::findings::{Check as Checked, Finding, Outcome, Part, Place};
use crate::policy::BundlePolicy;
use crate::prelude::NAMESPACE;
use crate::problem::Source;
use crate::subject::Subject;
use cedar_policy::EntityUid;

/// What a rule does: it pushes what it finds.
pub type Check = fn(&Subject, &mut Vec<Finding>);

/// Runs every rule, and takes away what comments allow.
pub fn lint(subject: &Subject) -> Part {
    let mut findings = Vec::new();
    let rules = || RULES.iter().filter(|(rule, _)| !subject.bundle.is_plain() || !OWN.contains(&rule.number));
    for (_, check) in rules() {
        check(subject, &mut findings);
    }
    let findings = allowance::apply(subject, findings);
    let outcome = |rule: &Rule| match findings.iter().any(|finding| finding.rule == rule) {
        true => Outcome::Failed,
        false => Outcome::Held,
    };
    let checks: Vec<Checked> =
        rules().map(|(rule, _)| Checked { name: rule.name.to_owned(), outcome: outcome(rule) }).collect();
    let policies = subject.bundle.own().len();
    let summary = format!("{} over {}", counted(checks.len(), "rule"), policies_in_words(policies));
    Part { name: "lint", summary, checks, findings }
}

/// A finding about a policy, at its place.
fn found(rule: &'static Rule, policy: &BundlePolicy, message: impl Into<String>) -> Finding {
    Finding::new(rule, policy.id(), message).at(Place::new(&policy.source, policy.span.clone()))
}

/// A finding about something that the schema declares, at the first name or string in it that is just that.
fn in_schema(rule: &'static Rule, subject: &Subject, about: String, message: impl Into<String>) -> Finding {
    let place = subject.bundle.schema_sources().iter().find_map(|source| {
        let text = source.text();
        let is_it = |token: &&Token| match token.kind {
            TokenKind::Text => token.of(text).trim_matches('"').replace("\\\"", "\"") == about,
            _ => token.of(text) == about,
        };
        let token = tokens(text).iter().find(is_it).cloned()?;
        // The quotes of a string are no part of the name.
        let quote = usize::from(token.kind == TokenKind::Text);
        Some(Place::new(source, token.span.start + quote..token.span.end - quote))
    });
    let first = subject.bundle.schema().source();
    Finding::new(rule, about, message).at(place.unwrap_or_else(|| Place::new(first, 0..0)))
}

/// Every file of policies, of invariants and of the schema, each once, also one that holds comments alone.
fn texts(subject: &Subject) -> Vec<Source> {
    let of_policies = subject.bundle.policy_sources();
    let mut texts: Vec<Source> = Vec::new();
    for source in of_policies.iter().chain(&subject.invariant_sources).chain(subject.bundle.schema_sources()) {
        if texts.last().is_none_or(|last| last.name() != source.name())
            && !texts.iter().any(|known| known.name() == source.name())
        {
            texts.push(source.clone());
        }
    }
    texts
}

/// The policy or invariant that a place of a file lies in, or is the comment of; else the file.
fn about(subject: &Subject, source: &Source, at: usize) -> String {
    // An action of the schema is what its own bytes are about, and no comment before it.
    let policies = subject.bundle.policies().iter().filter(|policy| !policy.is_action || policy.span.contains(&at));
    let of_policies = policies.map(|policy| (&policy.source, &policy.span, policy.id()));
    let of_invariants =
        subject.invariants.iter().map(|invariant| (&invariant.source, &invariant.span, invariant.id.as_str()));
    let in_file =
        of_policies.chain(of_invariants).filter(|(file, span, _)| file.name() == source.name() && span.end > at);
    let first = in_file.min_by_key(|(_, span, _)| span.start);
    first.map_or_else(|| source.name().to_owned(), |(_, _, id)| id.to_owned())
}

/// The rule of evidence that nothing observes.
pub fn unknown_evidence() -> &'static Rule {
    &unknown_evidence::RULE
}

/// The rule of what is allowed and not found.
pub fn stale_allowance() -> &'static Rule {
    &stale_allowance::RULE
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
pub static RULES: [(Rule, Check); 23] = [
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
    (no_permit::RULE, no_permit::check),
    (invisible_text::RULE, invisible_text::check),
    (gate_ban_outside_judging::RULE, gate_ban_outside_judging::check),
    (unknown_evidence::RULE, unknown_evidence::check),
    (action_outside_scope::RULE, action_outside_scope::check),
    (in_on_strings::RULE, in_on_strings::check),
    (unnamed_observation::RULE, unnamed_observation::check),
    (evidence_cannot_refute::RULE, evidence_cannot_refute::check),
    (unsourced_fact::RULE, unsourced_fact::check),
];

/// What says nothing about policies that were not written for cutter: it is about tiers, gates, groups and `context.run`.
const OWN: [&str; 5] = ["L02", "L03", "L04", "L05", "L14"];
