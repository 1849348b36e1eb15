//! Running one allowed action: uses its approvals up, journals, runs exactly the declared command, journals again.

mod flag;
mod permission;
mod private;
mod program;
mod sql;
mod work;

pub use permission::{Permission, Refusal};
pub use work::{Outcome, Ready, Surroundings};

use crate::decision::Basis;
use crate::ledger::{ApprovalUsed, Consumption, Event, JournalEntry, Ledger, RunStart, RunStarted, Use};
use crate::plan::RunPlan;
use crate::problem::{Problem, Problems};
use crate::record::{Clock, FactText, FactsSummary, JudgedBy, RecordedRow, UseDecision};
use crate::time::Timestamp;

/// What became of an allowed action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Execution {
    /// The work began, and went like this.
    Ended(Outcome),
    /// Somebody else used the approval first; nothing ran.
    AlreadyConsumed(Box<Use>),
    /// The run's id began under another plan; nothing ran.
    RunOfAnotherPlan(Box<RunStart>),
}

impl Permission<'_> {
    /// Looks at the work from all sides, uses the approvals up, then does exactly that work.
    ///
    /// What was used up stays so, whatever becomes of the work; a problem with the work that can be found before is.
    pub fn run(
        &self,
        ledger: &dyn Ledger,
        clock: &dyn Fn() -> Result<Timestamp, Problem>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Execution, Problems> {
        let context = RecordedRow::new(self.action, &self.row)?.context;
        let database = Some(self.plan().target.field("database")).filter(|name| !name.is_empty());
        let ready = Ready::prepare(self.work, &work::Use { context: &context, database }, surroundings)?;
        let start = RunStart { run: self.plan().run.clone(), plan: self.plan().digest, time: self.now() };
        if let RunStarted::AlreadyStarted(earlier) = ledger.start_run(&start)?
            && earlier.plan != start.plan
        {
            return Ok(Execution::RunOfAnotherPlan(earlier));
        }
        let uses = self.uses();
        if let Consumption::AlreadyConsumed(earlier) = ledger.consume(&uses)? {
            return Ok(Execution::AlreadyConsumed(earlier));
        }
        let decision = self.decision(ledger)?;
        ledger.append(&JournalEntry {
            decision: Some(Box::new(decision)),
            ..self.entry(Event::Started, None, &uses, self.now())
        })?;
        let outcome = ready.run().unwrap_or_else(|problem| Outcome::InDoubt(problem.message));
        ledger.append(&self.entry(Event::Finished, outcome.status(), &uses, clock()?))?;
        Ok(Execution::Ended(outcome))
    }

    fn plan(&self) -> &RunPlan {
        &self.authorization.inputs().plan
    }

    fn now(&self) -> Timestamp {
        self.authorization.moment().now
    }

    /// One use of each approval that opened a gate for this row.
    fn uses(&self) -> Vec<Use> {
        if self.row.basis != Basis::Approved {
            return Vec::new();
        }
        let approvals = self.row.needs.iter().filter_map(|gate| self.authorization.approvals().for_gate(gate));
        approvals
            .filter_map(|judged| {
                Some(Use {
                    approval: judged.digest?,
                    approval_id: judged.id.clone(),
                    gate: judged.gate.clone(),
                    action: self.action.id.clone(),
                    run: self.plan().run.clone(),
                    time: self.now(),
                    principal: self.action.principal.to_string(),
                })
            })
            .collect()
    }

    fn entry(&self, event: Event, exit_status: Option<i32>, uses: &[Use], time: Timestamp) -> JournalEntry {
        JournalEntry {
            time,
            clock: Clock::System,
            run: self.plan().run.clone(),
            plan: self.plan().digest,
            action: self.action.id.clone(),
            event,
            exit_status,
            argv: self.work.argv().to_vec(),
            approvals: uses
                .iter()
                .map(|used| ApprovalUsed {
                    id: used.approval_id.clone(),
                    gate: used.gate.clone(),
                    sha256: used.approval,
                })
                .collect(),
            principal: self.action.principal.to_string(),
            decision: None,
        }
    }

    /// What the journal keeps of the decision, so that a report need not take the word of whoever ran it.
    fn decision(&self, ledger: &dyn Ledger) -> Result<UseDecision, Problem> {
        let facts = self.authorization.requests().facts();
        let journal = ledger.journal(Some(&self.plan().run))?;
        let mut decisions = journal.records.iter().filter_map(|record| record.entry.decision.as_ref());
        let is_kept = decisions.any(|earlier| earlier.facts.sha256 == facts.digest() && !earlier.texts.is_empty());
        let texts = if is_kept { &[] } else { facts.texts() };
        let text = |(name, text): &(String, String)| FactText { name: name.clone(), text: text.clone() };
        Ok(UseDecision {
            texts: texts.iter().map(text).collect(),
            policies: JudgedBy::of(self.authorization.requests().bundle()),
            facts: FactsSummary { source: facts.origin(), sha256: facts.digest() },
            row: RecordedRow::new(self.action, &self.row)?,
        })
    }
}
