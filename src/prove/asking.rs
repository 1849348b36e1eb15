//! From assertions to answers: what folds to a constant is not asked, equal texts are asked once, known ones not at all.

use super::solver::{Answer, Solver, SolverOptions};
use crate::digest::Digest;
use crate::problem::Problem;
use cedar_policy_symcc::solver::{Decision, DecisionWithModel, SolverError};
use cedar_policy_symcc::{CedarSymCompiler, Env, ResetMode, WellFormedAsserts, err, solver};
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What is known so far, shared by all threads of one proof.
#[derive(Debug, Default)]
pub struct Answers {
    /// Whether something satisfies the text of this digest; `None` while a thread asks.
    known: Mutex<HashMap<Digest, Option<bool>>>,
    learnt: Condvar,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    asked: AtomicUsize,
    folded: AtomicUsize,
    shown: AtomicUsize,
    solved: AtomicUsize,
}

/// How much was asked, and of whom.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Effort {
    /// Questions asked of the bundle.
    pub queries: usize,
    /// Those that folded to a constant.
    pub folded: usize,
    /// Those that a stored request answers.
    pub shown: usize,
    /// Those that a solver had to answer; the rest were equal to one of these, or known from before.
    pub solved: usize,
}

impl Answers {
    /// Adds what is known from before.
    pub fn add(&self, known: HashMap<Digest, bool>) {
        self.lock().extend(known.into_iter().map(|(digest, answer)| (digest, Some(answer))));
    }

    /// Everything known at the end.
    pub fn known(&self) -> HashMap<Digest, bool> {
        self.lock().iter().filter_map(|(digest, answer)| Some((*digest, (*answer)?))).collect()
    }

    /// How much was asked so far.
    pub fn effort(&self) -> Effort {
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let Counts { asked, folded, shown, solved } = &self.counts;
        Effort { queries: read(asked), folded: read(folded), shown: read(shown), solved: read(solved) }
    }

    /// How much was asked since then.
    pub fn effort_since(&self, before: Effort) -> Effort {
        let now = self.effort();
        Effort {
            queries: now.queries - before.queries,
            folded: now.folded - before.folded,
            shown: now.shown - before.shown,
            solved: now.solved - before.solved,
        }
    }

    /// What is known; `None` if whoever calls is to ask, and to [`settle`](Self::settle) it. One text is asked by one thread.
    fn recall(&self, digest: Digest) -> Option<bool> {
        let mut known = self.lock();
        loop {
            match known.get(&digest).copied() {
                Some(Some(answer)) => return Some(answer),
                Some(None) => known = self.learnt.wait(known).unwrap_or_else(PoisonError::into_inner),
                None => {
                    known.insert(digest, None);
                    return None;
                }
            }
        }
    }

    /// What was learnt; `None` leaves it open.
    fn settle(&self, digest: Digest, satisfiable: Option<bool>) {
        match satisfiable {
            Some(_) => drop(self.lock().insert(digest, satisfiable)),
            None => drop(self.lock().remove(&digest)),
        }
        self.learnt.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Option<bool>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Effort {
    /// `1918 queries: 1055 folded, 339 solved by cvc5 1.0.3`.
    pub fn words(&self, version: &str) -> String {
        let shown = match self.shown {
            0 => String::new(),
            shown => format!("{shown} shown by stored requests, "),
        };
        format!("{} queries: {} folded, {shown}{} solved by cvc5 {version}", self.queries, self.folded, self.solved)
    }
}

/// One thread's way of asking: a symbolic compiler before a solver of its own.
#[derive(Debug)]
pub struct Asker<'a> {
    compiler: CedarSymCompiler<Recorder<'a>>,
    answers: &'a Answers,
}

impl<'a> Asker<'a> {
    /// An asker with a solver of its own, which is started at the first question that needs it.
    pub fn new(answers: &'a Answers, options: &SolverOptions) -> Result<Self, Problem> {
        let recorder =
            Recorder { script: Vec::new(), solver: Solver::new(options.clone()), answers, reached: false, why: None };
        let compiler = CedarSymCompiler::new(recorder)
            .map_err(|error| Problem::failure(format!("the symbolic compiler cannot be made: {error}")))?;
        // Each text stands alone, so that equal questions have equal texts.
        Ok(Self { compiler: compiler.with_reset_mode(ResetMode::Comment), answers })
    }

