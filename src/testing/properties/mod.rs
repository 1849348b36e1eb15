//! Properties: what must hold of every request, tried near requests that the solver found, and on walks away from them.

mod build;
mod conditions;
mod gaps;
mod kept;
mod lab;
mod places;
mod seeds;
mod tame;

pub(crate) use kept::{Property, Verdict, all};
pub(crate) use lab::{Lab, Seen, World};
pub use seeds::Beginning;
use seeds::Open;
pub(crate) use seeds::{Near, Seed, Witnesses, seeds};

use crate::problem::Problem;
use crate::progress::{Observer, Phase};
use crate::prove::ProveOptions;
use crate::subject::counterexample::{Case, Counterexample};
use crate::subject::essentials::essentials;
use crate::subject::shrink::shrink;
use crate::subject::{Subject, request_type_name};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What became of the properties of a bundle.
#[derive(Clone, Debug, Serialize)]
pub struct PropertyReport {
    /// The version of this form, 1.
    pub version: u32,
    /// The number that the walks were made from: the same gives the same.
    pub seed: u64,
    /// How many requests the solver found to begin with.
    pub witnesses: usize,
    /// How many requests were looked at.
    pub requests: usize,
    /// Each property, in the order of the files, those of any bundle last.
    pub properties: Vec<PropertyResult>,
    /// What the solver was asked for in vain.
    pub unanswered: Vec<Unanswered>,
}

/// A policy or an invariant that the solver did not give a request for.
#[derive(Clone, Debug, Serialize)]
pub struct Unanswered {
    /// The id of the policy or invariant.
    pub about: String,
    /// The request types in which one was asked for.
    pub request_types: Vec<String>,
    /// Why it is not known whether there is one.
    pub why: String,
}

/// What became of one property.
#[derive(Clone, Debug, Serialize)]
pub struct PropertyResult {
    /// `never of bans: no-hard-delete`.
    pub name: String,
    /// What became of it.
    pub outcome: PropertyOutcome,
    /// How many requests it was about.
    pub reached: usize,
    /// A request at which it does not hold, made small.
    pub found: Option<Found>,
}

/// What became of a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyOutcome {
    /// It holds of every request that it was about.
    Held,
    /// It does not hold of one.
    Failed,
    /// No request that it is about was reached, so that it says nothing.
    Starved,
    /// It holds of every request that it was about, and there may be others: the solver left open what it was asked.
    Unmeasured,
}

/// A request at which a property does not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// As `cutter test` and `cedar run-tests` take it.
    pub case: Value,
    /// `Agent::"a" publish Page::"p"`.
    pub request: String,
    /// What the whole bundle decides.
    pub decision: &'static str,
    /// The policies that decide, sorted.
    pub policies: Vec<String>,
    /// The policies that err, and are skipped, sorted.
    pub failing_to_evaluate: Vec<String>,
    /// The facts that matter.
    pub essentials: Vec<String>,
}

impl PropertyReport {
    /// How many properties came out like this.
    pub fn count(&self, outcome: PropertyOutcome) -> usize {
        self.properties.iter().filter(|property| property.outcome == outcome).count()
    }
}

/// How requests are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The number that walks are made from.
    pub seed: u64,
    /// How many walks.
    pub cases: usize,
}

