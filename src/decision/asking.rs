//! One asking of Cedar, and the policies that it is asked with: all that can match an action, and parts of them.

use super::held::Precondition;
use crate::cedar::reads::{Base, Read, reads};
use crate::cedar::scope::{covers_action, covers_principal, covers_resource};
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use cedar_policy::{Authorizer, Decision, Effect, Entities, EntityUid, Policy, PolicySet, Request, Schema};
use std::collections::BTreeSet;

/// What one asking of Cedar answered.
pub(crate) struct Answer {
    pub(crate) allow: bool,
    /// Policies that decided, sorted.
    pub(crate) policies: Vec<String>,
    pub(crate) errors: Vec<String>,
}

/// The policies that can match one action: all of them, and parts of them.
pub(crate) struct Slice {
    pub(crate) full: PolicySet,
    /// The permits alone.
    pub(super) permits: PolicySet,
    /// Without the precondition tier.
    pub(super) approvals: PolicySet,
    /// The bans that facts decide.
    pub(super) preconditions: Vec<Precondition>,
    /// What each of them reads.
    reads: Vec<(Policy, BTreeSet<Read>)>,
}

impl Slice {
    pub(crate) fn of(bundle: &PolicyBundle, action: &EntityUid, entities: &Entities) -> Self {
        let matching: Vec<&BundlePolicy> =
            bundle.policies().iter().filter(|policy| covers_action(&policy.policy, action, entities)).collect();
        let set = |keep: &dyn Fn(&BundlePolicy) -> bool| {
            let kept = matching.iter().filter(|policy| keep(policy));
            // The bundle joined the same policies before, so that ids cannot collide.
            PolicySet::from_policies(kept.map(|policy| policy.policy.clone())).unwrap_or_default()
        };
        Self {
            full: set(&|_| true),
            permits: set(&|policy| policy.policy.effect() == Effect::Permit),
            approvals: set(&|policy| !matches!(policy.annotations.tier, Some(Tier::Precondition(_)))),
            preconditions: matching.iter().filter_map(|policy| Precondition::of(policy)).collect(),
            reads: matching.iter().map(|policy| (policy.policy.clone(), reads(&policy.policy))).collect(),
        }
    }

    /// What the policies read whose scope leaves room for this principal and this resource.
    pub(super) fn reads<'s>(
        &'s self,
        principal: &'s EntityUid,
        resource: &'s EntityUid,
        schema: &'s Schema,
    ) -> impl Iterator<Item = &'s Read> {
        let can_match = |policy: &Policy| {
            covers_principal(policy, principal.type_name(), schema)
                && covers_resource(policy, resource.type_name(), schema)
        };
        self.reads.iter().filter(move |(policy, _)| can_match(policy)).flat_map(|(_, reads)| reads)
    }

    /// What the policies read of the request's context, whoever asks for what.
    pub(super) fn reads_of_context(&self) -> impl Iterator<Item = &Read> {
        let all = self.reads.iter().flat_map(|(_, reads)| reads);
        all.filter(|read| match read {
            Read::Attribute(base, _) | Read::Membership(base, _) => matches!(base, Base::Context | Base::Entity(_)),
            Read::AnyAttribute(_) | Read::AnyMembership => true,
        })
    }
}

pub(crate) fn ask(authorizer: &Authorizer, request: &Request, policies: &PolicySet, entities: &Entities) -> Answer {
    let response = authorizer.is_authorized(request, policies, entities);
    let mut deciding: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    let mut errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
    deciding.sort();
    errors.sort();
    Answer { allow: response.decision() == Decision::Allow, policies: deciding, errors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::{Context, Schema};

    #[test]
    fn a_ban_that_reads_a_missing_attribute_is_an_error_and_no_silence() {
        let schema =
            Schema::from_cedarschema_str("entity A; action a appliesTo { principal: A, resource: A };").unwrap().0;
        let policies: PolicySet =
            "permit (principal, action, resource); forbid (principal, action, resource) when { context.nothing };"
                .parse()
                .unwrap();
        let (a, action) = ("A::\"a\"".parse::<EntityUid>().unwrap(), "Action::\"a\"".parse::<EntityUid>().unwrap());
        let request = Request::new(a.clone(), action, a, Context::empty(), Some(&schema)).unwrap();
        let answer = ask(&Authorizer::new(), &request, &policies, &Entities::empty());
        // Cedar allows; the error is what makes such a row indeterminate.
        assert!(answer.allow && answer.errors.len() == 1, "{:?}", answer.errors);
    }
}
