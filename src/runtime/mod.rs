//! Running one allowed action: one record begins it and uses its approvals up, then exactly the declared command runs, then its end
//! is written down.

mod permission;

pub use permission::{Permission, Refusal};

use crate::decision::Basis;
use crate::ledger::{ApprovalUsed, Begun, Conflict, Finished, Held, SeenBundle, Started};
use crate::plan::{RunPlan, Work};
use crate::problem::Problem;
use crate::record::{FactText, FactsSummary, JudgedBy, RecordedRow, UseDecision};
use crate::time::Timestamp;
use serde::Deserialize as _;
use std::process::Command;
use std::time::{Duration, Instant};

/// What became of an allowed action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Execution {
    /// The command ran; its exit status, or `None` where a signal ended it.
    Ended(Option<i32>),
    /// The ledger let it not begin; nothing ran, and nothing was used up.
    NotBegun(Box<Conflict>),
    /// So much time passed between the decision and the start that it no longer holds; nothing ran.
    TooLate(Duration),
}

impl Permission<'_> {
    /// Begins in the ledger, where the approvals are used up, then runs exactly the declared command.
    ///
    /// What was used up stays so, whatever becomes of the command. The run's place is `held` until the end is written down.
    pub fn run(
        &self,
        held: &mut dyn Held,
        since: Instant,
        clock: &dyn Fn() -> Result<Timestamp, Problem>,
    ) -> Result<Execution, Problem> {
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(Problem::invalid(format!("plan action `{}` names nothing to run", self.action.id)));
        };
        let started = match held.begin(&self.started()?)? {
            Begun::Begun(number) => number,
            Begun::Not(conflict) => return Ok(Execution::NotBegun(conflict)),
        };
        let end = |exit_status, note| Finished {
            run: self.plan().run.clone(),
            action: self.action.id.clone(),
            started,
            exit_status,
            note,
        };
        // Writing may have blocked, and the process may have been stopped: what was decided holds for a moment only.
        let by_clock = clock()?.milliseconds().saturating_sub(self.now().milliseconds());
        let took = since.elapsed().max(Duration::from_millis(by_clock.try_into().unwrap_or(0)));
        if took > self.authorization.inputs().config.ledger.start_within() {
            held.finish(&end(
                None,
                Some(format!("never ran: {} ms had passed since it was decided", took.as_millis())),
            ))?;
            return Ok(Execution::TooLate(took));
        }
        let status = Command::new(program).args(arguments).status();
        // 127 is what shells say of a command that cannot be started.
        let exit = status.as_ref().map_or(Some(127), |status| status.code());
        held.finish(&end(exit, None))?;
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

    /// The record that begins it, with one use of each approval that opened a gate for this row.
    fn started(&self) -> Result<Started, Problem> {
        let inputs = self.authorization.inputs();
        let is_approved = self.row.basis == Basis::Approved;
        let gates = self.row.needs.iter().filter(|_| is_approved);
        let approvals = gates.filter_map(|gate| self.authorization.approvals().for_gate(gate)).filter_map(|judged| {
            Some(ApprovalUsed { id: judged.id.clone(), gate: judged.gate.clone(), sha256: judged.digest? })
        });
        let repeatable = match &self.action.work {
            Some(Work::Effect(name)) => inputs.config.effects.get(name).is_some_and(|effect| effect.repeatable),
            _ => false,
        };
        let decision = serde_json::to_value(self.decision()?)
            .map_err(|error| Problem::failure(format!("the decision has no JSON form: {error}")))?;
        Ok(Started {
            run: self.plan().run.clone(),
            plan: self.plan().digest,
            action: self.action.id.clone(),
            principal: self.action.principal.to_string(),
            argv: self.argv.clone(),
            approvals: approvals.collect(),
            decided_at: self.now(),
            bundle: SeenBundle { version: inputs.config.version, sha256: inputs.bundle.digest() },
            repeatable,
            decision,
        })
    }

    /// What the journal keeps of the decision, so that a report need not take the word of whoever ran it.
    fn decision(&self) -> Result<UseDecision, Problem> {
        let facts = self.authorization.requests().facts();
        let run = &self.plan().run;
        let of_run = self.authorization.journal().starts().filter(|(_, started)| started.run == *run);
        let mut decisions = of_run.filter_map(|(_, started)| UseDecision::deserialize(&started.decision).ok());
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
