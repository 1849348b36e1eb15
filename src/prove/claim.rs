//! What is asked of one request type, said once for both judges: the solver, and the authorizer that checks its examples.

use crate::policy::annotations::Tier;
use crate::subject::Subject;
use cedar_policy::{Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, Request, Response};

/// A statement about all requests of one type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Claim {
    /// Whatever the left side allows, the right side allows.
    Implies(Side, Side),
    /// No request is matched by both.
    Disjoint(One, One),
    /// Whatever the first matches, the second matches.
    Within(One, One),
    /// The policy does not err.
    NeverFails(One),
    /// The policy matches no request.
    NeverMatches(One),
    /// The policy matches every request.
    AlwaysMatches(One),
}

/// A set of policies that decides.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// Some of the bundle's policies, without the one dropped to see whether anybody notices.
    Bundle(Which, Option<usize>),
    /// One invariant; a `forbid` stands beside a permit-all.
    Invariant(usize),
    /// Several ceilings beside one permit-all, or several floors.
    Invariants(Vec<usize>),
    /// Another side, denying whatever this invariant does not match.
    Within(Box<Side>, usize),
    /// Another side, and this invariant as one more policy of it.
    With(Box<Side>, usize),
}

/// Which of the bundle's policies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Which {
    /// Every `forbid`, beside a permit-all.
    Bans,
    /// Every `permit`.
    Permits,
    /// Everything.
    Shipped,
    /// Every `forbid` of the approval tier that names this gate, beside a permit-all.
    Approvals(String),
}

/// One policy, by its place in the bundle or among the invariants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum One {
    /// A policy of the bundle.
    Policy(usize),
    /// An invariant.
    Invariant(usize),
    /// One condition of an invariant.
    Clause(usize, usize),
}

impl One {
    /// The policy itself.
    pub fn policy(self, subject: &Subject) -> Option<&Policy> {
        match self {
            Self::Policy(index) => subject.bundle.policies().get(index).map(|policy| &policy.policy),
            Self::Invariant(index) => subject.invariants.get(index).map(|invariant| &invariant.policy),
            Self::Clause(index, clause) => subject.invariants.get(index)?.clauses.get(clause),
        }
    }
}

impl Side {
    /// The policies of this side that `keep`, in the order of the files.
    pub fn policies(&self, subject: &Subject, keep: impl Fn(&Policy) -> bool) -> Result<PolicySet, String> {
        let invariants: &[usize] = match self {
            Self::Bundle(which, dropped) => {
                let shipped = subject.bundle.policies().iter().enumerate().filter(|(index, policy)| {
                    Some(*index) != *dropped && which.has(policy.policy.effect(), policy.annotations.tier.as_ref())
                });
                let shipped = shipped.map(|(_, policy)| policy.policy.clone()).filter(keep);
                return join(shipped, matches!(which, Which::Bans | Which::Approvals(_)));
            }
            Self::Invariant(index) => std::slice::from_ref(index),
            Self::Invariants(indices) => indices,
            Self::Within(side, index) => {
                let mut set = side.policies(subject, keep)?;
                let invariant = subject.invariants.get(*index).ok_or("the invariant is not there")?;
                let outside = outside(&invariant.policy).ok_or("the invariant cannot be negated")?;
                set.add(outside).map_err(|error| error.to_string())?;
                return Ok(set);
            }
            Self::With(side, index) => {
                let invariant = subject.invariants.get(*index).ok_or("the invariant is not there")?;
                let own = Some(invariant.policy.clone()).filter(|policy| keep(policy));
                let mut set = side.policies(subject, keep)?;
                if let Some(own) = own {
                    set.add(own).map_err(|error| error.to_string())?;
                }
                return Ok(set);
            }
        };
        let policies: Vec<Policy> =
            invariants.iter().filter_map(|at| Some(subject.invariants.get(*at)?.policy.clone())).collect();
        let ceiling = policies.iter().any(|policy| policy.effect() == Effect::Forbid);
        join(policies.into_iter(), ceiling)
    }
}

impl Which {
    /// Whether a policy of this effect and tier is one of them.
    pub fn has(&self, effect: Effect, tier: Option<&Tier>) -> bool {
        match self {
            Self::Bans => effect == Effect::Forbid,
            Self::Permits => effect == Effect::Permit,
            Self::Shipped => true,
            Self::Approvals(gate) => matches!(tier, Some(Tier::Approval(named)) if named == gate),
        }
    }
}

