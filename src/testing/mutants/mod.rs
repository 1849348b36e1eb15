//! Mutants: each policy changed in small ways, and who notices: cases, properties, proofs, the committed table, or nobody.

mod make;

use self::make::{Mutant, mutants};
use super::matching::Reporters;
use super::properties::{Lab, Near, Seed, World, invariants_fail, on_threads, seeds};
use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::policy::PolicyBundle;
use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::prove::claim::{Claim, One};
use crate::prove::workshop::Workshop;
use crate::prove::{ProveOptions, prove};
use crate::review::register::register;
use crate::subject::Subject;
use crate::subject::counterexample::{Case, Counterexample};
use crate::subject::invariant::{self, Invariant};
use crate::subject::shrink::shrink;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What mutants are shown to beside properties and proofs.
pub struct Judges<'a> {
    /// Whether a case comes out wrong by a bundle.
    pub cases: &'a (dyn Fn(&PolicyBundle) -> bool + Sync),
    /// The committed table, where there is one: it lists tiers, gates and evidence.
    pub table: Option<&'a str>,
    /// Reads the invariants for a mutant's own review.
    pub invariants: &'a [crate::problem::Source],
    /// How long all of it may take.
    pub budget: Option<Duration>,
}

/// Who noticed a mutant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    Case,
    Property,
    Proof,
    Table,
    Equivalent,
    Survived,
    NotRun,
}

/// Changes every policy of the bundle, and says of each mutant who noticed it.
pub fn mutate(
    subject: Subject,
    judges: &Judges<'_>,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<Part, Problem> {
    let until = judges.budget.map(|budget| Instant::now() + budget);
    let is_over = || until.is_some_and(|until| Instant::now() > until);
    let own: Vec<usize> =
        subject.bundle.own().iter().enumerate().filter(|(_, p)| !p.is_action).map(|(at, _)| at).collect();
    let all: Vec<Mutant> = own.iter().flat_map(|at| mutants(&subject, *at)).collect();
    let seeds = seeds(&subject, options, observer)?;
    let lab = Lab::new(&subject, &seeds);
    let fates: Mutex<BTreeMap<usize, Fate>> = Mutex::default();
    let shown: Mutex<BTreeMap<usize, Case>> = Mutex::default();
    let phase = Phase::new(observer, "mutants", own.len());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(at) = own.get(next.fetch_add(1, Ordering::Relaxed)) {
            let of_policy = all.iter().enumerate().filter(|(_, mutant)| mutant.at == *at);
            let worlds = if is_over() { Vec::new() } else { near(&lab, &seeds, *at) };
            for (number, mutant) in of_policy {
                let fate = if is_over() { Fate::NotRun } else { fate(&lab, mutant, &worlds, judges, &shown, number) };
                locked(&fates).insert(number, fate);
            }
            phase.advance();
        }
    };
    on_threads(options.jobs.get(), &work)?;
    drop(phase);
    let mut fates = fates.into_inner().unwrap_or_else(PoisonError::into_inner);
    let alive = |fates: &BTreeMap<usize, Fate>| -> Vec<usize> {
        fates.iter().filter(|(_, fate)| **fate == Fate::Survived).map(|(number, _)| *number).collect()
    };
    let rest: Vec<usize> = alive(&fates).into_iter().filter(|number| is_decided(&all, *number)).collect();
    for number in equivalent(&subject, &all, &rest, options, observer)? {
        fates.insert(number, Fate::Equivalent);
    }
    for number in alive(&fates) {
        let Some(mutant) = all.get(number) else { continue };
        let fate = match is_over() {
            true => Fate::NotRun,
            false if is_refuted(&subject, mutant, judges, options, observer)? => Fate::Proof,
            false => Fate::Survived,
        };
        fates.insert(number, fate);
    }
    let shown = shown.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(part(&lab, &all, &fates, &shown))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_decided(all: &[Mutant], number: usize) -> bool {
    all.get(number).is_some_and(|mutant| mutant.decides)
}

