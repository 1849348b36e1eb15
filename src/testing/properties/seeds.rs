//! Where properties begin: for each policy and invariant and each request type, a request that the solver found for it.

use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::prove::claim::{Claim, One, Side, Which};
use crate::prove::workshop::Workshop;
use crate::prove::{ProveOptions, solver};
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::subject::invariant::Invariant;
use cedar_policy::{Effect, Policy, PolicyId};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// A request and entities that are near something.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Seed {
    /// The place of the request type in the subject.
    pub(crate) kind: usize,
    /// What it is near.
    pub(crate) near: Near,
    /// Whether the whole bundle would decide otherwise without the policy.
    pub(crate) decisive: bool,
    pub(crate) case: Case,
}

/// What a seed is near, by its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Near {
    Policy(usize),
    Invariant(usize),
}

/// The subject with a guard for each ban: its scope and what it is about, without the exceptions that let a request pass.
///
/// A guard asks nothing. It is what makes the solver find requests that are allowed, and that a ban nearly bars.
pub(crate) fn guarded(subject: Subject) -> Result<Subject, Problem> {
    let mut invariants = subject.invariants;
    for policy in subject.bundle.own().iter().filter(|policy| policy.policy.effect() == Effect::Forbid) {
        let Some(guard) = guard(&policy.policy) else { continue };
        invariants.push(Invariant {
            id: guard_id(policy.id()),
            title: None,
            asked: Vec::new(),
            policy: guard,
            clauses: Vec::new(),
            source: policy.source.clone(),
            span: policy.span.clone(),
        });
    }
    Subject::new(subject.bundle, invariants)
}

/// A ban with its `when` alone, or with nothing but its scope where it has no `unless`; `None` where that is all of it.
fn guard(policy: &Policy) -> Option<Policy> {
    let mut json = policy.to_json().ok()?;
    let conditions = json.get("conditions")?.as_array()?.clone();
    let is = |kind: &str, condition: &Value| condition.get("kind").and_then(Value::as_str) == Some(kind);
    let has_exceptions = conditions.iter().any(|condition| is("unless", condition));
    let kept: Vec<Value> =
        conditions.iter().filter(|condition| has_exceptions && is("when", condition)).cloned().collect();
    (kept.len() < conditions.len()).then_some(())?;
    json.as_object_mut()?.insert("conditions".to_owned(), Value::Array(kept));
    Policy::from_json(Some(PolicyId::new(guard_id(policy.id().as_ref()))), json).ok()
}

/// No `@id` can be this.
fn guard_id(id: &str) -> String {
    format!("guard of {id}")
}

/// A seed for each policy of the bundle and each invariant, and each request type that its scope leaves room for.
///
/// For a policy it is a request that is decided otherwise without it, if there is one; else one that it matches. For a
/// ban it is, too, a request that is allowed and within its guard.
pub(crate) fn seeds(subject: &Subject, options: &ProveOptions, observer: &dyn Observer) -> Result<Vec<Seed>, Problem> {
    solver::tried(&options.solver)?;
    let found: Mutex<Vec<Seed>> = Mutex::default();
    let phase = Phase::new(observer, "witnesses", subject.request_types.len());
    let everywhere: Vec<usize> = (0..subject.request_types.len()).collect();
    Workshop::new(subject, options).each(&everywhere, Some(&phase), |kind, bench, asker| {
        let (Some(request_type), Ok(bench)) = (subject.request_types.get(kind), bench) else { return };
        let mut keep = |near: Near, claims: Vec<(Claim, bool)>| {
            for (claim, decisive) in claims {
                let example = bench.example(&claim, asker).ok().flatten();
                if let Some(case) = example.and_then(|at| Case::of(&at.request, &at.entities)) {
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.push(Seed { kind, near, decisive, case });
                    return;
                }
            }
        };
        for at in subject.matching(request_type).into_iter().filter(|at| *at < subject.asked()) {
            let Some(policy) = subject.bundle.policies().get(at) else { continue };
            let side = |which: Which, dropped| Side::Bundle(which, dropped);
            let mut claims = match policy.policy.effect() {
                Effect::Permit => {
                    vec![(Claim::Implies(side(Which::Shipped, None), side(Which::Shipped, Some(at))), true)]
                }
                Effect::Forbid => vec![
                    (Claim::Implies(side(Which::Shipped, Some(at)), side(Which::Shipped, None)), true),
                    (Claim::Implies(side(Which::Bans, Some(at)), side(Which::Bans, None)), false),
                ],
            };
            if subject.repeats_never(at) {
                claims.clear();
            }
            claims.push((Claim::NeverMatches(One::Policy(at)), false));
            keep(Near::Policy(at), claims);
            let guard = guard_id(policy.id());
            if let Some(guard) = subject.invariants.iter().position(|invariant| invariant.id == guard) {
                let claim = Claim::Implies(side(Which::Shipped, None), Side::Invariant(guard));
                keep(Near::Policy(at), vec![(claim, false)]);
            }
        }
        for (at, invariant) in subject.invariants.iter().enumerate() {
            if !invariant.asked.is_empty() && subject.can_match(&invariant.policy, request_type) {
                keep(Near::Invariant(at), vec![(Claim::NeverMatches(One::Invariant(at)), false)]);
            }
        }
    })?;
    let mut seeds = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    seeds.sort_by_key(|seed| (seed.kind, seed.near));
    Ok(seeds)
}
