//! A permit whose scope names no action, or that matches whoever asks for whatever resource.
//!
//! ## What it finds
//!
//! A `permit` without an action in its scope, whatever its conditions are, and one with neither principal, resource nor a condition that could fail:
//! `when { true }`, `when { resource == resource }` and the like are none, and types in the scope are none where the action knows no
//! others. What only a proof shows to be always true is P09.
//!
//! ## Why it matters
//!
//! Without an action, whatever is added to the schema later falls under it at once, unless a condition stops it. Without anything else,
//! so does whoever and whatever is added.
//!
//! ## Examples
//!
//! ```text
//! finding: `permit (principal in Cutter::Group::"editors", action, resource);`
//! none:    `permit (principal in Cutter::Group::"editors", action in Cutter::Action::"editing", resource);`
//! ```

use super::found;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::{Subject, truth};
use cedar_policy::{ActionConstraint, Effect};

/// The rule.
pub const RULE: Rule = rule!("L01", "unscoped-permit", Error, "unscoped_permit.rs");

/// Looks at the scope of each permit.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own().iter().filter(|policy| policy.policy.effect() == Effect::Permit) {
        let bare = truth::is_for_all(&policy.policy, subject) && truth::always_passes(&policy.policy, subject);
        let message = match policy.policy.action_constraint() {
            ActionConstraint::Any => "its scope names no action: it is about every one there is, and every one to come",
            _ if bare => "it permits anyone to do this to anything",
            _ => continue,
        };
        findings.push(found(&RULE, policy, message).help("name a group of actions, and who may do them"));
    }
}
