//! A ban of the gate tier that is about an action which judges no approval.
//!
//! ## What it finds
//!
//! A `forbid` with `@tier("gate")` whose scope leaves room for an action that is not in `judging`.
//!
//! ## Why it matters
//!
//! The gate tier judges approvals, and its `@code` says why one is rejected. Before any other action it is a ban that no row of
//! the report names.
//!
//! ## Examples
//!
//! ```text
//! finding: `@tier("gate")` before the action `write`
//! none:    `@tier("gate")` before `open_gate`
//! ```

use super::{found, name};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::annotations::Tier;
use crate::subject::{Subject, groups};

/// The rule.
pub const RULE: Rule = rule!("L18", "gate-ban-outside-judging", Error, "gate_ban_outside_judging.rs");

/// Looks at the actions of each ban of the gate tier.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own() {
        if !matches!(policy.annotations.tier, Some(Tier::Gate(_))) {
            continue;
        }
        let types = subject.request_types.iter().filter(|of| subject.can_match(&policy.policy, of));
        let other = types
            .map(|of| of.action())
            .find(|action| !subject.in_group(action, groups::JUDGING) && name(action) != OPEN_GATE);
        if let Some(action) = other {
            let message = format!("it is of the tier `gate`, and `{}` judges no approval", name(action));
            findings.push(found(&RULE, policy, message).help("correct `@tier`, or the action of its scope"));
        }
    }
}

/// In policies that were not written for cutter, whatever group it is in.
const OPEN_GATE: &str = "open_gate";
