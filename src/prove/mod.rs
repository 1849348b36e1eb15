//! `review prove`: every property over every request type, by the symbolic compiler and an SMT solver, in one process.
//!
//! Proofs assume what the runtime makes sure of: every entity that a request reaches exists.

pub mod asking;
pub mod bench;
pub mod cache;
pub mod claim;
pub mod coverage;
pub mod explain;
pub mod property;
mod shadow;
pub mod solver;

use crate::findings::{Check, Finding, Outcome, Part};
use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::subject::{Subject, request_type_name};
use asking::{Answers, Asker, Effort};
use bench::Bench;
use cache::Cache;
use cedar_policy_symcc::{CompiledSchema, Env};
use claim::Claim;
use property::{Property, Question};
use solver::SolverOptions;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How to prove.
#[derive(Clone, Debug)]
pub struct ProveOptions {
    /// The solver, and how long it may think.
    pub solver: SolverOptions,
    /// How many solvers work side by side.
    pub jobs: NonZeroUsize,
    /// Where answers are kept; `None` asks everything again.
    pub cache: Option<PathBuf>,
    /// What is known so far, for all parts of one review.
    pub answers: Arc<Answers>,
}

/// A claim about one request type that was refuted, and an example where there is one.
pub struct Refutation {
    /// The place of the request type in the subject.
    pub request_type: usize,
    /// What does not hold.
    pub claim: Claim,
    /// Where it does not.
    pub example: Option<Example>,
}

/// A request and entities at which a claim does not hold.
pub struct Example {
    /// The claim, or one that says more: that the whole bundle allows what it must not.
    pub claim: Claim,
    /// Whether it says more.
    pub opening: bool,
    /// The request and entities.
    pub at: Env,
}

/// What was learnt about one property.
#[derive(Default)]
struct Learnt {
    asked: usize,
    refuted: Vec<Refutation>,
    undecided: Option<String>,
}

/// Proves every property of the subject; a problem is a solver that cannot be used at all.
pub fn prove(subject: &Subject, options: &ProveOptions, observer: &dyn Observer) -> Result<Part, Problem> {
    let version = solver::tried(&options.solver)?;
    let cache = Cache::open(options.cache.as_deref(), "prove", subject, &version);
    let properties = property::all(subject);
    let names: Vec<String> = properties.iter().map(|property| property.name(subject)).collect();
    if let Some(part) = cache.whole(&names) {
        return Ok(part);
    }
    let answers = &*options.answers;
    answers.add(cache.known());
    let before = answers.effort();
    let phase = Phase::new(observer, "prove", subject.request_types.len());
    let learnt = ask_all(subject, answers, options, &phase)?;
    drop(phase);
    let mut part = Part { name: "prove", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (property, name) in properties.into_iter().zip(names) {
        let (outcome, finding) = judge(subject, property, learnt.get(&property));
        part.checks.push(Check { name, outcome });
        part.findings.extend(finding);
    }
    part.summary = summary(&part.checks, subject, answers.effort_since(before), &version);
    cache.keep(&part, &answers.known());
    Ok(part)
}

/// Asks every question about every request type, on as many threads as there are jobs.
fn ask_all(
    subject: &Subject,
    answers: &Answers,
    options: &ProveOptions,
    phase: &Phase<'_>,
) -> Result<BTreeMap<Property, Learnt>, Problem> {
    let learnt: Mutex<BTreeMap<Property, Learnt>> = Mutex::default();
    let alive: Mutex<BTreeSet<Property>> = Mutex::default();
    each_request_type(subject, answers, options, phase, |at, bench, asker| {
        let Some(request_type) = subject.request_types.get(at) else { return };
        for question in property::questions(subject, request_type) {
            let property = question.property;
            // An invariant need be alive once only, which is settled as soon as it is known.
            let once = matches!(property, Property::InvariantAlive(_));
            if once && locked(&alive).contains(&property) {
                continue;
            }
            let result = match bench {
                Ok(bench) => answer(&question, bench, asker),
                Err(why) => Err(why.clone()),
            };
            if once && matches!(result, Ok(Some(_))) {
                locked(&alive).insert(property);
            }
            let mut learnt = locked(&learnt);
            let learnt = learnt.entry(property).or_default();
            learnt.asked += 1;
            match result {
                Ok(None) => {}
                Ok(Some(example)) => {
                    learnt.refuted.push(Refutation { request_type: at, claim: question.claim, example });
                }
                Err(why) => learnt.undecided = Some(format!("{why} ({})", request_type_name(request_type))),
            }
        }
    })?;
    let mut learnt = learnt.into_inner().unwrap_or_else(PoisonError::into_inner);
    learnt.values_mut().for_each(|learnt| learnt.refuted.sort_by_key(|refutation| refutation.request_type));
    Ok(learnt)
}

/// `None` if the claim holds, else an example where one is wanted and found.
fn answer(
    question: &Question,
    bench: &mut Bench<'_>,
    asker: &mut Asker<'_>,
) -> Result<Option<Option<Example>>, String> {
    for hint in &question.hints {
        // A hint that fails or cannot be asked says nothing.
        if bench.holds(hint, asker) == Ok(true) {
            return Ok(None);
        }
    }
    if bench.holds(&question.claim, asker)? {
        return Ok(None);
    }
    if question.property.wants_a_match() {
        return Ok(Some(None));
    }
    let mut example = |claim: &Claim, opening: bool| {
        let at = bench.example(claim, asker).ok().flatten()?;
        Some(Example { claim: claim.clone(), opening, at })
    };
    // What gets through the whole bundle says more than what gets past its bans.
    let opening = question.opening.as_ref().and_then(|claim| example(claim, true));
    Ok(Some(opening.or_else(|| example(&question.claim, false))))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the work for every request type, each on its own bench, on as many threads as there are jobs.
///
/// Nothing is left out: what cannot be compiled is handed to `work` as the reason.
pub(crate) fn each_request_type(
    subject: &Subject,
    answers: &Answers,
    options: &ProveOptions,
    phase: &Phase<'_>,
    work: impl Fn(usize, &mut Result<Bench<'_>, String>, &mut Asker<'_>) + Sync,
) -> Result<(), Problem> {
    let schema = CompiledSchema::new(subject.bundle.schema().schema())
        .map_err(|error| Problem::invalid(format!("the schema cannot be compiled: {error}")))?;
    let askers: Result<Vec<Asker<'_>>, Problem> =
        (0..options.jobs.get()).map(|_| Asker::new(answers, &options.solver)).collect();
    // What takes longest begins first, so that no thread is left with it at the end.
    let mut order: Vec<usize> = (0..subject.request_types.len()).collect();
    order.sort_by_cached_key(|at| subject.request_types.get(*at).map(|of| Reverse(subject.matching(of).len())));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for mut asker in askers? {
            let (next, order, schema, work) = (&next, &order, &schema, &work);
            let worker = move || {
                let taken = || order.get(next.fetch_add(1, Ordering::Relaxed)).copied();
                while let Some((at, request_type)) = taken().and_then(|at| Some((at, subject.request_types.get(at)?))) {
                    work(at, &mut Bench::new(subject, schema, request_type), &mut asker);
                    phase.advance();
                }
            };
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker);
            thread.map_err(|error| Problem::failure(format!("no thread can be started: {error}")))?;
        }
        Ok(())
    })
}

