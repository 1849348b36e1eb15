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
use crate::prove::shadow;
use crate::prove::workshop::Workshop;
use crate::subject::Subject;
use crate::subject::invariant::Asked;
use cedar_policy::Effect;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Drops each policy in turn. The invariants must hold of the whole bundle, else nothing follows from a refutation.
#[cfg(feature = "internals")]
pub fn coverage(
    subject: &Subject,
    options: &crate::prove::ProveOptions,
    observer: &dyn Observer,
) -> Result<Part, Problem> {
    coverage_in(&Workshop::new(subject, options), &BTreeSet::new(), observer)
}

/// The same in a workshop that other parts of the review share, without the invariants that do not hold, by their ids.
pub fn coverage_in(shop: &Workshop<'_>, unproved: &BTreeSet<String>, observer: &dyn Observer) -> Result<Part, Problem> {
    let (subject, options) = (shop.subject, shop.options);
    let version = shop.version()?;
    let cache = Cache::open(options.cache.as_deref(), "coverage", subject, version);
    let asked: Vec<usize> = (0..subject.asked()).filter(|at| !subject.repeats_never(*at)).collect();
    let id = |at: &usize| subject.bundle.policies().get(*at).map(|policy| policy.id().to_owned());
    let names: Vec<String> = asked.iter().filter_map(id).collect();
    if let Some(part) = cache.whole(&names).filter(|_| unproved.is_empty() && !options.keeps_requests) {
        return Ok(part);
    }
    let answers = &*options.answers;
    answers.add(cache.known());
    let before = answers.effort();
    let phase = Phase::new(observer, "coverage", asked.len());
    let wanted = asked.iter().map(|policy| (*policy, (likeliest(shop, unproved, *policy), Seen::default())));
    let seen = shop.in_rounds(
        wanted.collect(),
        &phase,
        |policy, _, at, bench, asker| {
            let noticed = match bench {
                Ok(bench) => notices(shop, unproved, at, policy, bench, asker),
                Err(why) => Err(why.clone()),
            };
            (noticed, is_doubtful(subject, unproved, at, policy))
        },
        |_, seen, (noticed, is_doubtful)| {
            seen.is_doubtful |= is_doubtful;
            match noticed {
                Ok(noticed) => seen.is_noticed |= noticed,
                Err(why) => drop(seen.undecided.get_or_insert(why)),
            }
            seen.is_noticed
        },
    )?;
    drop(phase);
    let covered: BTreeSet<usize> = seen.iter().filter(|(_, seen)| seen.is_noticed).map(|(at, _)| *at).collect();
    let mut undecided: BTreeMap<usize, String> = BTreeMap::new();
    for (at, seen) in seen.into_iter().filter(|(_, seen)| !seen.is_noticed) {
        let doubt = || seen.is_doubtful.then(|| "an invariant that could miss it is itself not proved".to_owned());
        undecided.extend(seen.undecided.clone().or_else(doubt).map(|why| (at, why)));
    }
    let missed = asked.iter().copied().filter(|at| !covered.contains(at) && !undecided.contains_key(at));
    let shadowed = shadow::shadowed(shop, &missed.collect(), observer)?;
    // Without a single invariant nothing is missed by any, and saying so of each policy would say nothing.
    let without = subject.invariants.iter().all(|invariant| invariant.is_promise);
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
    part.summary = format!("{noticed} ({})", effort.words(version));
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

/// What was seen of a policy that was dropped, in the request types so far.
#[derive(Default)]
struct Seen {
    is_noticed: bool,
    is_doubtful: bool,
    undecided: Option<String>,
}

/// The request types that the policy can match, those first in which it is likely to be missed: where a stored request shows it, else
/// where the invariants speak most of what it speaks of.
fn likeliest(shop: &Workshop<'_>, unproved: &BTreeSet<String>, policy: usize) -> Vec<usize> {
    let subject = shop.subject;
    let types = 0..subject.request_types.len();
    let mut types: Vec<usize> = types.filter(|at| subject.matching_at(*at).contains(&policy)).collect();
    types.sort_by_cached_key(|at| {
        let invariants = concerned(subject, unproved, *at, policy).map(|(invariant, _)| invariant).collect::<Vec<_>>();
        let closest = subject.closest_invariants(policy, &invariants).first().copied();
        let likeness = closest.map_or(0, |invariant| subject.likeness_of_invariant(policy, invariant));
        (Reverse(likeness), subject.matching_at(*at).len())
    });
    let shows =
        |at: &usize| claims(subject, unproved, *at, policy).iter().any(|claim| shop.stored().refutes(*at, claim));
    if let Some(shown) = types.iter().position(shows) {
        let first = types.remove(shown);
        types.insert(0, first);
    }
    types
}

/// Whether an invariant is refuted for requests of this type once the policy is gone.
fn notices<'a>(
    shop: &Workshop<'a>,
    unproved: &BTreeSet<String>,
    request_type: usize,
    policy: usize,
    bench: &mut Bench<'a>,
    asker: &mut Asker<'a>,
) -> Result<bool, String> {
    let claims = claims(shop.subject, unproved, request_type, policy);
    // What a stored request shows costs nothing: each claim is held against them before any is asked of the solver.
    let shown = claims.iter().position(|claim| shop.stored().refutes(request_type, claim));
    for claim in shown.map_or(claims.as_slice(), |at| claims.get(at..=at).unwrap_or_default()) {
        if bench.refutes(claim, shop.stored(), asker)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The invariants that could miss the policy in requests of this type, each with the policies that it is asked of.
fn concerned<'a>(
    subject: &'a Subject,
    unproved: &'a BTreeSet<String>,
    request_type: usize,
    policy: usize,
) -> impl Iterator<Item = (usize, Which)> + 'a {
    let dropped = subject.bundle.policies().get(policy);
    dropped.into_iter().flat_map(move |dropped| {
        let invariants = subject.invariants_at(request_type).iter();
        let invariants = invariants.filter_map(|at| Some((*at, subject.invariants.get(*at)?)));
        // What the prelude promises, it keeps by itself.
        let proved =
            invariants.filter(move |(_, invariant)| !invariant.is_promise && !unproved.contains(&invariant.id));
        proved.flat_map(move |(at, invariant)| {
            let asked = invariant.asked.iter().filter(move |asked| concerns(asked, dropped));
            asked.map(move |asked| (at, judged(asked)))
        })
    })
}

/// What would have to hold still, the likeliest to fail first.
fn claims(subject: &Subject, unproved: &BTreeSet<String>, request_type: usize, policy: usize) -> Vec<Claim> {
    let Some(dropped) = subject.bundle.policies().get(policy) else { return Vec::new() };
    let mut sides: BTreeMap<Which, Vec<usize>> = BTreeMap::new();
    for (at, which) in concerned(subject, unproved, request_type, policy) {
        sides.entry(which).or_default().push(at);
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
fn is_doubtful(subject: &Subject, unproved: &BTreeSet<String>, request_type: usize, policy: usize) -> bool {
    subject.bundle.policies().get(policy).is_some_and(|dropped| {
        let invariants = subject.invariants_at(request_type).iter().filter_map(|at| subject.invariants.get(*at));
        let mut open = invariants.filter(|invariant| unproved.contains(&invariant.id));
        open.any(|invariant| invariant.asked.iter().any(|asked| concerns(asked, dropped)))
    })
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

/// How many invariants are tried by themselves before all of them together.
const FIRST: usize = 2;
