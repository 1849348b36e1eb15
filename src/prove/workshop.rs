//! Where one subject is proved: everything compiled once for all parts of a review, and the threads that share the work.

use super::ProveOptions;
use super::asking::Asker;
use super::bench::Bench;
use super::solver;
use super::stored::Stored;
use crate::problem::Problem;
use crate::progress::Phase;
use crate::subject::Subject;
use cedar_policy_symcc::CompiledSchema;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The bench of a request type, or why there is none.
pub type Made<'a> = Result<Bench<'a>, String>;

/// A subject, how it is proved, and what was compiled of it so far.
pub struct Workshop<'a> {
    /// What is proved.
    pub subject: &'a Subject,
    /// How.
    pub options: &'a ProveOptions,
    version: OnceLock<String>,
    stored: OnceLock<Stored<'a>>,
    schema: OnceLock<Result<CompiledSchema, String>>,
    benches: Vec<Mutex<Option<Made<'a>>>>,
    /// Those that wait for the next work, with the solvers that they have running.
    askers: Mutex<Vec<Asker<'a>>>,
}

impl<'a> Workshop<'a> {
    /// A workshop in which nothing is compiled yet.
    pub fn new(subject: &'a Subject, options: &'a ProveOptions) -> Self {
        Self {
            subject,
            options,
            version: OnceLock::new(),
            stored: OnceLock::new(),
            schema: OnceLock::new(),
            benches: subject.request_types.iter().map(|_| Mutex::default()).collect(),
            askers: Mutex::default(),
        }
    }

    /// The version of the solver, which is tried out before the first part that needs it.
    pub fn version(&self) -> Result<&str, Problem> {
        if let Some(known) = self.version.get() {
            return Ok(known);
        }
        let version = solver::tried(&self.options.solver)?;
        Ok(self.version.get_or_init(|| version))
    }

    /// The stored requests, read when the first of them is wanted.
    pub fn stored(&self) -> &Stored<'a> {
        let read = || Stored::new(self.subject, self.options.requests.as_ref(), self.options.keeps_requests);
        self.stored.get_or_init(read)
    }

    /// Does the work for each of these request types, by their places, on as many threads as there are jobs.
    ///
    /// Nothing is left out: what cannot be compiled is handed to `work` as the reason.
    pub fn each(
        &self,
        request_types: &[usize],
        phase: Option<&Phase<'_>>,
        work: impl Fn(usize, &mut Made<'a>, &mut Asker<'a>) + Sync,
    ) -> Result<(), Problem> {
        let schema = self.schema.get_or_init(|| {
            CompiledSchema::new(self.subject.bundle.schema().schema()).map_err(|error| error.to_string())
        });
        let schema =
            schema.as_ref().map_err(|why| Problem::invalid(format!("the schema cannot be compiled: {why}")))?;
        // What takes longest begins first, so that no thread is left with it at the end.
        let mut order = request_types.to_vec();
        order.sort_by_key(|at| Reverse(self.subject.matching_at(*at).len()));
        let jobs = self.options.jobs.get().min(order.len());
        let askers: Result<Vec<Asker<'a>>, Problem> = (0..jobs).map(|_| self.asker()).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for mut asker in askers? {
                let (next, order, work) = (&next, &order, &work);
                let worker = move || {
                    while let Some(at) = order.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                        let Some(bench) = self.benches.get(at) else { continue };
                        let mut bench = lock(bench);
                        work(at, bench.get_or_insert_with(|| Bench::new(self.subject, schema, at)), &mut asker);
                        phase.iter().for_each(|phase| phase.advance());
                    }
                    lock(&self.askers).push(asker);
                };
                let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker);
                thread.map_err(|error| Problem::failure(format!("no thread can be started: {error}")))?;
            }
            Ok(())
        })
    }

    /// Asks about each of some things one request type after the other until it is settled: in rounds, each of twice as many
    /// request types, and what a round says is put together in one order, so that every run asks the same.
    ///
    /// `work` is told what is known of the thing so far, and what it says is handed to `learn`, which says whether that settles it.
    pub fn in_rounds<K: Ord + Copy + Send + Sync, S: Sync, A: Send>(
        &self,
        mut wanted: BTreeMap<K, (Vec<usize>, S)>,
        phase: &Phase<'_>,
        work: impl Fn(K, &S, usize, &mut Made<'a>, &mut Asker<'a>) -> A + Sync,
        mut learn: impl FnMut(K, &mut S, A) -> bool,
    ) -> Result<BTreeMap<K, S>, Problem> {
        let mut settled = BTreeMap::new();
        let (mut start, mut length) = (0, 1);
        while !wanted.is_empty() {
            let mut tasks: BTreeMap<usize, Vec<K>> = BTreeMap::new();
            for (key, (request_types, _)) in &wanted {
                for at in request_types.iter().skip(start).take(length) {
                    tasks.entry(*at).or_default().push(*key);
                }
            }
            let said: Mutex<BTreeMap<(K, usize), A>> = Mutex::default();
            let request_types: Vec<usize> = tasks.keys().copied().collect();
            self.each(&request_types, None, |at, bench, asker| {
                for key in tasks.get(&at).into_iter().flatten() {
                    let Some((_, state)) = wanted.get(key) else { continue };
                    let answer = work(*key, state, at, bench, asker);
                    lock(&said).insert((*key, at), answer);
                }
            })?;
            let said = said.into_inner().unwrap_or_else(PoisonError::into_inner);
            let mut done: Vec<K> = Vec::new();
            for ((key, _), answer) in said {
                let Some((_, state)) = wanted.get_mut(&key) else { continue };
                if learn(key, state, answer) {
                    done.push(key);
                }
            }
            let over = wanted.iter().filter(|(_, (types, _))| types.len() <= start + length).map(|(key, _)| *key);
            done.extend(over.collect::<Vec<K>>());
            for key in done {
                if let Some((_, state)) = wanted.remove(&key) {
                    phase.advance();
                    settled.insert(key, state);
                }
            }
            (start, length) = (start + length, length * 2);
        }
        Ok(settled)
    }

    /// One that waits, else a new one.
    fn asker(&self) -> Result<Asker<'a>, Problem> {
        let waiting = lock(&self.askers).pop();
        waiting.map_or_else(|| Asker::new(&self.options.answers, &self.options.solver), Ok)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The compiler calls itself for each level of an expression; as deep as [`crate::cedar::depth`] lets it be, it has room here.
const STACK: usize = 64 * 1024 * 1024;
