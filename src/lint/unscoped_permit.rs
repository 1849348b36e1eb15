//! A permit whose scope names no action, or that matches whoever asks for whatever resource.
//!
//! ## What it finds
//!
//! A `permit` without an action in its scope, and one with neither principal, resource nor a condition that could fail:
//! `when { true }`, `when { resource == resource }` and the like are none.
//!
//! ## Why it matters
//!
//! Every action that is added to the schema later falls under it at once.
//!
//! ## Examples
//!
//! ```text
//! finding: `permit (principal in Cutter::Group::"editors", action, resource);`
//! none:    `permit (principal in Cutter::Group::"editors", action in Cutter::Action::"editing", resource);`
//! ```

use super::{found, truth};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;
use cedar_policy::{ActionConstraint, Effect, PrincipalConstraint, ResourceConstraint};

/// The rule.
pub const RULE: Rule = rule!("L01", "unscoped-permit", Error, "unscoped_permit.rs");

/// Looks at the scope of each permit.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own().iter().filter(|policy| policy.policy.effect() == Effect::Permit) {
        let anyone = policy.policy.principal_constraint() == PrincipalConstraint::Any;
        let anything = policy.policy.resource_constraint() == ResourceConstraint::Any;
        let bare = anyone && anything && truth::always_passes(&policy.policy, subject);
        let message = match policy.policy.action_constraint() {
            ActionConstraint::Any => "it permits every action there is, and every one to come",
            _ if bare => "it permits anyone to do this to anything",
            _ => continue,
        };
        findings.push(found(&RULE, policy, message).help("name a group of actions, and who may do them"));
    }
}
