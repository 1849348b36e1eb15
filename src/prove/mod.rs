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
pub mod stored;
pub mod workshop;

use crate::findings::{Check, Finding, Outcome, Part};
use crate::problem::{Problem, Source};
use crate::progress::{Observer, Phase};
use crate::subject::{Subject, request_type_name};
use asking::{Answers, Asker, Effort};
use bench::Bench;
use cache::Cache;
use cedar_policy_symcc::Env;
use claim::Claim;
use property::{Property, Question};
use solver::SolverOptions;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use workshop::Workshop;

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
    /// Requests that show what a solver would have to look for.
    pub requests: Option<Source>,
    /// Whether what is found is to be kept, for another file of these.
    pub keeps_requests: bool,
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
    /// Why it is not known, by the place of the request type.
    undecided: BTreeMap<usize, String>,
}

/// Proves every property of the subject; a problem is a solver that cannot be used at all.
pub fn prove(subject: &Subject, options: &ProveOptions, observer: &dyn Observer) -> Result<Part, Problem> {
    prove_in(&Workshop::new(subject, options), observer)
}

/// The same in a workshop that other parts of the review share.
pub fn prove_in(shop: &Workshop<'_>, observer: &dyn Observer) -> Result<Part, Problem> {
    let (subject, options) = (shop.subject, shop.options);
    let version = shop.version()?;
    let cache = Cache::open(options.cache.as_deref(), "prove", subject, version);
    let properties = property::all(subject);
    let names: Vec<String> = properties.iter().map(|property| property.name(subject)).collect();
    if let Some(part) = cache.whole(&names).filter(|_| !options.keeps_requests) {
        return Ok(part);
    }
    let answers = &*options.answers;
    answers.add(cache.known());
    let before = answers.effort();
    let phase = Phase::new(observer, "prove", subject.request_types.len());
    let learnt = ask_all(shop, &phase)?;
    drop(phase);
    let mut part = Part { name: "prove", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (property, name) in properties.into_iter().zip(names) {
        let (outcome, finding) = judge(subject, property, learnt.get(&property));
        part.checks.push(Check { name, outcome });
        part.findings.extend(finding);
    }
    part.summary = summary(&part.checks, subject, answers.effort_since(before), version);
    cache.keep(&part, &answers.known());
    Ok(part)
}

/// Asks every question about every request type, on as many threads as there are jobs.
fn ask_all(shop: &Workshop<'_>, phase: &Phase<'_>) -> Result<BTreeMap<Property, Learnt>, Problem> {
    let subject = shop.subject;
    let everywhere: Vec<usize> = (0..subject.request_types.len()).collect();
    let learnt: Mutex<BTreeMap<Property, Learnt>> = Mutex::default();
    shop.each(&everywhere, Some(phase), |at, bench, asker| {
        for question in property::questions(subject, at) {
            let property = question.property;
            let result = match bench {
                Ok(bench) => answer(shop, &question, bench, asker),
                Err(why) => Err(why.clone()),
            };
            locked(&learnt).entry(property).or_default().learn(subject, question, at, result);
        }
    })?;
    let mut learnt = learnt.into_inner().unwrap_or_else(PoisonError::into_inner);
    learnt.values_mut().for_each(|learnt| learnt.refuted.sort_by_key(|refutation| refutation.request_type));
    // What need be alive only once is looked for in one request type after the other.
    let mut once: BTreeMap<Property, (Vec<usize>, Learnt)> = BTreeMap::new();
    for property in property::all(subject).into_iter().filter(|property| property.is_settled_once(subject)) {
        let mut types: Vec<usize> = everywhere.iter().copied().filter(|at| property.concerns(subject, *at)).collect();
        let shows = |at: &usize| property.alive().is_some_and(|claim| shop.stored().refutes(*at, &claim));
        if let Some(shown) = types.iter().position(shows) {
            types.swap(0, shown);
        }
        once.insert(property, (types, Learnt::default()));
    }
    let found = shop.in_rounds(
        once,
        phase,
        |property, _, at, bench, asker| {
            let question = property.alive().map(|claim| Question::plain(property, claim));
            let result = match (bench, &question) {
                (Ok(bench), Some(question)) => answer(shop, question, bench, asker),
                (Err(why), _) => Err(why.clone()),
                (_, None) => Ok(None),
            };
            (at, question, result)
        },
        |_, learnt, (at, question, result)| {
            let is_found = matches!(result, Ok(Some(_)));
            question
                .into_iter()
                .zip([result])
                .for_each(|(question, result)| learnt.learn(subject, question, at, result));
            is_found
        },
    )?;
    learnt.extend(found);
    Ok(learnt)
}

impl Learnt {
    fn learn(&mut self, subject: &Subject, question: Question, at: usize, result: Answered) {
        self.asked += 1;
        match result {
            Ok(None) => {}
            Ok(Some(example)) => {
                self.refuted.push(Refutation { request_type: at, claim: question.claim, example });
            }
            Err(why) => {
                let of = subject.request_types.get(at).map(request_type_name).unwrap_or_default();
                self.undecided.insert(at, format!("{why} ({of})"));
            }
        }
    }
}

/// `None` if the claim holds, else an example where one is wanted and found; or why that is not known.
type Answered = Result<Option<Option<Example>>, String>;

fn answer(shop: &Workshop<'_>, question: &Question, bench: &mut Bench<'_>, asker: &mut Asker<'_>) -> Answered {
    if question.property.wants_a_match() {
        return Ok(bench.refutes(&question.claim, shop.stored(), asker)?.then_some(None));
    }
    for hint in &question.hints {
        // A hint that fails or cannot be asked says nothing.
        if bench.holds(hint, asker) == Ok(true) {
            return Ok(None);
        }
    }
    if bench.holds(&question.claim, asker)? {
        return Ok(None);
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

/// What follows from all that was learnt about a property.
fn judge(subject: &Subject, property: Property, learnt: Option<&Learnt>) -> (Outcome, Option<Finding>) {
    let Some(learnt) = learnt.filter(|learnt| learnt.asked > 0) else {
        // No request type is in the scope: a policy that no action reaches is dead, and so is an invariant.
        let finding = property.wants_a_match().then(|| explain::dead(subject, property));
        return (if finding.is_some() { Outcome::Failed } else { Outcome::Held }, finding);
    };
    if property.wants_a_match() {
        let alive: Vec<usize> = learnt.refuted.iter().map(|refutation| refutation.request_type).collect();
        return match learnt.undecided.values().next() {
            _ if alive.len() == learnt.asked => (Outcome::Held, None),
            _ if !alive.is_empty() && property.is_settled_once(subject) => (Outcome::Held, None),
            Some(why) if alive.is_empty() => (Outcome::Undecided(why.clone()), None),
            _ if alive.is_empty() => (Outcome::Failed, Some(explain::dead(subject, property))),
            _ => (Outcome::Held, explain::partly_dead(subject, property, &alive)),
        };
    }
    match (learnt.refuted.as_slice(), learnt.undecided.values().next()) {
        ([], None) => (Outcome::Held, None),
        ([], Some(why)) => (Outcome::Undecided(why.clone()), None),
        (refuted, _) => (Outcome::Failed, Some(explain::refuted(subject, property, refuted))),
    }
}

fn summary(checks: &[Check], subject: &Subject, effort: Effort, version: &str) -> String {
    let held = checks.iter().filter(|check| check.outcome == Outcome::Held).count();
    format!(
        "{held} of {} properties hold over {} request types ({})",
        checks.len(),
        subject.request_types.len(),
        effort.words(version)
    )
}
