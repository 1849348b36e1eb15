//! `review coverage`: each policy is dropped in turn; one whose absence no invariant notices is said only once.

use crate::findings::rule::Severity;
use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::prove::asking::Asker;
use crate::prove::bench::Bench;
use crate::prove::cache::Cache;
use crate::prove::claim::{Claim, Side, Which};
use crate::prove::property::judged;
use crate::prove::{ProveOptions, each_request_type, shadow, solver};
use crate::subject::Subject;
use crate::subject::invariant::Asked;
use cedar_policy::{Effect, RequestEnv};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Drops each policy in turn. The invariants must hold of the whole bundle, else nothing follows from a refutation.
pub fn coverage(subject: &Subject, options: &ProveOptions, observer: &dyn Observer) -> Result<Part, Problem> {
    coverage_without(subject, &BTreeSet::new(), options, observer)
}

/// The same without the invariants that do not hold, by their ids.
pub fn coverage_without(
    subject: &Subject,
    unproved: &BTreeSet<String>,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<Part, Problem> {
    let version = solver::tried(&options.solver)?;
    let cache = Cache::open(options.cache.as_deref(), "coverage", subject, &version);
    let asked: Vec<usize> = (0..subject.asked()).filter(|at| !subject.repeats_never(*at)).collect();
    let id = |at: &usize| subject.bundle.policies().get(*at).map(|policy| policy.id().to_owned());
    let names: Vec<String> = asked.iter().filter_map(id).collect();
    if let Some(part) = cache.whole(&names).filter(|_| unproved.is_empty()) {
        return Ok(part);
    }
    let answers = &*options.answers;
    answers.add(cache.known());
    let before = answers.effort();
    let covered: Mutex<BTreeSet<usize>> = Mutex::default();
    let undecided: Mutex<BTreeMap<usize, String>> = Mutex::default();
    let doubtful: Mutex<BTreeSet<usize>> = Mutex::default();
    let phase = Phase::new(observer, "coverage", subject.request_types.len());
    each_request_type(subject, answers, options, &phase, |at, bench, asker| {
        let Some(request_type) = subject.request_types.get(at) else { return };
        for policy in subject.matching(request_type).into_iter().filter(|at| asked.contains(at)) {
            if locked(&covered).contains(&policy) {
                continue;
            }
            if is_doubtful(subject, unproved, request_type, policy) {
                locked(&doubtful).insert(policy);
            }
            match notices(subject, unproved, request_type, policy, bench, asker) {
                Ok(true) => drop(locked(&covered).insert(policy)),
                Ok(false) => {}
                Err(why) => drop(locked(&undecided).insert(policy, why)),
            }
        }
    })?;
    drop(phase);
    let (covered, mut undecided) = (locked(&covered).clone(), locked(&undecided).clone());
    for policy in locked(&doubtful).iter().filter(|policy| !covered.contains(policy)) {
        let why = "an invariant that could miss it is itself not proved";
        undecided.entry(*policy).or_insert_with(|| why.to_owned());
    }
    let missed = asked.iter().copied().filter(|at| !covered.contains(at) && !undecided.contains_key(at));
    let shadowed = shadow::shadowed(subject, &missed.collect(), options, observer)?;
    // Without a single invariant nothing is missed by any, and saying so of each policy would say nothing.
    let without = subject.invariants.is_empty();
    let mut part = Part { name: "coverage", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (at, name) in asked.iter().copied().zip(names) {
        let outcome = match undecided.get(&at) {
            _ if covered.contains(&at) => Outcome::Held,
            Some(why) => Outcome::Undecided(why.clone()),
            None => Outcome::Failed,
        };
        let outcome = match shadowed.get(&at) {
            Some(Ok(finding)) if outcome == Outcome::Failed => {
                part.findings.push(finding.clone());
                outcome
            }
            Some(Err(why)) if outcome == Outcome::Failed && without => Outcome::Undecided(why.clone()),
            _ if outcome == Outcome::Failed && without => Outcome::Held,
            _ => {
                part.findings.extend((outcome == Outcome::Failed).then(|| finding(subject, at)).flatten());
                outcome
            }
        };
        part.checks.push(Check { name, outcome });
    }
    let effort = answers.effort_since(before);
    let noticed = match without {
        true => format!("no invariants; {} policies held against each other", part.checks.len()),
        false => format!("{} of {} policies are noticed when dropped", covered.len(), part.checks.len()),
    };
    part.summary = format!(
        "{noticed} ({} queries: {} folded, {} solved by cvc5 {version})",
        effort.queries, effort.folded, effort.solved
    );
    if without && !subject.bundle.is_plain() {
        let mut finding = Finding::new(
            &rules::UNCOVERED_BAN,
            "bundle",
            "there are no invariants: a policy that is dropped is missed by none",
        )
        .help("state under `invariants/` what must never be and what must stay allowed");
        finding.severity = Severity::Note;
        part.findings.push(finding);
    }
    cache.keep(&part, &answers.known());
    Ok(part)
}

/// Whether an invariant is refuted for requests of this type once the policy is gone.
fn notices(
    subject: &Subject,
    unproved: &BTreeSet<String>,
    request_type: &RequestEnv,
    policy: usize,
    bench: &mut Result<Bench<'_>, String>,
    asker: &mut Asker<'_>,
) -> Result<bool, String> {
    let bench = bench.as_mut().map_err(|why| why.clone())?;
    for claim in claims(subject, unproved, request_type, policy) {
        if !bench.holds(&claim, asker)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What would have to hold still, the likeliest to fail first.
fn claims(subject: &Subject, unproved: &BTreeSet<String>, request_type: &RequestEnv, policy: usize) -> Vec<Claim> {
    let Some(dropped) = subject.bundle.policies().get(policy) else { return Vec::new() };
    let mut sides: BTreeMap<Which, Vec<usize>> = BTreeMap::new();
    for (at, invariant) in subject.invariants.iter().enumerate() {
        if unproved.contains(&invariant.id) || !subject.can_match(&invariant.policy, request_type) {
            continue;
        }
        for asked in &invariant.asked {
            let concerned = concerns(asked, dropped);
            if concerned {
                sides.entry(judged(asked)).or_default().push(at);
            }
        }
    }
    let mut claims = Vec::new();
    for (which, invariants) in &sides {
        let bundle = Side::Bundle(which.clone(), Some(policy));
        let claim = |invariants: Vec<usize>| match dropped.policy.effect() {
            Effect::Permit => Claim::Implies(Side::Invariants(invariants), Side::Bundle(Which::Permits, Some(policy))),
            Effect::Forbid => Claim::Implies(bundle.clone(), Side::Invariants(invariants)),
        };
        let closest = subject.closest_invariants(policy, invariants);
        claims.extend(closest.into_iter().take(FIRST).map(|invariant| claim(vec![invariant])));
        if invariants.len() > 1 {
            claims.push(claim(invariants.clone()));
        }
    }
    claims
}

/// Whether a question can miss a policy that is dropped.
fn concerns(asked: &Asked, dropped: &BundlePolicy) -> bool {
    match (asked, dropped.policy.effect(), &dropped.annotations.tier) {
        (Asked::Always, Effect::Permit, _) => true,
        (Asked::NeverByBans | Asked::Never, Effect::Forbid, _) => true,
        (Asked::Need(gate), Effect::Forbid, Some(Tier::Approval(named))) => gate == named,
        _ => false,
    }
}

/// Whether an invariant that is not proved could miss the policy.
fn is_doubtful(subject: &Subject, unproved: &BTreeSet<String>, request_type: &RequestEnv, policy: usize) -> bool {
    let Some(dropped) = subject.bundle.policies().get(policy) else { return false };
    let open = subject.invariants.iter().filter(|invariant| unproved.contains(&invariant.id));
    let mut open = open.filter(|invariant| subject.can_match(&invariant.policy, request_type));
    open.any(|invariant| invariant.asked.iter().any(|asked| concerns(asked, dropped)))
}

fn finding(subject: &Subject, policy: usize) -> Option<Finding> {
    let policy = subject.bundle.policies().get(policy)?;
    let (rule, what, help) = match policy.policy.effect() {
        Effect::Forbid => (
            &rules::UNCOVERED_BAN,
            "no invariant notices when this ban is dropped",
            "state under `invariants/` what must never be: a forbid with @of(\"bans\"), or @of(\"gate\") for an approval",
        ),
        Effect::Permit => (
            &rules::UNCOVERED_PERMIT,
            "no invariant notices when this permit is dropped",
            "state under `invariants/` what must stay allowed: a permit with @of(\"shipped\")",
        ),
    };
    Some(Finding::new(rule, policy.id(), what).at(Place::new(&policy.source, policy.span.clone())).help(help))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many invariants are tried by themselves before all of them together.
const FIRST: usize = 2;