/// Tries every property.
pub fn run(
    beginning: &Beginning,
    search: Search,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<PropertyReport, Problem> {
    let Beginning { subject, witnesses: Witnesses { seeds, open } } = beginning;
    let lab = Lab::new(subject, seeds);
    let properties = all(subject);
    let walks = Lab::walks(if seeds.is_empty() { 0 } else { search.cases }, search.seed);
    let mut firsts: BTreeMap<Near, usize> = BTreeMap::new();
    for (at, seed) in seeds.iter().enumerate().filter(|(_, seed)| seed.decisive) {
        firsts.entry(seed.near).or_insert(at);
    }
    let jobs = seeds.len() + walks.len();
    let phase = Phase::new(observer, "properties", jobs);
    let (next, requests) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let learnt: Mutex<BTreeMap<Property, Learnt>> = Mutex::default();
    let work = || {
        let mut own: BTreeMap<Property, Learnt> = BTreeMap::new();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let mut step = 0;
            let mut see = |world: &World| {
                requests.fetch_add(1, Ordering::Relaxed);
                let seen = lab.look(world);
                for property in properties.iter().filter(|property| step == 0 || !property.is_of_seeds()) {
                    let learnt = own.entry(*property).or_default();
                    if learnt.failed.as_ref().is_some_and(|failed| failed.opening) {
                        continue;
                    }
                    let verdict = property.judge(&lab, world, &seen);
                    learnt.reached += usize::from(verdict != Verdict::NotReached);
                    if verdict == Verdict::Fails {
                        let opening = seen.allows(subject);
                        learnt.keep(Failed { opening, at: (job, step), case: world.case.clone() });
                    }
                }
                step += 1;
            };
            match (seeds.get(job), job.checked_sub(seeds.len()).and_then(|at| walks.get(at))) {
                (Some(seed), _) => lab.neighbours(seed, firsts.get(&seed.near) == Some(&job), &mut see),
                (None, Some(walk)) => lab.walk(seeds, walk, &mut see),
                (None, None) => break,
            }
            phase.advance();
        }
        let mut learnt = learnt.lock().unwrap_or_else(PoisonError::into_inner);
        for (property, own) in own {
            learnt.entry(property).or_default().join(own);
        }
    };
    on_threads(options.jobs.get(), &work)?;
    drop(phase);
    let mut learnt = learnt.into_inner().unwrap_or_else(PoisonError::into_inner);
    let result = |property: Property| {
        let (reached, found) = match property {
            Property::GapCloses(ban) => gaps::closes(&lab, seeds, ban),
            _ => {
                let Learnt { reached, failed } = learnt.remove(&property).unwrap_or_default();
                (reached, failed.map(|failed| found(&lab, property, failed.case)))
            }
        };
        let is_open = open.iter().any(|open| property.concerns(subject, open.near, open.kind));
        let outcome = match (&found, reached) {
            // What was not found may be where the solver did not answer.
            (Some(_), _) if property.is_of_some() && is_open => PropertyOutcome::Unmeasured,
            (Some(_), _) => PropertyOutcome::Failed,
            (None, 0) => PropertyOutcome::Starved,
            _ if is_open && !property.is_of_some() => PropertyOutcome::Unmeasured,
            (None, _) => PropertyOutcome::Held,
        };
        PropertyResult { name: property.name(subject), outcome, reached, found }
    };
    let properties = properties.iter().copied().map(result).collect();
    let requests = requests.into_inner();
    let unanswered = unanswered(subject, open);
    Ok(PropertyReport { version: 1, seed: search.seed, witnesses: seeds.len(), requests, properties, unanswered })
}

/// What was left open, one for each policy or invariant and reason.
pub(crate) fn unanswered(subject: &Subject, open: &[Open]) -> Vec<Unanswered> {
    let mut all: Vec<Unanswered> = Vec::new();
    for Open { near, why, kind } in open {
        let about = near.id(subject);
        let request_type = subject.request_types.get(*kind).map(request_type_name).unwrap_or_default();
        match all.iter_mut().find(|known| known.about == about && known.why == *why) {
            Some(known) => known.request_types.push(request_type),
            None => {
                all.push(Unanswered { about: about.to_owned(), request_types: vec![request_type], why: why.clone() })
            }
        }
    }
    all
}

/// Does the same work on so many threads.
pub(crate) fn on_threads(jobs: usize, work: &(dyn Fn() + Sync)) -> Result<(), Problem> {
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            thread.map_err(|error| Problem::failure(format!("no thread can be started: {error}")))?;
        }
        Ok(())
    })
}

