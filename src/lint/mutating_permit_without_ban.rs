//! A mutating action that a permit reaches and no approval ban stands before.
//!
//! ## What it finds
//!
//! An action of the group `mutating` that some `permit` covers, while no `forbid` of the approval tier covers it.
//!
//! ## Why it matters
//!
//! Nothing but the lane of the principal would stand between a plan and production.
//!
//! ## Examples
//!
//! ```text
//! finding: a permit for `publish`, and no ban with `@gate("RELEASE")`
//! none:    the ban stands before it
//! ```

use super::found;
use super::name;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::subject::Subject;
use crate::subject::groups;
use cedar_policy::Effect;

/// The rule.
pub const RULE: Rule = rule!("L02", "mutating-permit-without-ban", Error, "mutating_permit_without_ban.rs");

/// Looks for mutating actions with a permit and without an approval ban.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for action in subject.actions().into_iter().filter(|action| subject.in_group(action, groups::MUTATING)) {
        let covers = |policy: &&BundlePolicy| subject.covers_action(&policy.policy, action);
        let barred = subject
            .bundle
            .own()
            .iter()
            .filter(covers)
            .any(|policy| matches!(policy.annotations.tier, Some(Tier::Approval(_))));
        let permits = |policy: &&BundlePolicy| policy.policy.effect() == Effect::Permit;
        if let Some(permit) = subject.bundle.own().iter().filter(permits).find(covers).filter(|_| !barred) {
            let message =
                format!("it permits `{}`, which changes something, and no approval ban covers that", name(action));
            findings.push(found(&RULE, permit, message).help("add a forbid with @tier(\"approval\") and @gate"));
        }
    }
}
