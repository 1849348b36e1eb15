//! Mutants: each policy and each pin of an effect changed in small ways, and who notices: cases, properties, proofs, the review's
//! checks of effects, the committed table, or nobody.

mod equivalent;
mod make;
mod pins;

use self::equivalent::{Same, equivalent};
use self::make::{Mutant, mutants};
use self::pins::PinMutant;
use super::matching::Reporters;
use super::properties::{Beginning, Lab, Near, Seed, Witnesses, World, invariants_fail, on_threads};
use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::policy::PolicyBundle;
use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::prove::{ProveOptions, prove};
use crate::review::register::register;
use crate::settings::Config;
use crate::subject::Subject;
use crate::subject::counterexample::{Case, Counterexample};
use crate::subject::invariant;
use crate::subject::shrink::shrink;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What mutants are shown to beside properties and proofs.
pub struct Judges<'a> {
    /// Whether a case comes out wrong by a bundle.
    pub cases: &'a (dyn Fn(&PolicyBundle) -> bool + Sync),
    /// The committed table, where there is one: it lists tiers, gates, evidence and pins.
    pub table: Option<&'a str>,
    /// The configuration, whose effects' pins are changed, too.
    pub config: Option<&'a Config>,
    /// Reads the invariants for a mutant's own review.
    pub invariants: &'a [crate::problem::Source],
    /// Where it begins; without it the solver is asked.
    pub beginning: Option<&'a Beginning>,
    /// How long all of it may take.
    pub budget: Option<Duration>,
    /// Who noticed a mutant of this name before, of the same inputs.
    pub recall: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Keeps who noticed a mutant, to be recalled.
    pub keep: &'a (dyn Fn(&str, &str) + Sync),
}

/// What became of mutants, beside cases and properties.
#[derive(Clone, Debug, Serialize)]
pub struct MutantReport {
    /// The version of this form, 1.
    pub version: u32,
    /// The counts.
    pub summary: String,
    /// What nothing noticed: the policy and its place, and what was changed.
    pub survived: Vec<[String; 2]>,
}

impl MutantReport {
    /// The same as a part of a review.
    pub fn of(part: Part) -> Self {
        let place = |place: &Place| {
            let line = place.source.text().get(..place.span.start).unwrap_or_default().matches('\n').count() + 1;
            format!("{}:{line}", place.source.name())
        };
        let survivor = |finding: &Finding| {
            let at = finding.places.first().map(place).unwrap_or_default();
            [format!("{} {at}", finding.about), finding.message.clone()]
        };
        Self { version: 1, summary: part.summary, survived: part.findings.iter().map(survivor).collect() }
    }
}

/// Who noticed a mutant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    Case,
    Property,
    Proof,
    Review,
    Table,
    Equivalent,
    Survived,
    NotRun,
}

impl Fate {
    /// Those that need not be looked at again, and how they are kept.
    const SETTLED: [(&str, Self); 6] = [
        ("case", Self::Case),
        ("property", Self::Property),
        ("proof", Self::Proof),
        ("review", Self::Review),
        ("table", Self::Table),
        ("equivalent", Self::Equivalent),
    ];

    fn recalled(judges: &Judges<'_>, name: &str) -> Option<Self> {
        let word = (judges.recall)(name)?;
        Self::SETTLED.iter().find(|(settled, _)| *settled == word).map(|(_, fate)| *fate)
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Survived => Outcome::Failed,
            Self::NotRun => Outcome::Undecided("the budget was used up before".to_owned()),
            _ => Outcome::Held,
        }
    }

    fn kept(self, judges: &Judges<'_>, name: &str) -> Self {
        let settled = Self::SETTLED.iter().filter(|(_, fate)| *fate == self);
        settled.for_each(|(word, _)| (judges.keep)(name, word));
        self
    }
}

