//! Running one allowed action: uses its approvals up, journals, runs exactly the declared command, journals again.

mod permission;

pub use permission::{Permission, Refusal};

use crate::decision::Basis;
use crate::ledger::{ApprovalUsed, Consumption, Event, JournalEntry, Ledger, RunStart, RunStarted, Use};
use crate::plan::RunPlan;
use crate::problem::Problem;
use crate::record::{Clock, FactText, FactsSummary, JudgedBy, RecordedRow, UseDecision};
use crate::time::Timestamp;
use std::process::Command;

/// What became of an allowed action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Execution {
    /// The command ran; its exit status, or `None` where a signal ended it.
    Ended(Option<i32>),
    /// Somebody else used the approval first; nothing ran.
    AlreadyConsumed(Box<Use>),
    /// The run's id began under another plan; nothing ran.
    RunOfAnotherPlan(Box<RunStart>),
}

impl Permission<'_> {
    /// Uses the approvals up, then runs exactly the declared command.
    ///
    /// What was used up stays so, whatever becomes of the command.
    pub fn run(
        &self,
        ledger: &dyn Ledger,
        clock: &dyn Fn() -> Result<Timestamp, Problem>,
    ) -> Result<Execution, Problem> {
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
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(Problem::invalid(format!("plan action `{}` names nothing to run", self.action.id)));
        };
        let status = Command::new(program).args(arguments).status();
        // 127 is what shells say of a command that cannot be started.
        let exit = status.as_ref().map_or(Some(127), |status| status.code());
        ledger.append(&self.entry(Event::Finished, exit, &uses, clock()?))?;
        match status {
            Ok(_) => Ok(Execution::Ended(exit)),
            Err(error) => Err(Problem::failure(format!("`{program}` cannot be started: {error}"))
                .help("its approvals stay used; mend the plan and request new ones")),
        }
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
            argv: self.argv.clone(),
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
