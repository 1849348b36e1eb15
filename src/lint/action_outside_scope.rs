//! An action of a scope that can never be asked for by those, or of that, which the scope names.
//!
//! ## What it finds
//!
//! A policy that lists several actions, one of which applies to no principal or no resource of the types of its scope.
//!
//! ## Why it matters
//!
//! Cedar's validator is content where one of the actions applies; the policy says nothing about the others, and looks as if it
//! did.
//!
//! ## Examples
//!
//! ```text
//! finding: `principal is Person` with an action that only agents ask for in the list
//! none:    every action of the list applies
//! ```

use super::{found, name};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;
use cedar_policy::ActionConstraint;

/// The rule.
pub const RULE: Rule = rule!("L20", "action-outside-scope", Warning, "action_outside_scope.rs");

/// Tries each action of a list.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own() {
        let ActionConstraint::In(listed) = policy.policy.action_constraint() else { continue };
        for action in listed.iter().filter(|_| listed.len() > 1) {
            let mut types = subject.request_types.iter().filter(|of| subject.is_in(of.action(), action)).peekable();
            if types.peek().is_some() && !types.any(|of| subject.can_match(&policy.policy, of)) {
                let message = format!("`{}` is never asked for in its scope", name(action));
                findings.push(
                    found(&RULE, policy, message)
                        .help("take the action out of the list, or correct the types of the scope"),
                );
            }
        }
    }
}
