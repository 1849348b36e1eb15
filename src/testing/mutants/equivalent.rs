//! Mutants that are no mistakes: by proof they match what their policy matches, or the bundle decides the same with them.

use super::locked;
use super::make::Mutant;
use crate::policy::BundlePolicy;
use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::prove::ProveOptions;
use crate::prove::claim::{Claim, One, Side, Which};
use crate::prove::workshop::Workshop;
use crate::subject::Subject;
use crate::subject::invariant::Invariant;
use cedar_policy::Effect;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// In what a mutant is the same as its policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Same {
    /// It matches just what the policy matches.
    Matches,
    /// It is a permit, and the whole bundle decides with it just as with the policy.
    Decides,
}

/// Those of the mutants that are the same as their policies, by proof over every request type.
pub(super) fn equivalent(
    subject: &Subject,
    all: &[Mutant],
    numbers: &[usize],
    same: Same,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<Vec<usize>, Problem> {
    let asked: Vec<(usize, &Mutant)> = numbers.iter().filter_map(|number| Some((*number, all.get(*number)?))).collect();
    let mut invariants: Vec<Invariant> = Vec::new();
    for (number, mutant) in &asked {
        let (Some(policy), Some(old)) = (&mutant.policy, subject.bundle.policies().get(mutant.at)) else { continue };
        invariants.push(Invariant {
            id: format!("mutant {number}"),
            title: None,
            asked: Vec::new(),
            policy: policy.policy.clone(),
            clauses: Vec::new(),
            source: old.source.clone(),
            span: old.span.clone(),
            is_promise: false,
        });
    }
    let places: BTreeMap<usize, usize> = asked
        .iter()
        .filter_map(|(number, _)| {
            let id = format!("mutant {number}");
            Some((*number, invariants.iter().position(|invariant| invariant.id == id)?))
        })
        .collect();
    let with = Subject::new(subject.bundle.clone(), invariants)?;
    let different: Mutex<BTreeSet<usize>> = Mutex::default();
    let phase = Phase::new(observer, "equivalents", with.request_types.len());
    let everywhere: Vec<usize> = (0..with.request_types.len()).collect();
    Workshop::new(&with, options).each(&everywhere, Some(&phase), |kind, bench, asker| {
        let Some(request_type) = with.request_types.get(kind) else { return };
        for (number, mutant) in &asked {
            if locked(&different).contains(number) {
                continue;
            }
            let Some(old) = with.bundle.policies().get(mutant.at) else { continue };
            let place = places.get(number);
            let matching = |one: &cedar_policy::Policy| with.can_match(one, request_type);
            let was = matching(&old.policy);
            let is = mutant.policy.as_ref().is_some_and(|new| matching(&new.policy));
            let is_permit = |policy: &BundlePolicy| policy.policy.effect() == Effect::Permit;
            let claims = match (place, was, is) {
                (_, false, false) => continue,
                _ if same == Same::Decides => {
                    // What a ban bars is said by its tier, too, and is not only a decision.
                    if !is_permit(old) || !mutant.policy.as_ref().is_none_or(is_permit) {
                        locked(&different).insert(*number);
                        continue;
                    }
                    let shipped = |dropped| Side::Bundle(Which::Shipped, dropped);
                    let without = shipped(Some(mutant.at));
                    let new = place.map_or(without.clone(), |place| Side::With(Box::new(without), *place));
                    vec![Claim::Implies(new.clone(), shipped(None)), Claim::Implies(shipped(None), new)]
                }
                (Some(place), true, true) => vec![
                    Claim::Within(One::Policy(mutant.at), One::Invariant(*place)),
                    Claim::Within(One::Invariant(*place), One::Policy(mutant.at)),
                ],
                (_, true, _) => vec![Claim::NeverMatches(One::Policy(mutant.at))],
                (Some(place), false, true) => vec![Claim::NeverMatches(One::Invariant(*place))],
                (None, false, true) => continue,
            };
            let is_same = match bench {
                Ok(bench) => claims.iter().all(|claim| bench.holds(claim, asker) == Ok(true)),
                Err(_) => false,
            };
            if !is_same {
                locked(&different).insert(*number);
            }
        }
    })?;
    drop(phase);
    let different = locked(&different).clone();
    Ok(asked.iter().map(|(number, _)| *number).filter(|number| !different.contains(number)).collect())
}