/// What follows from all that was learnt about a property.
fn judge(subject: &Subject, property: Property, learnt: Option<&Learnt>) -> (Outcome, Option<Finding>) {
    let Some(learnt) = learnt.filter(|learnt| learnt.asked > 0) else {
        // No request type is in the scope: a policy that no action reaches is dead, and so is an invariant.
        let finding = property.wants_a_match().then(|| explain::dead(subject, property));
        return (if finding.is_some() { Outcome::Failed } else { Outcome::Held }, finding);
    };
    if property.wants_a_match() {
        let alive: Vec<usize> = learnt.refuted.iter().map(|refutation| refutation.request_type).collect();
        return match &learnt.undecided {
            _ if alive.len() == learnt.asked => (Outcome::Held, None),
            _ if !alive.is_empty() && matches!(property, Property::InvariantAlive(_)) => (Outcome::Held, None),
            Some(why) if alive.is_empty() => (Outcome::Undecided(why.clone()), None),
            _ if alive.is_empty() => (Outcome::Failed, Some(explain::dead(subject, property))),
            _ => (Outcome::Held, explain::partly_dead(subject, property, &alive)),
        };
    }
    match (learnt.refuted.as_slice(), &learnt.undecided) {
        ([], None) => (Outcome::Held, None),
        ([], Some(why)) => (Outcome::Undecided(why.clone()), None),
        (refuted, _) => (Outcome::Failed, Some(explain::refuted(subject, property, refuted))),
    }
}

fn summary(checks: &[Check], subject: &Subject, effort: Effort, version: &str) -> String {
    let held = checks.iter().filter(|check| check.outcome == Outcome::Held).count();
    format!(
        "{held} of {} properties hold over {} request types ({} queries: {} folded, {} solved by cvc5 {version})",
        checks.len(),
        subject.request_types.len(),
        effort.queries,
        effort.folded,
        effort.solved
    )
}

/// The compiler calls itself for each level of an expression; as deep as [`crate::cedar::depth`] lets it be, it has room here.
const STACK: usize = 64 * 1024 * 1024;
