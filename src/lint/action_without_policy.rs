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
use crate::findings::rule::{Rule, Severity, rule};
use crate::subject::{Subject, groups};
use cedar_policy::{ActionConstraint, Effect};

/// The rule.
pub const RULE: Rule = rule!("L08", "action-without-policy", Warning, "action_without_policy.rs");

/// Looks for actions that no scope names.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    // Where nothing is permitted at all, another rule says so.
    let permits = subject.bundle.own().iter().any(|policy| policy.policy.effect() == Effect::Permit);
    let actions = subject.actions().into_iter().filter(|action| permits && !is_prelude(action));
    // What is in `never` is barred by the prelude.
    for action in actions.filter(|action| !subject.in_group(action, groups::NEVER)) {
        let mut covering =
            subject.bundle.own().iter().filter(|policy| subject.covers_action(&policy.policy, action)).peekable();
        let by_all = covering.peek().is_some();
        if covering.any(|policy| policy.policy.action_constraint() != ActionConstraint::Any) {
            continue;
        }
        let message = match by_all {
            true => "no policy names the action; only policies about every action cover it",
            false => "no policy covers the action",
        };
        let mut finding = in_schema(&RULE, subject, name(action), message)
            .help("add a ban or a permit that covers it, or remove it from the schema");
        // Whoever wrote policies for Cedar alone knows that what nothing permits is denied.
        if subject.bundle.is_plain() {
            finding.severity = Severity::Note;
        }
        findings.push(finding);
    }
}