/// Whether a property of this name holds of one request; `None` where the bundle has no such property.
pub(crate) fn holds(subject: &Subject, name: &str, case: Case) -> Option<bool> {
    let property = all(subject).into_iter().find(|property| property.name(subject) == name)?;
    let lab = Lab::new(subject, &[]);
    let world = lab.kind_of(&case).and_then(|kind| lab.world(kind, case, None));
    // What is not a valid request for the schema any more is none that the property is about.
    Some(world.is_none_or(|world| property.judge(&lab, &world, &lab.look(&world)) != Verdict::Fails))
}

/// Whether an invariant fails by what matches, whatever the request is.
pub(crate) fn invariants_fail(subject: &Subject, seen: &Seen) -> bool {
    let at_all = |at: &usize| subject.invariants.get(*at).map_or(0, |invariant| invariant.asked.len());
    seen.invariants.iter().any(|at| (0..at_all(at)).any(|n| kept::invariant(subject, seen, *at, n) == Verdict::Fails))
}

/// What was learnt of one property so far.
#[derive(Default)]
struct Learnt {
    reached: usize,
    failed: Option<Failed>,
}

struct Failed {
    /// Whether the whole bundle allows it, which says more.
    opening: bool,
    at: (usize, usize),
    case: Case,
}

impl Learnt {
    fn keep(&mut self, failed: Failed) {
        let rank = |failed: &Failed| (!failed.opening, failed.at);
        if self.failed.as_ref().is_none_or(|known| rank(&failed) < rank(known)) {
            self.failed = Some(failed);
        }
    }

    fn join(&mut self, other: Self) {
        self.reached += other.reached;
        if let Some(failed) = other.failed {
            self.keep(failed);
        }
    }
}

/// A request at which a property fails, made small.
fn found(lab: &Lab<'_>, property: Property, case: Case) -> Found {
    let subject = lab.subject;
    let kind = lab.kind_of(&case);
    let verdict = |case: &Case| {
        let world = lab.world(kind?, case.clone(), None)?;
        let seen = lab.look(&world);
        Some((property.judge(lab, &world, &seen), seen.allows(subject)))
    };
    // What the bundle decides must stay what it is: a hole stays one.
    let opening = verdict(&case).is_some_and(|(_, allows)| allows);
    let fails = |case: &Case| verdict(case) == Some((Verdict::Fails, opening));
    let small = shrink(case.clone(), subject, &fails);
    let small = if fails(&small) { small } else { case };
    let matters = |case: &Case| verdict(case).map(|found| found == (Verdict::Fails, opening));
    let essentials = essentials(&small, subject, &matters);
    let errors = kind.and_then(|kind| lab.world(kind, small.clone(), None)).map(|world| lab.look(&world).errors);
    let ids = errors.iter().flatten().filter_map(|at| Some(subject.bundle.policies().get(*at)?.id().to_owned()));
    let mut failing_to_evaluate: Vec<String> = ids.collect();
    failing_to_evaluate.sort();
    let expected = property.expected(subject);
    let shown = small.into_counterexample(subject, expected.unwrap_or_default(), essentials);
    let name = property.name(subject);
    match shown {
        Some(shown) => Found {
            case: test_case(&shown, &name, expected),
            request: shown.request_line(),
            decision: shown.decision,
            policies: shown.policies,
            failing_to_evaluate,
            essentials: shown.essentials,
        },
        None => Found {
            case: Value::Null,
            request: String::new(),
            decision: "deny",
            policies: Vec::new(),
            failing_to_evaluate,
            essentials: Vec::new(),
        },
    }
}

/// As `cutter test` takes it, and where a decision follows as `cedar run-tests` takes it.
fn test_case(shown: &Counterexample, property: &str, expected: Option<&str>) -> Value {
    let mut case = json!({
        "name": property, "property": property, "request": shown.request, "entities": shown.entities,
    });
    if let (Some(case), Some(expected)) = (case.as_object_mut(), expected) {
        case.insert("decision".to_owned(), json!(expected));
        case.insert("reason".to_owned(), json!([]));
        case.insert("num_errors".to_owned(), json!(0));
    }
    json!([case])
}

/// Policies call themselves for each level of an expression.
const STACK: usize = 16 * 1024 * 1024;
