//! Where properties begin: for each policy and invariant and each request type, a request that the solver found for it.

use super::lab::Lab;
use super::tame::tame;
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
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Where properties and mutants of a bundle begin; one run asks the solver once.
#[derive(Debug)]
pub struct Beginning {
    /// The subject with its guards.
    pub(super) subject: Subject,
    pub(crate) witnesses: Witnesses,
}

impl Beginning {
    /// Asks the solver for a request for each policy, invariant and request type; a problem is a solver that cannot be used at all.
    pub fn find(subject: &Subject, options: &ProveOptions, observer: &dyn Observer) -> Result<Self, Problem> {
        let subject = guarded(subject)?;
        let witnesses = seeds(&subject, options, observer)?;
        Ok(Self { subject, witnesses })
    }
}

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

/// What the solver gave to begin with.
#[derive(Default, Debug)]
pub(crate) struct Witnesses {
    pub(crate) seeds: Vec<Seed>,
    /// What it was asked for in vain.
    pub(crate) open: Vec<Open>,
}

/// A request that there may be: the solver did not say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Open {
    /// What it would be near.
    pub(crate) near: Near,
    /// Why it is not known.
    pub(crate) why: String,
    /// The place of its request type.
    pub(crate) kind: usize,
}

/// What a seed is near, by its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Near {
    Policy(usize),
    Invariant(usize),
}

impl Near {
    /// The id of the policy or invariant.
    pub(crate) fn id(self, subject: &Subject) -> &str {
        let id = match self {
            Self::Policy(at) => subject.bundle.policies().get(at).map(|policy| policy.id()),
            Self::Invariant(at) => subject.invariants.get(at).map(|invariant| invariant.id.as_str()),
        };
        id.unwrap_or_default()
    }
}

/// The subject with a guard for each ban: its scope and what it is about, without the exceptions that let a request pass.
///
/// A guard asks nothing. It is what makes the solver find requests that are allowed, and that a ban nearly bars.
fn guarded(subject: &Subject) -> Result<Subject, Problem> {
    let mut invariants = subject.invariants.clone();
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
            is_promise: false,
        });
    }
    let mut guarded = Subject::new(subject.bundle.clone(), invariants)?;
    guarded.twins.clone_from(&subject.twins);
    Ok(guarded)
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
/// ban it is, too, a request that is allowed and within its guard. Where something errs, one of usual sizes stands beside it.
pub(crate) fn seeds(subject: &Subject, options: &ProveOptions, observer: &dyn Observer) -> Result<Witnesses, Problem> {
    solver::tried(&options.solver)?;
    let everywhere: Vec<usize> = (0..subject.request_types.len()).collect();
    let Witnesses { mut seeds, mut open } = found(subject, &everywhere, None, options, observer)?;
    let lab = Lab::new(subject, &[]);
    let errs =
        |seed: &Seed| lab.world(seed.kind, seed.case.clone(), None).is_none_or(|w| !lab.look(&w).errors.is_empty());
    let mut kinds: Vec<usize> = seeds.iter().filter(|seed| errs(seed)).map(|seed| seed.kind).collect();
    kinds.dedup();
    if !kinds.is_empty() {
        let (tamed, places) = tamed(subject, &kinds)?;
        let usual = found(&tamed, &kinds, Some(&places), options, observer)?;
        seeds.extend(usual.seeds);
        open.extend(usual.open);
        // Those of usual sizes come last.
        seeds.sort_by_key(|seed| (seed.kind, seed.near));
    }
    open.sort();
    open.dedup();
    Ok(Witnesses { seeds, open })
}

/// The subject with an invariant for each of these request types that matches what is of usual sizes, and their places.
fn tamed(subject: &Subject, kinds: &[usize]) -> Result<(Subject, BTreeMap<usize, usize>), Problem> {
    let mut invariants = subject.invariants.clone();
    let mut places = BTreeMap::new();
    for kind in kinds {
        let request_type = subject.request_types.get(*kind);
        let Some(policy) = request_type.and_then(|of| tame(subject, of, &format!("usual sizes of {kind}"))) else {
            continue;
        };
        let Some(source) = subject.bundle.own().first() else { continue };
        places.insert(*kind, invariants.len());
        invariants.push(Invariant {
            id: policy.id().to_string(),
            title: None,
            asked: Vec::new(),
            clauses: Vec::new(),
            policy,
            source: source.source.clone(),
            span: source.span.clone(),
            is_promise: false,
        });
    }
    Ok((Subject::new(subject.bundle.clone(), invariants)?, places))
}

/// The seeds of some request types; `tame` has the place of what they are to be within.
fn found(
    subject: &Subject,
    kinds: &[usize],
    tame: Option<&BTreeMap<usize, usize>>,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<Witnesses, Problem> {
    let found: Mutex<Witnesses> = Mutex::default();
    let found = || found.lock().unwrap_or_else(PoisonError::into_inner);
    let phase = Phase::new(observer, "witnesses", kinds.len());
    Workshop::new(subject, options).each(kinds, Some(&phase), |kind, bench, asker| {
        let Some(request_type) = subject.request_types.get(kind) else { return };
        let tame = match tame.map(|places| places.get(&kind)) {
            Some(None) => return,
            Some(place) => place.copied(),
            None => None,
        };
        let mut keep = |near: Near, claims: Vec<(Claim, bool)>| {
            for (claim, decisive) in claims {
                let claim = tame.map_or(claim.clone(), |place| within(claim, place));
                let example = bench.as_mut().map_err(|why| why.clone()).and_then(|bench| bench.example(&claim, asker));
                let case = example.and_then(|example| match example {
                    Some(at) => Case::of(&at.request, &at.entities).map(Some).ok_or_else(|| UNREADABLE.to_owned()),
                    None => Ok(None),
                });
                match case {
                    Ok(Some(case)) => return found().seeds.push(Seed { kind, near, decisive, case }),
                    Ok(None) => {}
                    Err(why) => found().open.push(Open { near, why, kind }),
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
            if !invariant.asked.is_empty()
                && !invariant.is_promise
                && subject.can_match(&invariant.policy, request_type)
            {
                keep(Near::Invariant(at), vec![(Claim::NeverMatches(One::Invariant(at)), false)]);
            }
        }
    })?;
    let mut found = std::mem::take(&mut *found());
    found.seeds.sort_by_key(|seed| (seed.kind, seed.near));
    Ok(found)
}

/// A claim of requests that this invariant matches alone.
fn within(claim: Claim, place: usize) -> Claim {
    match claim {
        Claim::Implies(left, right) => Claim::Implies(Side::Within(Box::new(left), place), right),
        Claim::NeverMatches(one) => Claim::Disjoint(one, One::Invariant(place)),
        other => other,
    }
}

const UNREADABLE: &str = "the solver found a request that cannot be read back";
