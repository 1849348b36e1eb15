//! The contexts of a plan's requests: `context.run` made and checked once for each state, not once for each request.

use crate::plan::IntendedAction;
use crate::problem::Problem;
use crate::request::{Requests, RunRecord, RunState};
use cedar_policy::Context;
use std::collections::HashMap;

/// Contexts that conform to the schema.
///
/// INVARIANT: every record here was checked with the whole request of the first row that needed it. The type of
/// `context.run` is the same for all actions (`RunSchema::parse` refuses others), and a record conforms when each of its
/// attributes does: so it conforms beside the parameters of any other row, where these conform by themselves.
pub(super) struct Contexts<'a> {
    requests: &'a Requests<'a>,
    runs: HashMap<RunState, RunRecord>,
}

impl<'a> Contexts<'a> {
    pub(super) fn new(requests: &'a Requests<'a>) -> Self {
        Self { requests, runs: HashMap::new() }
    }

    /// The context of a row whose parameters conform, in a state.
    pub(super) fn of(&mut self, action: &IntendedAction, state: &RunState) -> Result<Context, Problem> {
        if let Some(run) = self.runs.get(state) {
            return self.requests.context(action, run);
        }
        let run = self.requests.run(state)?;
        let context = self.requests.context(action, &run)?;
        self.requests.request(action, context.clone())?;
        self.runs.insert(state.clone(), run);
        Ok(context)
    }

    /// The context of a row that was not looked at before: the problem says how it does not conform.
    pub(super) fn of_new(&mut self, action: &IntendedAction, state: &RunState) -> Result<Context, Problem> {
        let context = self.of(action, state)?;
        if !self.requests.conforms(action) {
            self.requests.request(action, context.clone())?;
        }
        Ok(context)
    }
}
