//! The table with every gate closed at one moment after the other: a row whose policies do not read the time is judged once.

use super::DecisionTable;
use super::judge::Judge;
use super::table::tabulate;
use crate::problem::Problems;
use crate::request::{Moment, Requests};

/// Closed tables over one plan and one set of facts.
pub struct Closed<'a> {
    requests: &'a Requests<'a>,
    judge: Judge<'a>,
    first: Option<Moment>,
}

impl<'a> Closed<'a> {
    /// Nothing is judged yet.
    pub fn new(requests: &'a Requests<'a>) -> Self {
        Self { requests, judge: Judge::new(requests), first: None }
    }

    /// The table at a moment at which no gate is open. The context of a row whose policies do not read the time may be of an earlier moment.
    pub fn table(&mut self, moment: &Moment) -> Result<DecisionTable, Problems> {
        let first = self.first.get_or_insert_with(|| moment.clone());
        let judge = &mut self.judge;
        tabulate(self.requests, &mut |_, action| {
            let at = if judge.reads_the_time(action) { moment } else { &*first };
            judge.row(action, at)
        })
    }
}

impl std::fmt::Debug for Closed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closed").field("first", &self.first).finish_non_exhaustive()
    }
}

/// Whether a policy may read the time: it names it, or takes `context` or `context.run` as a whole.
pub(super) fn may_read_the_time(policy: &str) -> bool {
    let whole = |name: &str| {
        policy.match_indices(name).any(|(at, _)| {
            let rest = policy.get(at + name.len()..).unwrap_or_default().trim_start();
            !(rest.starts_with('.') || rest.starts_with('[') || rest.starts_with("has "))
        })
    };
    policy.contains("now") || whole("context") || whole("context.run") || policy.contains("context[")
}

#[cfg(test)]
mod tests {
    use super::may_read_the_time;

    #[test]
    fn a_policy_that_takes_the_context_as_a_whole_may_read_the_time() {
        for text in ["context.run.now < x", "context == y", "context.run == z", "context[\"run\"].a", "f(context)"] {
            assert!(may_read_the_time(text), "{text}");
        }
        for text in ["context.run.gates.contains(x)", "context.to", "context has to", "principal in y"] {
            assert!(!may_read_the_time(text), "{text}");
        }
    }
}
