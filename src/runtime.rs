//! Running one allowed action: uses its approvals up, journals, runs exactly the declared command, journals again.

use crate::approval::Approvals;
use crate::decision::{Basis, DecisionRow};
use crate::document::{Clock, FactsSummary, Hashed, Row, UseDecision};
use crate::ledger::{ApprovalUsed, Consumption, Event, JournalEntry, Ledger, RunStart, RunStarted, Use};
use crate::plan::{IntendedAction, RunPlan};
use crate::problem::Problem;
use crate::request::Requests;
use crate::time::Timestamp;
use std::process::Command;

/// An action that was decided at the moment of use, and allowed.
///
/// INVARIANT: the row is allowed; [`Permission::of`] is the only way to make one.
#[derive(Clone, Copy, Debug)]
pub struct Permission<'a> {
    requests: &'a Requests<'a>,
    plan: &'a RunPlan,
    action: &'a IntendedAction,
    row: &'a DecisionRow,
    approvals: &'a Approvals,
    now: Timestamp,
}

/// What became of an allowed action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The command ran; its exit status, or `None` where a signal ended it.
    Ran(Option<i32>),
    /// Somebody else used the approval first; nothing ran.
    AlreadyConsumed(Box<Use>),
    /// The run's id began under another plan; nothing ran.
    RunOfAnotherPlan(Box<RunStart>),
}

impl<'a> Permission<'a> {
    /// A permission, if the row allows.
    pub fn of(
        requests: &'a Requests<'a>,
        action: &'a IntendedAction,
        row: &'a DecisionRow,
        approvals: &'a Approvals,
        now: Timestamp,
    ) -> Option<Self> {
        row.basis.allows().then_some(Self { requests, plan: requests.plan(), action, row, approvals, now })
    }

    /// Uses the approvals up, then runs exactly this command.
    ///
    /// What was used up stays so, whatever becomes of the command.
    pub fn run(
        &self,
        argv: &[String],
        ledger: &dyn Ledger,
        clock: &dyn Fn() -> Result<Timestamp, Problem>,
    ) -> Result<Outcome, Problem> {
        let start = RunStart { run: self.plan.run.clone(), plan: self.plan.digest, time: self.now };
        if let RunStarted::AlreadyStarted(earlier) = ledger.start_run(&start)?
            && earlier.plan != start.plan
        {
            return Ok(Outcome::RunOfAnotherPlan(earlier));
        }
        let uses = self.uses();
        if let Consumption::AlreadyConsumed(earlier) = ledger.consume(&uses)? {
            return Ok(Outcome::AlreadyConsumed(earlier));
        }
        let decision = self.decision()?;
        ledger.append(&JournalEntry {
            decision: Some(Box::new(decision)),
            ..self.entry(Event::Started, None, argv, &uses, self.now)
        })?;
        let Some((program, arguments)) = argv.split_first() else {
            return Err(Problem::invalid(format!("plan action `{}` names nothing to run", self.action.id)));
        };
        let status = Command::new(program).args(arguments).status();
        // 127 is what shells say of a command that cannot be started.
        let exit = status.as_ref().map_or(Some(127), |status| status.code());
        ledger.append(&self.entry(Event::Finished, exit, argv, &uses, clock()?))?;
        match status {
            Ok(_) => Ok(Outcome::Ran(exit)),
            Err(error) => Err(Problem::failure(format!("`{program}` cannot be started: {error}"))
                .help("its approvals stay used; mend the plan and request new ones")),
        }
    }

    /// One use of each approval that opened a gate for this row.
    fn uses(&self) -> Vec<Use> {
        if self.row.basis != Basis::Approved {
            return Vec::new();
        }
        let approvals = self.row.needs.iter().filter_map(|gate| self.approvals.for_gate(gate));
        approvals
            .filter_map(|judged| {
                Some(Use {
                    approval: judged.digest?,
                    approval_id: judged.id.clone(),
                    gate: judged.gate.clone(),
                    action: self.action.id.clone(),
                    run: self.plan.run.clone(),
                    time: self.now,
                    principal: self.action.principal.to_string(),
                })
            })
            .collect()
    }

    fn entry(
        &self,
        event: Event,
        exit_status: Option<i32>,
        argv: &[String],
        uses: &[Use],
        time: Timestamp,
    ) -> JournalEntry {
        JournalEntry {
            time,
            clock: Clock::System,
            run: self.plan.run.clone(),
            plan: self.plan.digest,
            action: self.action.id.clone(),
            event,
            exit_status,
            argv: argv.to_vec(),
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
    fn decision(&self) -> Result<UseDecision, Problem> {
        let facts = self.requests.facts();
        Ok(UseDecision {
            policies: Hashed { sha256: self.requests.bundle().digest().to_string() },
            facts: FactsSummary { source: facts.origin().to_owned(), sha256: facts.digest().to_string() },
            row: Row::new(self.action, self.row)?,
        })
    }
}
