//! One asking of Cedar, and the policies that it is asked with: all that can match an action, and parts of them.

use super::held::Reading;
use crate::cedar::reads::{Base, Read};
use crate::cedar::scope::{covers_action, covers_principal, covers_resource};
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use cedar_policy::{Authorizer, Decision, Effect, Entities, EntityUid, Policy, PolicySet, Request, Schema};

/// What one asking of Cedar answered.
pub(crate) struct Answer {
    pub(crate) allow: bool,
    /// Policies that decided, sorted.
    pub(crate) policies: Vec<String>,
    pub(crate) errors: Vec<String>,
}

impl Answer {
    /// Whether it is allowed: an error denies, whatever Cedar decides without the policy that errs.
    pub(crate) fn allows(&self) -> bool {
        self.allow && self.errors.is_empty()
    }
}

/// The policies that can match one action: all of them, and parts of them.
pub(crate) struct Slice {
    pub(crate) full: PolicySet,
    /// The permits alone.
    pub(super) permits: PolicySet,
    /// Without the precondition tier.
    pub(super) approvals: PolicySet,
    /// Each of them, with what it reads.
    readings: Vec<Reading>,
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
            readings: matching.iter().map(|policy| Reading::of(policy)).collect(),
        }
    }

    /// The policies whose scope leaves room for this principal and this resource, and that the request leaves possible.
    pub(super) fn possible<'s>(
        &'s self,
        authorizer: &'s Authorizer,
        request: &'s Request,
        (schema, entities): (&'s Schema, &'s Entities),
    ) -> impl Iterator<Item = &'s Reading> {
        let covers = move |policy: &Policy| {
            request.principal().is_none_or(|uid| covers_principal(policy, uid.type_name(), schema))
                && request.resource().is_none_or(|uid| covers_resource(policy, uid.type_name(), schema))
        };
        let all = self.readings.iter().filter(move |reading| covers(&reading.policy));
        all.filter(move |reading| reading.is_possible(authorizer, request, entities))
    }

    /// What the policies read of the request's context, whoever asks for what.
    pub(super) fn reads_of_context(&self) -> impl Iterator<Item = &Read> {
        let all = self.readings.iter().flat_map(|reading| &reading.reads);
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
        assert!(answer.allow && answer.errors.len() == 1 && !answer.allows(), "{:?}", answer.errors);
    }
}
