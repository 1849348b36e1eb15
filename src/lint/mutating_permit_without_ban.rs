//! A mutating action that a permit reaches and no approval ban stands before.
//!
//! ## What it finds
//!
//! An action of the group `mutating` that some `permit` covers, while no `forbid` of the approval tier covers it, or one of a single
//! resource only. A bundle that declares no gates is left alone.
//!
//! ## Why it matters
//!
//! Nothing but the role group of the principal would stand between a plan and production.
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
use cedar_policy::{Effect, Policy, PrincipalConstraint, ResourceConstraint};
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = rule!("L02", "mutating-permit-without-ban", Error, "mutating_permit_without_ban.rs");

/// Looks for mutating actions with a permit and without an approval ban, where there are approvals at all.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let of_approval = |policy: &&BundlePolicy| matches!(policy.annotations.tier, Some(Tier::Approval(_)));
    let bans: Vec<&BundlePolicy> = subject.bundle.own().iter().filter(of_approval).collect();
    let permits = subject.bundle.own().iter().filter(|policy| policy.policy.effect() == Effect::Permit);
    let mut told = BTreeSet::new();
    let has_gates = !bans.is_empty() || subject.bundle.schema().declares_gates();
    for permit in permits.filter(|_| has_gates) {
        for of in subject.request_types.iter().filter(|of| subject.can_match(&permit.policy, of)) {
            let action = of.action();
            if told.contains(action) || !subject.in_group(action, groups::MUTATING) {
                continue;
            }
            let covering: Vec<&&BundlePolicy> =
                bans.iter().filter(|ban| subject.covers_action(&ban.policy, action)).collect();
            let is_whole = |ban: &&&BundlePolicy| {
                let principal = ban.policy.principal_constraint();
                let resource = ban.policy.resource_constraint();
                !matches!(principal, PrincipalConstraint::Eq(_)) && !matches!(resource, ResourceConstraint::Eq(_))
            };
            let message = match covering.as_slice() {
                [] => {
                    format!("it permits `{}`, which changes something, and no approval ban covers that", name(action))
                }
                [only, ..] if !covering.iter().any(is_whole) && !is_one(&permit.policy) => format!(
                    "it permits `{}`, which changes something, and the approval ban `{}` covers one principal or resource only",
                    name(action),
                    only.id()
                ),
                _ => continue,
            };
            told.insert(action.clone());
            findings.push(found(&RULE, permit, message).help("add a forbid with @tier(\"approval\") and @gate"));
        }
    }
}

/// Whether a permit is itself about one principal or one resource only.
fn is_one(permit: &Policy) -> bool {
    matches!(permit.principal_constraint(), PrincipalConstraint::Eq(_))
        || matches!(permit.resource_constraint(), ResourceConstraint::Eq(_))
}