impl Claim {
    /// The authorizer's way to refute the claim; policies that `keep` leaves out must be unable to match.
    pub fn refuter(&self, subject: &Subject, keep: impl Fn(&Policy) -> bool + Copy) -> Result<Refuter, String> {
        let alone = |one: One| match one.policy(subject) {
            Some(policy) => join(std::iter::once(policy.clone()), false),
            None => Err("the policy is not there".to_owned()),
        };
        Ok(match self {
            Self::Implies(left, right) => {
                Refuter::AllowedByFirstOnly(left.policies(subject, keep)?, right.policies(subject, keep)?)
            }
            Self::Disjoint(a, b) => Refuter::MatchedByBoth(alone(*a)?, alone(*b)?),
            Self::Within(a, b) => Refuter::MatchedByFirstOnly(alone(*a)?, alone(*b)?),
            Self::NeverMatches(one) => Refuter::MatchedByBoth(alone(*one)?, alone(*one)?),
            Self::NeverFails(one) => Refuter::Fails(alone(*one)?),
            Self::AlwaysMatches(one) => Refuter::Unmatched(alone(*one)?),
        })
    }
}

/// Policy sets by which the authorizer itself shows that a claim does not hold.
#[derive(Clone, Debug)]
pub enum Refuter {
    /// The first allows the request, the second denies it.
    AllowedByFirstOnly(PolicySet, PolicySet),
    /// Each is one policy, and both match the request.
    MatchedByBoth(PolicySet, PolicySet),
    /// Each is one policy, and only the first matches the request.
    MatchedByFirstOnly(PolicySet, PolicySet),
    /// The one policy fails to evaluate.
    Fails(PolicySet),
    /// The one policy does not match the request.
    Unmatched(PolicySet),
}

impl Refuter {
    /// Whether the request shows it, without anything going wrong.
    pub fn shows(&self, request: &Request, entities: &Entities) -> bool {
        let ask = |policies: &PolicySet| Authorizer::new().is_authorized(request, policies, entities);
        let errors = |response: &Response| response.diagnostics().errors().next().is_some();
        let allows = |policies: &PolicySet| {
            let response = ask(policies);
            (!errors(&response)).then_some(response.decision() == Decision::Allow)
        };
        let matches = |policies: &PolicySet| {
            let response = ask(policies);
            (!errors(&response)).then_some(response.diagnostics().reason().next().is_some())
        };
        match self {
            Self::AllowedByFirstOnly(a, b) => allows(a) == Some(true) && allows(b) == Some(false),
            Self::MatchedByBoth(a, b) => matches(a) == Some(true) && matches(b) == Some(true),
            Self::MatchedByFirstOnly(a, b) => matches(a) == Some(true) && matches(b) == Some(false),
            Self::Fails(policy) => errors(&ask(policy)),
            Self::Unmatched(policy) => matches(policy) == Some(false),
        }
    }
}

/// The `forbid` of whatever is in the scope of a policy of one `when`, and is not matched.
fn outside(policy: &Policy) -> Option<Policy> {
    let mut json = policy.to_json().ok()?;
    json.as_object_mut()?.insert("effect".to_owned(), "forbid".into());
    let [condition] = json.get_mut("conditions")?.as_array_mut()?.as_mut_slice() else { return None };
    condition.as_object_mut()?.insert("kind".to_owned(), "unless".into());
    Policy::from_json(Some(PolicyId::new(OUTSIDE)), json).ok()
}

/// A set of these; with the permit that allows whatever no `forbid` matches.
fn join(policies: impl Iterator<Item = Policy>, permit_all: bool) -> Result<PolicySet, String> {
    let mut set = PolicySet::from_policies(policies).map_err(|error| error.to_string())?;
    if permit_all {
        let all = Policy::parse(Some(PolicyId::new(PERMIT_ALL)), "permit (principal, action, resource);");
        set.add(all.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    Ok(set)
}

/// No `@id` can be this.
const PERMIT_ALL: &str = "permit all";
const OUTSIDE: &str = "forbid outside";