/// The worlds near a policy, and near every invariant that can match what it can match.
fn near(lab: &Lab<'_>, seeds: &[Seed], at: usize) -> Vec<World> {
    let kinds: BTreeSet<usize> = seeds.iter().filter(|s| s.near == Near::Policy(at)).map(|seed| seed.kind).collect();
    let mut worlds = Vec::new();
    let mut take = |seed: &Seed| {
        lab.neighbours_of(seed, Near::Policy(at), &mut |world| worlds.push(world.clone()));
    };
    for kind in kinds.into_iter().take(KINDS) {
        seeds.iter().filter(|seed| seed.kind == kind && seed.near == Near::Policy(at)).for_each(&mut take);
        let floors = seeds.iter().filter(|seed| seed.kind == kind && matches!(seed.near, Near::Invariant(_)));
        floors.for_each(&mut take);
    }
    worlds
}

/// Who notices a mutant, short of proofs.
fn fate(
    lab: &Lab<'_>,
    mutant: &Mutant,
    worlds: &[World],
    judges: &Judges<'_>,
    shown: &Mutex<BTreeMap<usize, Case>>,
    number: usize,
) -> Fate {
    let bundle = lab.subject.bundle.with(mutant.at, mutant.policy.clone());
    if mutant.decides {
        let reporter = mutant.policy.as_ref().map(|policy| Reporters::new([("p".to_owned(), &policy.policy)]));
        for world in worlds {
            let seen = lab.look(world);
            let asked = reporter.as_ref().map(|reporter| reporter.ask(&world.request, &world.entities));
            let matches = asked.as_ref().is_some_and(|asked| !asked.matched.is_empty());
            if matches == seen.policies.contains(&mutant.at) {
                continue;
            }
            let changed = seen.with(mutant.at, matches);
            let differs = changed.allows(lab.subject) != seen.allows(lab.subject);
            let mut shown = locked(shown);
            if differs || !shown.contains_key(&number) {
                shown.insert(number, world.case.clone());
            }
            drop(shown);
            if invariants_fail(lab.subject, &changed) {
                return Fate::Property;
            }
        }
    }
    if (judges.cases)(&bundle) {
        return Fate::Case;
    }
    if judges.table.is_some_and(|table| is_listed_otherwise(lab.subject, mutant, table)) {
        return Fate::Table;
    }
    Fate::Survived
}

/// Whether the committed table lists the policy otherwise than the mutant would be.
fn is_listed_otherwise(subject: &Subject, mutant: &Mutant, table: &str) -> bool {
    let lines = |bundle: PolicyBundle| -> Vec<String> {
        let subject = Subject::new(bundle, Vec::new()).ok();
        subject.map(|subject| register(&subject).into_iter().flat_map(|(_, lines)| lines).collect()).unwrap_or_default()
    };
    let (old, new) = (lines(subject.bundle.clone()), lines(subject.bundle.with(mutant.at, mutant.policy.clone())));
    old.iter().any(|line| !new.contains(line) && table.contains(line.as_str()))
}

/// Those of the mutants that match just what the policy matches, by proof over every request type.
fn equivalent(
    subject: &Subject,
    all: &[Mutant],
    numbers: &[usize],
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
            let claims = match (place, was, is) {
                (_, false, false) => continue,
                (Some(place), true, true) => vec![
                    Claim::Within(One::Policy(mutant.at), One::Invariant(*place)),
                    Claim::Within(One::Invariant(*place), One::Policy(mutant.at)),
                ],
                (_, true, _) => vec![Claim::NeverMatches(One::Policy(mutant.at))],
                (Some(place), false, true) => vec![Claim::NeverMatches(One::Invariant(*place))],
                (None, false, true) => continue,
            };
            let same = match bench {
                Ok(bench) => claims.iter().all(|claim| bench.holds(claim, asker) == Ok(true)),
                Err(_) => false,
            };
            if !same {
                locked(&different).insert(*number);
            }
        }
    })?;
    drop(phase);
    let different = locked(&different).clone();
    Ok(asked.iter().map(|(number, _)| *number).filter(|number| !different.contains(number)).collect())
}

