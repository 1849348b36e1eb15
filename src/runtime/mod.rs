//! Running one allowed action: one record begins it and uses its approvals up, then exactly the declared command runs, then its end
//! is written down.

mod answer;
mod backup;
mod course;
mod doubt;
mod flag;
mod judged;
mod off;
mod output;
mod permission;
mod private;
mod program;
mod row;
mod session;
mod sql;
mod told;
mod watcher;
mod work;

pub use backup::{SelfTest, self_test};
pub use course::Course;
pub use doubt::{Fate, fate};
pub use off::SwitchOff;
pub use permission::{Permission, Refusal};
pub use program::{told_to_stop, told_within};
pub use session::{SESSION, Who, compare};
pub use told::{Event, EventKind, RowRecord, RowState, RunRecord, RunState};
pub use watcher::{NAME as WATCHER, watch};
pub use work::{Outcome, Ready, Surroundings, Use};

use crate::decision::Basis;
use crate::ledger::{ApprovalUsed, Begun, Conflict, Finished, Held, SeenBundle, Started};
use crate::plan::RunPlan;
use crate::problem::{Problem, Problems};
use crate::record::{FactText, FactsSummary, JudgedBy, RecordedRow, UseDecision};
use crate::time::Timestamp;
use judged::Judged;
use serde::Deserialize as _;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What became of an allowed action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Execution {
    /// The work began, and went like this.
    Ended(Outcome),
    /// The ledger let it not begin; nothing ran, and nothing was used up.
    NotBegun(Box<Conflict>),
    /// So much time passed between the decision and the start that it no longer holds; nothing ran.
    TooLate {
        /// How much.
        took: Duration,
        /// Whether the approvals were used up by then; else it may be decided again.
        used: bool,
    },
}

impl Permission<'_> {
    /// Looks at the work from all sides, begins in the ledger, where the approvals are used up, then does exactly that work.
    ///
    /// What was used up stays so, whatever becomes of the work. A problem that the work itself has is found before. Nothing at all is done
    /// where more than one of so many `parts` of the time between decision and start is over by now. The run's place is `held` until the
    /// end is written down.
    pub fn run(
        &self,
        held: &mut dyn Held,
        (since, parts): (Instant, u32),
        clock: &dyn Fn() -> Result<Timestamp, Problem>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Execution, Problems> {
        if let Some(took) = self.too_late(since, clock, parts)? {
            return Ok(Execution::TooLate { took, used: false });
        }
        let recorded = RecordedRow::new(self.action, &self.row)?;
        let database = self.plan().database();
        let mut judged = Judged::open(self, surroundings.facts)?;
        let ready = Ready::prepare(self.work, &Use { context: &recorded.context, database }, surroundings)?;
        let started = match held.begin(&self.started(recorded, ready.transaction())?)? {
            Begun::Begun(number) => number,
            Begun::Not(conflict) => return Ok(Execution::NotBegun(conflict)),
        };
        let end = |exit_status, note, produced, output| Finished {
            run: self.plan().run.clone(),
            action: self.action.id.clone(),
            started,
            exit_status,
            note,
            produced,
            output,
        };
        // Writing may have blocked, and the process may have been stopped: what was decided holds for a moment only.
        if let Some(took) = self.too_late(since, clock, 1)? {
            let why = format!("never ran: {} ms had passed since it was decided", took.as_millis());
            held.finish(&end(None, Some(why), BTreeMap::new(), None))?;
            return Ok(Execution::TooLate { took, used: true });
        }
        let mut first = Some(());
        let mut as_judged = || {
            judged.as_mut().map_or(Ok(()), Judged::look)?;
            // So does asking once more; how long the statement itself takes is its own affair.
            let late = first.take().map_or(Ok(None), |()| self.too_late(since, clock, 1))?;
            let passed = |took: Duration| format!("{} ms passed since it was decided", took.as_millis());
            late.map_or(Ok(()), |took| Err(Problem::failure(passed(took))))
        };
        let (outcome, output) =
            ready.run(&mut as_judged).unwrap_or_else(|problem| (Outcome::InDoubt(problem.message), None));
        held.finish(&end(outcome.status(), outcome.note(), outcome.produced(), output))?;
        Ok(Execution::Ended(outcome))
    }

    /// How much time passed since it was decided, where that is more than one of so many parts of what may pass.
    fn too_late(
        &self,
        since: Instant,
        clock: &dyn Fn() -> Result<Timestamp, Problem>,
        parts: u32,
    ) -> Result<Option<Duration>, Problem> {
        let by_clock = clock()?.milliseconds().saturating_sub(self.now().milliseconds());
        let took = since.elapsed().max(Duration::from_millis(by_clock.try_into().unwrap_or(0)));
        Ok(Some(took).filter(|took| *took > self.authorization.inputs().config.ledger.start_within() / parts))
    }

    fn plan(&self) -> &RunPlan {
        &self.authorization.inputs().plan
    }

    fn now(&self) -> Timestamp {
        self.authorization.moment().now
    }

    /// The record that begins it, with one use of each approval that opened a gate for this row.
    fn started(&self, recorded: RecordedRow, transaction: Option<&str>) -> Result<Started, Problem> {
        let inputs = self.authorization.inputs();
        let is_approved = self.row.basis == Basis::Approved;
        let gates = self.row.needs.iter().filter(|_| is_approved);
        let approvals = gates.filter_map(|gate| self.authorization.approvals().for_gate(gate)).filter_map(|judged| {
            Some(ApprovalUsed { id: judged.id.clone(), gate: judged.gate.clone(), sha256: judged.digest? })
        });
        let decision = serde_json::to_value(self.decision(recorded))
            .map_err(|error| Problem::failure(format!("the decision has no JSON form: {error}")))?;
        Ok(Started {
            run: self.plan().run.clone(),
            plan: self.plan().digest,
            action: self.action.id.clone(),
            principal: self.action.principal.to_string(),
            argv: self.work.argv().to_vec(),
            transaction: transaction.map(str::to_owned),
            approvals: approvals.collect(),
            decided_at: self.now(),
            bundle: SeenBundle { version: inputs.config.version, sha256: inputs.bundle.digest() },
            repeatable: self.work.repeatable,
            decision,
        })
    }

    /// What the journal keeps of the decision, so that a report need not take the word of whoever ran it.
    fn decision(&self, row: RecordedRow) -> UseDecision {
        let facts = self.authorization.requests().facts();
        let run = &self.plan().run;
        let of_run = self.authorization.journal().starts().filter(|(_, started)| started.run == *run);
        let mut decisions = of_run.filter_map(|(_, started)| UseDecision::deserialize(&started.decision).ok());
        let is_kept = decisions.any(|earlier| earlier.facts.sha256 == facts.digest() && !earlier.texts.is_empty());
        let texts = if is_kept { &[] } else { facts.texts() };
        let text = |(name, text): &(String, String)| FactText { name: name.clone(), text: text.clone() };
        UseDecision {
            texts: texts.iter().map(text).collect(),
            policies: JudgedBy::of(self.authorization.requests().bundle()),
            facts: FactsSummary { source: facts.origin(), sha256: facts.digest() },
            row,
        }
    }
}