    /// Counts a question that a stored request answered.
    pub fn was_shown(&self) {
        self.answers.counts.asked.fetch_add(1, Ordering::Relaxed);
        self.answers.counts.shown.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nothing satisfies the assertions; `Err` says why it is not known.
    pub fn unsatisfiable(&mut self, asserts: &WellFormedAsserts<'_>) -> Result<bool, String> {
        self.answers.counts.asked.fetch_add(1, Ordering::Relaxed);
        self.compiler.solver_mut().begin();
        let answer = at_once(self.compiler.check_unsat(asserts));
        if !self.compiler.solver().reached {
            self.answers.counts.folded.fetch_add(1, Ordering::Relaxed);
        }
        self.settle(answer)
    }

    /// A request and entities that satisfy the assertions; `Err` says why none is known.
    pub fn example(&mut self, asserts: &WellFormedAsserts<'_>) -> Result<Option<Env>, String> {
        self.compiler.solver_mut().begin();
        let answer = at_once(self.compiler.check_sat(asserts));
        self.settle(answer)
    }

    /// The answer, or in the solver's own words why there is none.
    fn settle<T>(&mut self, answer: Option<Result<T, err::Error>>) -> Result<T, String> {
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(self.compiler.solver_mut().why.take().unwrap_or_else(|| error.to_string())),
            None => Err("the question waits for something other than the solver".to_owned()),
        }
    }
}

/// Gathers the text of one question, and asks it when it is whole.
#[derive(Debug)]
struct Recorder<'a> {
    script: Vec<u8>,
    solver: Solver,
    answers: &'a Answers,
    /// Whether the present question came this far.
    reached: bool,
    why: Option<String>,
}

impl Recorder<'_> {
    fn begin(&mut self) {
        self.script.clear();
        self.reached = false;
        self.why = None;
    }

    /// The text without comments, which hold names that do not matter to the answer.
    fn text(&mut self) -> String {
        self.reached = true;
        let text = String::from_utf8_lossy(&self.script).into_owned();
        self.script.clear();
        text.split_inclusive('\n').filter(|line| !line.starts_with("; ")).collect()
    }

    fn unknown(&mut self, why: String) -> SolverError {
        self.why = Some(why.clone());
        SolverError::Solver(why)
    }
}

impl solver::Solver for Recorder<'_> {
    fn smtlib_input(&mut self) -> &mut (dyn tokio::io::AsyncWrite + Unpin + Send) {
        &mut self.script
    }

    async fn enable_models(&mut self) -> Result<(), SolverError> {
        self.script.extend_from_slice(b"(set-option :produce-models true)\n");
        Ok(())
    }

    async fn check_sat(&mut self) -> Result<Decision, SolverError> {
        let text = self.text();
        let digest = Digest::of(text.as_bytes());
        let satisfiable = match self.answers.recall(digest) {
            Some(known) => known,
            None => {
                self.answers.counts.solved.fetch_add(1, Ordering::Relaxed);
                let answer = self.solver.decide(&text, false);
                let satisfiable = match &answer {
                    Answer::Unsat => Some(false),
                    Answer::Sat(_) => Some(true),
                    Answer::Unknown(_) => None,
                };
                self.answers.settle(digest, satisfiable);
                match answer {
                    Answer::Unknown(why) => return Err(self.unknown(why)),
                    answer => answer != Answer::Unsat,
                }
            }
        };
        Ok(if satisfiable { Decision::Sat } else { Decision::Unsat })
    }

    async fn check_sat_with_model(&mut self) -> Result<DecisionWithModel, SolverError> {
        let text = self.text();
        match self.solver.decide(&text, true) {
            Answer::Unsat => Ok(DecisionWithModel::Unsat),
            Answer::Sat(model) => Ok(DecisionWithModel::Sat { model: model.unwrap_or_default() }),
            Answer::Unknown(why) => Err(self.unknown(why)),
        }
    }
}

/// Runs a future that never waits, since all it awaits is a [`Recorder`]; `None` if it waits all the same.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}
