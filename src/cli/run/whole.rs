//! `cutter run`: every row of a plan in its order, each decided at its own moment of use; the switches are off however it ends.

use super::drive::{Drive, Ended, OnHold, Said};
use super::moment::{Moment, UseArguments};
use super::{proposals, rehearsal};
use crate::authorization::Inputs;
use crate::cli::observe::kept::folder_name;
use crate::cli::shared::exit::{CommandResult, Exit, no_json};
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::ledger::NamedLedger;
use crate::cli::shared::output::OutputArguments;
use crate::ledger::Journal;
use crate::plan::{Mode, RunPlan};
use crate::problem::{Code, Problem, Problems};
use crate::render;
use crate::runtime::{RowRecord, RowState, RunRecord, RunState};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    told: UseArguments,
    /// Go on with a run that began before: after a pause, or after cutter was killed
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    resume: Option<Option<String>>,
    /// End a run that began for good: its last rows are done, and nothing of it begins any more
    #[arg(long, value_name = "RUN", num_args = 0..=1, requires = "reason", conflicts_with_all = ["resume", "dry_run", "until"])]
    void: Option<Option<String>>,
    /// Why the run is ended, for the journal
    #[arg(long, value_name = "TEXT", requires = "void")]
    reason: Option<String>,
    /// Decide every row and look at its work from all sides; begin nothing, and write nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// Stop after this row; the run can be resumed
    #[arg(long, value_name = "ROW")]
    until: Option<String>,
    /// How long to wait for a row that another user does
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    wait: u64,
    /// Where compensation is proposed when the run is held, a folder for each run: SQL for a person, of which nothing is run
    #[arg(long, value_name = "DIR", default_value = "compensation")]
    compensation: PathBuf,
    /// Also write each event as it comes, one JSON object a line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let moment = self.told.moment(output);
        let inputs = moment.load()?;
        let plan = &inputs.plan;
        self.check_names(plan)?;
        let typed = moment.typed();
        if self.dry_run || plan.mode == Mode::DryRun {
            let ended = rehearsal::rehearse(moment, &inputs)?;
            return self.result(plan, &ended, (Vec::new(), Vec::new()), output);
        }
        let named = self.told.ledger(&inputs.config)?;
        let ended = self.drive(moment, &named, &inputs)?;
        let (resume, void) = (
            format!("{} --resume", typed.command("run", None)),
            format!("{} --void --reason TEXT", typed.command("run", None)),
        );
        let next = match (ended.state, &ended.held) {
            (RunState::Completed | RunState::Voided, _) => vec![typed.command("attest", None)],
            (RunState::Hold, Some(OnHold::Unobserved(_))) => vec![resume, void],
            (RunState::Hold, _) => vec![void],
            (RunState::Paused, _) => vec![typed.command("approval verify", None), resume],
            (RunState::Denied | RunState::Rehearsed, _) => Vec::new(),
            _ => vec![resume],
        };
        let mut proposals = Vec::new();
        if ended.state == RunState::Hold {
            // That they cannot be written says nothing else of the run.
            let written = self.propose(&named, &inputs, output).map_err(|problems| output.warn(&problems));
            proposals = written.unwrap_or_default();
        }
        self.result(plan, &ended, (proposals, next), output)
    }

    /// Writes what could make good what was done.
    fn propose(&self, named: &NamedLedger, inputs: &Inputs, output: &OutputArguments) -> Result<Vec<String>, Problems> {
        let journal = Journal::of_run(named.store(), &inputs.plan.run)?;
        let (files, problems) =
            proposals::write(&self.compensation.join(folder_name(&inputs.plan.run)?), inputs, &journal)?;
        output.warn(&problems);
        Ok(files.iter().map(|file| file.display().to_string()).collect())
    }

    fn drive(&self, moment: Moment<'_>, named: &NamedLedger, inputs: &Inputs) -> Result<Ended, Problems> {
        let mut drive = Drive::new(moment, named.store(), inputs, self.events.as_deref(), self.wait)?;
        match (&self.void, &self.reason) {
            (Some(_), Some(reason)) => drive.void(reason),
            _ => drive.go(self.resume.is_some(), self.until.as_deref()),
        }
    }

    /// A run that is named beside its plan is the plan's.
    fn check_names(&self, plan: &RunPlan) -> Result<(), Problem> {
        if let Some(until) = &self.until {
            plan.named(until)?;
        }
        match [&self.resume, &self.void].into_iter().flatten().flatten().find(|run| **run != plan.run) {
            Some(run) => Err(Problem::invalid(format!("the plan's run is `{}`, not `{run}`", plan.run))
                .help("name the plan of that run")),
            None => Ok(()),
        }
    }

    fn result(
        &self,
        plan: &RunPlan,
        ended: &Ended,
        (proposals, next): (Vec<String>, Vec<String>),
        output: &OutputArguments,
    ) -> CommandResult {
        let row = |(index, id): (usize, &String)| {
            let (state, said) = ended.rows.get(index).cloned().unwrap_or((RowState::Open, Said::default()));
            RowRecord { id: id.clone(), state, code: said.code.map(Code::name), what: said.what }
        };
        let record = RunRecord {
            version: 1,
            state: ended.state,
            run: plan.run.clone(),
            plan: plan.name.clone(),
            held: ended.held.as_ref().map(|held| match held {
                OnHold::Differs(why) => format!("what was measured is not what was declared: {why}"),
                OnHold::Unobserved(why) => format!("what was done could not be measured: {why}"),
            }),
            rows: plan.actions.iter().map(|action| &action.id).enumerate().map(row).collect(),
            proposals,
            next,
        };
        let text = match self.format {
            TableOrJson::Table => render::run::table(&record, output.style()),
            TableOrJson::Json => render::json::document(&record).map_err(no_json)?,
        };
        Ok((text, ended.exit))
    }
}

/// How a run stands by the exit code of what stopped it.
pub(super) fn stands(exit: Exit) -> RunState {
    match exit {
        Exit::Authorized => RunState::Completed,
        Exit::Ready => RunState::Paused,
        Exit::Denied | Exit::Invalid | Exit::Usage | Exit::Refuted => RunState::Denied,
        Exit::Unmeasured | Exit::Contradicted => RunState::Indeterminate,
        Exit::Untrusted => RunState::Untrusted,
        Exit::Blocked | Exit::Failure => RunState::Blocked,
        Exit::Effect => RunState::Hold,
    }
}
