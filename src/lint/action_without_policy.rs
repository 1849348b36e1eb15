//! An action in the schema that no policy covers.
//!
//! ## What it finds
//!
//! An action that can be asked for, and that neither a `permit` nor a `forbid` has in its scope; policies for every action do not
//! count.
//!
//! ## Why it matters
//!
//! It is denied by default and without a reason; whoever adds a permit later finds no ban in the way.
//!
//! ## Examples
//!
//! ```text
//! finding: a new action `archive` that no policy names
//! none:    a ban or a permit covers it, or one of its groups
//! ```

use super::{in_schema, is_prelude, name};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::{Subject, groups};
use cedar_policy::ActionConstraint;

/// The rule.
pub const RULE: Rule = rule!("L08", "action-without-policy", Warning, "action_without_policy.rs");

/// Looks for actions of the bundle that no scope covers; those of `never` are barred by the prelude.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for action in subject.actions().into_iter().filter(|action| !is_prelude(action)) {
        let covered = subject.bundle.own().iter().any(|policy| {
            policy.policy.action_constraint() != ActionConstraint::Any && subject.covers_action(&policy.policy, action)
        });
        if !covered && !subject.in_group(action, groups::NEVER) {
            findings.push(
                in_schema(&RULE, subject, name(action), "no policy covers the action")
                    .help("add a ban or a permit that covers it, or remove it from the schema"),
            );
        }
    }
}
