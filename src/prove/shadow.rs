//! Policies that another makes superfluous, by proof: what each matches is matched by one other of the same effect and tier, or by a
//! ban that nothing lifts.

use super::asking::Asker;
use super::bench::Bench;
use super::claim::{Claim, One};
use super::stored::Stored;
use super::workshop::Workshop;
use crate::findings::{Finding, Place, rules};
use crate::policy::annotations::Tier;
use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::subject::Subject;
use cedar_policy::{Authorizer, Effect, PolicySet, RequestEnv};
use cedar_policy_symcc::Env;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a policy so far.
struct Seen {
    /// Those that may stand for it.
    candidates: BTreeSet<usize>,
    /// Whether it matches anything at all.
    is_alive: bool,
    undecided: Option<String>,
}

/// Of these policies those that are superfluous, each with its finding, or why that is not known.
pub(super) fn shadowed(
    shop: &Workshop<'_>,
    among: &BTreeSet<usize>,
    observer: &dyn Observer,
) -> Result<BTreeMap<usize, Result<Finding, String>>, Problem> {
    let subject = shop.subject;
    let phase = Phase::new(observer, "coverage", among.len());
    let wanted = among.iter().filter_map(|policy| {
        let candidates: BTreeSet<usize> = others(subject, *policy).collect();
        let types = (0..subject.request_types.len()).filter(|at| subject.matching_at(*at).contains(policy));
        let seen = Seen { candidates, is_alive: false, undecided: None };
        (!seen.candidates.is_empty()).then(|| (*policy, (types.collect(), seen)))
    });
    let seen = shop.in_rounds(
        wanted.collect(),
        &phase,
        |policy, seen: &Seen, at, bench, asker| {
            let request_type = subject.request_types.get(at).ok_or("the request type is not there")?;
            let bench = bench.as_mut().map_err(|why| why.clone())?;
            left(shop.stored(), subject, request_type, policy, seen.candidates.clone(), bench, asker)
        },
        |_, seen, answer: Result<Option<BTreeSet<usize>>, String>| {
            match answer {
                Ok(Some(left)) => {
                    seen.is_alive = true;
                    seen.candidates.retain(|at| left.contains(at));
                }
                // Here it matches nothing, so that whatever stands for it elsewhere does here.
                Ok(None) => {}
                Err(why) => drop(seen.undecided.get_or_insert(why)),
            }
            seen.candidates.is_empty()
        },
    )?;
    let (mut candidates, mut undecided) = (BTreeMap::new(), BTreeMap::new());
    for (policy, seen) in seen {
        match seen.undecided {
            Some(why) if !seen.candidates.is_empty() => drop(undecided.insert(policy, why)),
            _ if seen.is_alive => drop(candidates.insert(policy, seen.candidates)),
            _ => {}
        }
    }
    let mut found: BTreeMap<usize, Result<Finding, String>> =
        undecided.into_iter().map(|(policy, why)| (policy, Err(why))).collect();
    for (policy, by) in &candidates {
        if found.contains_key(policy) {
            continue;
        }
        // Of two that say the same, the later is superfluous.
        let is_mutual = |other: &usize| candidates.get(other).is_some_and(|by| by.contains(policy));
        if let Some(other) = by.iter().find(|other| !is_mutual(other) || *other < policy) {
            found.extend(finding(subject, *policy, *other).map(|finding| (*policy, Ok(finding))));
        }
    }
    Ok(found)
}

/// Those that could stand for a policy by their effect and tier.
fn others(subject: &Subject, policy: usize) -> impl Iterator<Item = usize> {
    let policies = subject.bundle.policies();
    let own = policies.get(policy);
    policies
        .iter()
        .enumerate()
        .filter(move |(at, other)| {
            *at != policy
                && own.is_some_and(|own| {
                    // What is built in may be said once more as a row of the bundle's own.
                    let same = !(other.is_prelude() || other.is_action)
                        && own.policy.effect() == other.policy.effect()
                        && own.annotations.tier == other.annotations.tier;
                    let bars = own.policy.effect() == Effect::Permit && other.policy.effect() == Effect::Forbid;
                    same || (bars && matches!(other.annotations.tier, None | Some(Tier::Absolute)))
                })
        })
        .map(|(at, _)| at)
}

/// Those among `possible` that match whatever the policy matches; `None` if it matches nothing.
fn left(
    stored: &Stored<'_>,
    subject: &Subject,
    request_type: &RequestEnv,
    policy: usize,
    mut possible: BTreeSet<usize>,
    bench: &mut Bench<'_>,
    asker: &mut Asker<'_>,
) -> Result<Option<BTreeSet<usize>>, String> {
    let own = One::Policy(policy);
    if !bench.refutes(&Claim::NeverMatches(own), stored, asker)? {
        return Ok(None);
    }
    let scoped = |other: &usize| {
        subject.bundle.policies().get(*other).is_some_and(|other| subject.can_match(&other.policy, request_type))
    };
    possible.retain(scoped);
    if possible.is_empty() {
        return Ok(Some(possible));
    }
    // A request that the policy matches and another does not says all about that pair: the solver need not.
    if let Some(example) = bench.example(&Claim::NeverMatches(own), asker)? {
        possible.retain(|other| matches(subject, *other, &example));
    }
    for other in possible.clone() {
        if !possible.contains(&other) {
            continue;
        }
        let claim = Claim::Within(own, One::Policy(other));
        if !bench.holds(&claim, asker)? {
            possible.remove(&other);
            if possible.len() > 1
                && let Some(example) = bench.example(&claim, asker)?
            {
                possible.retain(|other| matches(subject, *other, &example));
            }
        }
    }
    Ok(Some(possible))
}

/// Whether the policy matches the request, or cannot be evaluated, which says nothing.
fn matches(subject: &Subject, policy: usize, example: &Env) -> bool {
    let Some(policy) = One::Policy(policy).policy(subject) else { return false };
    let Ok(set) = PolicySet::from_policies([policy.clone()]) else { return true };
    let response = Authorizer::new().is_authorized(&example.request, &set, &example.entities);
    response.diagnostics().errors().next().is_some() || response.diagnostics().reason().next().is_some()
}

fn finding(subject: &Subject, policy: usize, by: usize) -> Option<Finding> {
    let (policy, by) = subject.bundle.policies().get(policy).zip(subject.bundle.policies().get(by))?;
    let place = Place::new(&policy.source, policy.span.clone());
    let other = Place::new(&by.source, by.span.clone()).label("the other");
    let (rule, message, help) = match policy.policy.effect() == by.policy.effect() {
        true => (
            &rules::SHADOWED,
            format!("it is shadowed by `{}`, which matches whatever it matches", by.id()),
            "remove it, or narrow the other",
        ),
        false => (
            &rules::OVERRIDDEN,
            format!("it never decides: the ban `{}` matches whatever it permits", by.id()),
            "remove it, or narrow the ban",
        ),
    };
    Some(Finding::new(rule, policy.id(), message).at(place).at(other).help(help))
}