/// Changes every policy of the bundle and every pin of its effects, and says of each mutant who noticed it.
pub fn mutate(
    subject: &Subject,
    judges: &Judges<'_>,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<Part, Problem> {
    let until = judges.budget.map(|budget| Instant::now() + budget);
    let is_over = || until.is_some_and(|until| Instant::now() > until);
    let own: Vec<usize> =
        subject.bundle.own().iter().enumerate().filter(|(_, p)| !p.is_action).map(|(at, _)| at).collect();
    let all: Vec<Mutant> = own.iter().flat_map(|at| mutants(subject, *at)).collect();
    let name = |number: usize| all.get(number).map(|mutant| name(subject, mutant, number)).unwrap_or_default();
    let before: BTreeMap<usize, Fate> =
        (0..all.len()).filter_map(|number| Some((number, Fate::recalled(judges, &name(number))?))).collect();
    let found;
    let beginning = match judges.beginning {
        Some(beginning) => beginning,
        None => {
            found = Beginning::find(subject, options, observer)?;
            &found
        }
    };
    let Witnesses { seeds, open } = &beginning.witnesses;
    let lab = Lab::new(subject, seeds);
    let fates: Mutex<BTreeMap<usize, Fate>> = Mutex::default();
    let shown: Mutex<BTreeMap<usize, Case>> = Mutex::default();
    let phase = Phase::new(observer, "mutants", own.len());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(at) = own.get(next.fetch_add(1, Ordering::Relaxed)) {
            let is_new = |number: &usize| !before.contains_key(number);
            let of_policy: Vec<(usize, &Mutant)> =
                all.iter().enumerate().filter(|(number, mutant)| mutant.at == *at && is_new(number)).collect();
            let worlds = if is_over() || of_policy.is_empty() { Vec::new() } else { near(&lab, seeds, *at) };
            for (number, mutant) in of_policy {
                let fate = if is_over() { Fate::NotRun } else { fate(&lab, mutant, &worlds, judges, &shown, number) };
                locked(&fates).insert(number, fate.kept(judges, &name(number)));
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
    for number in equivalent(subject, &all, &rest, Same::Matches, options, observer)? {
        fates.insert(number, Fate::Equivalent.kept(judges, &name(number)));
    }
    for number in alive(&fates) {
        let Some(mutant) = all.get(number) else { continue };
        let fate = match is_over() {
            true => Fate::NotRun,
            false if is_refuted(subject, mutant, judges, options, observer)? => Fate::Proof,
            false => Fate::Survived,
        };
        fates.insert(number, fate.kept(judges, &name(number)));
    }
    let rest: Vec<usize> = alive(&fates).into_iter().filter(|number| is_decided(&all, *number)).collect();
    for number in equivalent(subject, &all, &rest, Same::Decides, options, observer)? {
        fates.insert(number, Fate::Equivalent.kept(judges, &name(number)));
    }
    let recalled = before.len();
    fates.extend(before);
    let shown = shown.into_inner().unwrap_or_else(PoisonError::into_inner);
    let pins: Vec<(PinMutant, Fate)> =
        judges.config.map(|config| pins::judged(subject, config, judges, &is_over)).unwrap_or_default();
    let mut part = part(&lab, &all, &fates, &shown);
    pins::tell(judges.config, &pins, &mut part);
    part.summary = summary(fates.values().chain(pins.iter().map(|(_, fate)| fate)), kinds(subject, &all, pins.len()));
    if recalled > 0 {
        part.summary.push_str(&format!("; {recalled} known from before"));
    }
    if !open.is_empty() {
        part.summary.push_str(&format!("; {} questions that the solver left open", open.len()));
    }
    Ok(part)
}

/// What a mutant is called in results and in what is kept of it; no two have one name.
fn name(subject: &Subject, mutant: &Mutant, number: usize) -> String {
    let id = subject.bundle.policies().get(mutant.at).map(|policy| policy.id()).unwrap_or_default();
    format!("{id}: {} ({number})", mutant.what)
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
        subject
            .map(|subject| register(&subject, None).into_iter().flat_map(|(_, lines)| lines).collect())
            .unwrap_or_default()
    };
    let (old, new) = (lines(subject.bundle.clone()), lines(subject.bundle.with(mutant.at, mutant.policy.clone())));
    old.iter().any(|line| !new.contains(line) && table.contains(line.as_str()))
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
    let Ok(invariants) = invariant::of_bundle(judges.invariants, &bundle) else { return Ok(false) };
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

/// How many mutants of each kind there are.
fn kinds(subject: &Subject, all: &[Mutant], pins: usize) -> BTreeMap<&'static str, usize> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for mutant in all {
        let code = subject.bundle.policies().get(mutant.at).and_then(|policy| policy.policy.annotation("code"));
        *kinds.entry(mutant.kind(code)).or_default() += 1;
    }
    kinds.extend((pins > 0).then_some(("pins", pins)));
    kinds
}

/// The counts of who noticed what.
fn summary<'a>(fates: impl Iterator<Item = &'a Fate>, kinds: BTreeMap<&'static str, usize>) -> String {
    let mut counts: BTreeMap<Fate, usize> = BTreeMap::new();
    fates.for_each(|fate| *counts.entry(*fate).or_default() += 1);
    let count = |fate: Fate| counts.get(&fate).copied().unwrap_or_default();
    let of: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let not_run = count(Fate::NotRun);
    format!(
        "{} mutants: noticed by cases {}, properties {}, proofs {}, checks of effects {}, the committed table {}; {} proved the \
         same; {} survived; of {}{}",
        counts.values().sum::<usize>(),
        count(Fate::Case),
        count(Fate::Property),
        count(Fate::Proof),
        count(Fate::Review),
        count(Fate::Table),
        count(Fate::Equivalent),
        count(Fate::Survived),
        of.join(", "),
        if not_run > 0 { format!("; {not_run} not run") } else { String::new() }
    )
}

/// What became of the mutants of policies, and a finding with a ready case for each that survived.
fn part(lab: &Lab<'_>, all: &[Mutant], fates: &BTreeMap<usize, Fate>, shown: &BTreeMap<usize, Case>) -> Part {
    let subject = lab.subject;
    let mut part = Part { name: "mutate", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (number, mutant) in all.iter().enumerate() {
        let Some(policy) = subject.bundle.policies().get(mutant.at) else { continue };
        let fate = fates.get(&number).copied().unwrap_or(Fate::NotRun);
        part.checks.push(Check { name: name(subject, mutant, number), outcome: fate.outcome() });
        if fate == Fate::Survived {
            let finding =
                Finding::new(&rules::SURVIVING_MUTANT, policy.id(), format!("nothing notices: {}", mutant.what));
            let finding = finding.at(Place::new(&policy.source, policy.span.clone()));
            let help = "keep the request as a case, state an invariant, or drop what makes no difference";
            part.findings.push(finding.help(help).shown_by(ready(lab, mutant, shown.get(&number))));
        }
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
