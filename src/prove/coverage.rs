//! `review coverage`: each policy is dropped in turn; one whose absence no invariant notices is said only once.
//!
//! The prelude's are proved elsewhere, and bans on actions of `never` alone stand before one of the prelude.

use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::policy::annotations::Tier;
use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::prove::asking::{Answers, Asker};
use crate::prove::bench::Bench;
use crate::prove::cache::Cache;
use crate::prove::claim::{Claim, Side, Which};
use crate::prove::property::judged;
use crate::prove::{ProveOptions, each_request_type, solver};
use crate::subject::Subject;
use crate::subject::invariant::Asked;
use cedar_policy::{Effect, RequestEnv};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Drops each policy in turn. The invariants must hold of the whole bundle, else nothing follows from a refutation.
pub fn coverage(subject: &Subject, options: &ProveOptions, observer: &dyn Observer) -> Result<Part, Problem> {
    let version = solver::tried(&options.solver)?;
    let cache = Cache::open(options.cache.as_deref(), "coverage", subject, &version);
    let asked: Vec<usize> = (0..subject.asked()).filter(|at| !subject.repeats_never(*at)).collect();
    let id = |at: &usize| subject.bundle.policies().get(*at).map(|policy| policy.id().to_owned());
    let names: Vec<String> = asked.iter().filter_map(id).collect();
    if let Some(part) = cache.whole(&names) {
        return Ok(part);
    }
    let answers = Answers::new(cache.known());
    let covered: Mutex<BTreeSet<usize>> = Mutex::default();
    let undecided: Mutex<BTreeMap<usize, String>> = Mutex::default();
    let phase = Phase::new(observer, "coverage", subject.request_types.len());
    each_request_type(subject, &answers, options, &phase, |at, bench, asker| {
        let Some(request_type) = subject.request_types.get(at) else { return };
        for policy in subject.matching(request_type).into_iter().filter(|at| asked.contains(at)) {
            if locked(&covered).contains(&policy) {
                continue;
            }
            match notices(subject, request_type, policy, bench, asker) {
                Ok(true) => drop(locked(&covered).insert(policy)),
                Ok(false) => {}
                Err(why) => drop(locked(&undecided).insert(policy, why)),
            }
        }
    })?;
    drop(phase);
    let (covered, undecided) = (locked(&covered).clone(), locked(&undecided).clone());
    let mut part = Part { name: "coverage", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (at, name) in asked.into_iter().zip(names) {
        let outcome = match undecided.get(&at) {
            _ if covered.contains(&at) => Outcome::Held,
            Some(why) => Outcome::Undecided(why.clone()),
            None => Outcome::Failed,
        };
        if outcome == Outcome::Failed {
            part.findings.extend(finding(subject, at));
        }
        part.checks.push(Check { name, outcome });
    }
    let effort = answers.effort();
    part.summary = format!(
        "{} of {} policies are noticed when dropped ({} queries: {} folded, {} solved by cvc5 {version})",
        covered.len(),
        part.checks.len(),
        effort.queries,
        effort.folded,
        effort.solved
    );
    cache.keep(&part, &answers.known());
    Ok(part)
}

/// Whether an invariant is refuted for requests of this type once the policy is gone.
fn notices(
    subject: &Subject,
    request_type: &RequestEnv,
    policy: usize,
    bench: &mut Result<Bench<'_>, String>,
    asker: &mut Asker<'_>,
) -> Result<bool, String> {
    let bench = bench.as_mut().map_err(|why| why.clone())?;
    for claim in claims(subject, request_type, policy) {
        if !bench.holds(&claim, asker)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What would have to hold still, the likeliest to fail first.
fn claims(subject: &Subject, request_type: &RequestEnv, policy: usize) -> Vec<Claim> {
    let Some(dropped) = subject.bundle.policies().get(policy) else { return Vec::new() };
    let mut sides: BTreeMap<Which, Vec<usize>> = BTreeMap::new();
    for (at, invariant) in subject.invariants.iter().enumerate() {
        if !subject.can_match(&invariant.policy, request_type) {
            continue;
        }
        for asked in &invariant.asked {
            let concerned = match (asked, dropped.policy.effect(), &dropped.annotations.tier) {
                (Asked::Always, Effect::Permit, _) => true,
                (Asked::NeverByBans | Asked::Never, Effect::Forbid, _) => true,
                (Asked::Need(gate), Effect::Forbid, Some(Tier::Approval(named))) => gate == named,
                _ => false,
            };
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
