//! A policy that another of the same tier makes superfluous.
//!
//! ## What it finds
//!
//! Two policies of the same effect, tier and conditions, of which one has the scope of the other or a wider one.
//!
//! ## Why it matters
//!
//! Two copies drift apart; who corrects one believes to have corrected the rule.
//!
//! ## Examples
//!
//! ```text
//! finding: two permits for `editing` with the same group
//! none:    the scopes or conditions differ
//! ```

use super::found;
use crate::cedar::expression::conditions;
use crate::findings::Finding;
use crate::findings::Place;
use crate::findings::rule::{Rule, rule};
use crate::policy::BundlePolicy;
use crate::subject::Subject;
use cedar_policy::{PrincipalConstraint, ResourceConstraint};

/// The rule.
pub const RULE: Rule = rule!("L11", "redundant-policy", Warning, "redundant_policy.rs");

/// Compares policies pair by pair.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let policies = subject.bundle.own();
    let bodies: Vec<_> = policies.iter().map(|policy| conditions(&policy.policy)).collect();
    for (at, (policy, body)) in policies.iter().zip(&bodies).enumerate() {
        let wider = policies.iter().zip(&bodies).enumerate().find(|(other, (wide, wide_body))| {
            let same = wide.policy.effect() == policy.policy.effect()
                && wide.annotations.tier == policy.annotations.tier
                && wide_body == &body;
            if *other == at || !same || !covers(subject, wide, policy) {
                return false;
            }
            // Of two equal ones, the later is superfluous.
            let is_as_wide = covers(subject, policy, wide);
            // A part of what an action of `never` forbids may be a row of its own.
            let is_row = wide.is_action && !is_as_wide;
            !is_row && (*other < at || !is_as_wide)
        });
        if let Some((_, (wide, _))) = wider {
            findings.push(
                found(&RULE, policy, format!("policy `{}` says the same of all that it covers", wide.id()))
                    .at(Place::new(&wide.source, wide.span.clone()).label("the other"))
                    .help("remove one of the two"),
            );
        }
    }
}

/// Whether the scope of the one leaves nothing out that the scope of the other has.
pub(super) fn covers(subject: &Subject, wide: &BundlePolicy, narrow: &BundlePolicy) -> bool {
    let (wide, narrow) = (&wide.policy, &narrow.policy);
    let principal = wide.principal_constraint();
    let resource = wide.resource_constraint();
    (principal == PrincipalConstraint::Any || principal == narrow.principal_constraint())
        && (resource == ResourceConstraint::Any || resource == narrow.resource_constraint())
        && (subject.bundle.has_schema() || wide.action_constraint() == narrow.action_constraint())
        && subject
            .actions()
            .into_iter()
            .all(|action| !subject.covers_action(narrow, action) || subject.covers_action(wide, action))
}