/// Whether an invariant no longer holds of the mutant's bundle, by proof.
fn is_refuted(
    subject: &Subject,
    mutant: &Mutant,
    judges: &Judges<'_>,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<bool, Problem> {
    let bundle = subject.bundle.with(mutant.at, mutant.policy.clone());
    let Ok(invariants) = invariant::parse(judges.invariants, bundle.schema()) else { return Ok(false) };
    let old = subject.bundle.policies().get(mutant.at).map(|policy| policy.policy.clone());
    let mut changed = Subject::new(bundle, invariants)?;
    let new = mutant.policy.as_ref().map(|policy| policy.policy.clone());
    let reached = |of: &cedar_policy::RequestEnv| old.iter().chain(&new).any(|policy| subject.can_match(policy, of));
    changed.request_types.retain(reached);
    // A mutant has the texts of its policy, by which whole proofs are recalled and kept.
    let own = ProveOptions { cache: None, ..options.clone() };
    let part = prove(&changed, &own, observer)?;
    let is_invariant =
        |name: &str| ["never of", "always of", "need of", "lift of"].iter().any(|of| name.starts_with(of));
    Ok(part.checks.iter().any(|check| check.outcome == Outcome::Failed && is_invariant(&check.name)))
}

/// What became of all mutants, and a finding with a ready case for each that survived.
fn part(lab: &Lab<'_>, all: &[Mutant], fates: &BTreeMap<usize, Fate>, shown: &BTreeMap<usize, Case>) -> Part {
    let subject = lab.subject;
    let count = |wanted: Fate| fates.values().filter(|fate| **fate == wanted).count();
    let mut part = Part { name: "mutate", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (number, mutant) in all.iter().enumerate() {
        let Some(policy) = subject.bundle.policies().get(mutant.at) else { continue };
        let fate = fates.get(&number).copied().unwrap_or(Fate::NotRun);
        let outcome = match fate {
            Fate::Survived => Outcome::Failed,
            Fate::NotRun => Outcome::Undecided("the budget was used up before".to_owned()),
            _ => Outcome::Held,
        };
        part.checks.push(Check { name: format!("{}: {} ({number})", policy.id(), mutant.what), outcome });
        if fate == Fate::Survived {
            let finding =
                Finding::new(&rules::SURVIVING_MUTANT, policy.id(), format!("nothing notices: {}", mutant.what));
            let finding = finding.at(Place::new(&policy.source, policy.span.clone()));
            let help = "keep the request as a case, state an invariant, or drop what makes no difference";
            part.findings.push(finding.help(help).shown_by(ready(lab, mutant, shown.get(&number))));
        }
    }
    part.summary = format!(
        "{} mutants: noticed by cases {}, properties {}, proofs {}, the committed table {}; {} proved the same; {} survived",
        all.len(),
        count(Fate::Case),
        count(Fate::Property),
        count(Fate::Proof),
        count(Fate::Table),
        count(Fate::Equivalent),
        count(Fate::Survived)
    );
    let not_run = count(Fate::NotRun);
    if not_run > 0 {
        part.summary.push_str(&format!("; {not_run} not run"));
    }
    part
}

/// A request that tells a mutant from its policy, made small: the case that would notice it.
fn ready(lab: &Lab<'_>, mutant: &Mutant, case: Option<&Case>) -> Option<Counterexample> {
    let (subject, case) = (lab.subject, case?);
    let kind = lab.kind_of(case)?;
    let reporter = mutant.policy.as_ref().map(|policy| Reporters::new([("p".to_owned(), &policy.policy)]));
    let tells = |case: &Case| {
        let world = lab.world(kind, case.clone(), None)?;
        let seen = lab.look(&world);
        let matches = reporter.as_ref().is_some_and(|of| !of.ask(&world.request, &world.entities).matched.is_empty());
        let changed = seen.with(mutant.at, matches);
        Some((seen.policies.contains(&mutant.at), matches, seen.allows(subject), changed.allows(subject)))
    };
    let wanted = tells(case);
    let small = shrink(case.clone(), subject, &|case| tells(case) == wanted);
    let expected = if wanted.is_some_and(|(_, _, allows, _)| allows) { "allow" } else { "deny" };
    small.into_counterexample(subject, expected, Vec::new())
}

/// How many request types of one policy are looked at.
const KINDS: usize = 6;
