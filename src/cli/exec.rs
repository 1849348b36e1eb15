//! `cutter exec`: decides one action again at the moment of use, uses its approvals up, and runs what was declared.

use super::authorize::exit;
use super::common::{InputArguments, Inputs, OutputArguments, system_time};
use super::walk::{AuthorityArguments, walk};
use super::{Exit, Outcome};
use crate::config::Config;
use crate::decision::{Basis, DecisionRow, Verdict, decide_one};
use crate::files;
use crate::ledger::{Event, Journal};
use crate::plan::{IntendedAction, Mode, RunPlan, Work};
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::render;
use crate::render::lines::Tone;
use crate::request::Stage;
use crate::runtime::{self, Permission};
use crate::trust::{Claims, RunningUser, SignatureFile, Trusted, judge};
use clap::Args;
use std::ops::Range;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    authority: AuthorityArguments,
    /// The row, by its id in the plan
    #[arg(value_name = "ACTION")]
    action: String,
    /// The command; where given it must be exactly the declared one
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let inputs = self.inputs.load(None, output)?;
        let plan = &inputs.plan;
        let action = plan.named(&self.action)?;
        let argv = self.argv(action, &inputs.config)?;
        // A dry run reaches no effect, and needs nobody's word.
        if plan.mode == Mode::Live {
            self.trusted(&inputs, action)?;
        }
        let walk = walk(&inputs, &self.authority, Stage::Use)?;
        let row = decide_one(&walk.requests, action, &walk.moment)?;
        let said = |tone, message: &str| render::exec::said(action, row.basis, (tone, message), output.style());
        let Some(permission) = Permission::of(&walk.requests, action, &row, &walk.approvals, walk.moment.now) else {
            return Ok((said(Tone::Plain, &denied(&row)), exit(Verdict::of(row.basis))));
        };
        if plan.mode == Mode::DryRun {
            return Ok((said(Tone::Plain, "the plan is a dry run: nothing was run"), Exit::Authorized));
        }
        let ledger = self.authority.ledger.locate(&inputs.config)?;
        let ledger = ledger.store();
        let waits = !action.finally && !action.after.is_empty();
        let (journal, last) = match waits {
            true => ledger.journal_and_last_time(Some(&plan.run))?,
            false => (Journal::default(), ledger.last_time()?),
        };
        if let Some(last) = last.filter(|last| *last > walk.moment.now) {
            let now = walk.moment.now;
            let why = format!("refused: the clock shows {now}, before the last record of the journal at {last}");
            return Ok((said(Tone::Bad, &why), Exit::Untrusted));
        }
        let waiting = if waits { unfinished(plan, action, &ledger.name(), &journal)? } else { Vec::new() };
        if !waiting.is_empty() {
            let why = format!("blocked: it comes after {}, not finished in this run", waiting.join(", "));
            return Ok((said(Tone::Open, &why), Exit::Blocked));
        }
        let ((tone, what), exit) = outcome(&permission.run(&argv, ledger, &system_time)?);
        Ok((said(tone, &what), exit))
    }

    /// Proof that the trust root vouches for bundle, plan, author and the running user; the problems say why not.
    fn trusted(&self, inputs: &Inputs, action: &IntendedAction) -> Result<Trusted, Problems> {
        let claims = Claims {
            bundle: &inputs.bundle,
            bundle_signature: &SignatureFile::beside(self.inputs.bundle.folder())?,
            plan: &inputs.plan,
            plan_signature: &SignatureFile::beside(&self.inputs.plan)?,
            user: &RunningUser::of_this_process()?,
            acting: &[&action.principal],
        };
        judge(&self.inputs.trust.load()?, &claims, &inputs.revocations, inputs.now).coded(Code::RunUntrusted)
    }

    /// The row names an effect that says nothing to run.
    fn workless(&self, name: &str) -> Problem {
        let problem = Problem::invalid(format!("effect `{name}` in cutter.toml has no work"))
            .help("add `argv = [\"program\", \"argument\"]` to it, or give the row its own `argv`");
        match place_of(name, self.inputs.bundle.config_path()) {
            Some((source, at)) => problem.at(&source, at),
            None => problem,
        }
    }

    /// The declared command; what was typed after `--` must be the same.
    fn argv(&self, action: &IntendedAction, config: &Config) -> Result<Vec<String>, Problem> {
        let declared = action.command(config);
        if let (Some(Work::Effect(name)), true) = (&action.work, declared.is_empty()) {
            return Err(self.workless(name));
        }
        if declared.is_empty() {
            return Err(Problem::invalid(format!("plan action `{}` declares nothing to run", action.id))
                .help("give the row `argv`, or `effect` with the name of one in cutter.toml"));
        }
        if !self.command.is_empty() && self.command != declared {
            return Err(Problem::invalid(format!(
                "the command differs from what plan action `{}` declares",
                action.id
            ))
            .help("leave the command out, or write it exactly as the plan has it"));
        }
        Ok(declared)
    }
}

/// What became of a permitted action, in words.
fn outcome(outcome: &runtime::Outcome) -> ((Tone, String), Exit) {
    match outcome {
        runtime::Outcome::Ran(Some(0)) => ((Tone::Good, "done".to_owned()), Exit::Authorized),
        runtime::Outcome::Ran(status) => {
            let status = status.map_or("by a signal".to_owned(), |status| format!("with {status}"));
            let what = format!("the command ended {status}; its approvals stay used");
            ((Tone::Bad, what), Exit::Effect)
        }
        runtime::Outcome::AlreadyConsumed(used) => {
            let (id, action, time) = (&used.approval_id, &used.action, used.time);
            let what = format!("refused: approval `{id}` was used for `{action}` at {time}");
            ((Tone::Bad, what), Exit::Ready)
        }
        runtime::Outcome::RunOfAnotherPlan(start) => {
            let what = format!("refused: the run began at {} under another plan, sha256 {}", start.time, start.plan);
            ((Tone::Bad, what), Exit::Denied)
        }
    }
}

/// Where an effect stands in the configuration.
fn place_of(name: &str, path: Option<PathBuf>) -> Option<(Source, Range<usize>)> {
    let source = files::read(&path?).ok()?;
    let at = Config::place_of_effect(&source, name)?;
    Some((source, at))
}

/// The rows before this one that have not ended well in this run.
fn unfinished(
    plan: &RunPlan,
    action: &IntendedAction,
    ledger: &str,
    journal: &Journal,
) -> Result<Vec<String>, Problems> {
    if !journal.damages.is_empty() {
        let problem =
            Problem::failure(format!("the journal of {ledger} is damaged in {} places", journal.damages.len()));
        return Err(problem.help("what ran before cannot be known; a person must look at it").into());
    }
    let ended_well = |id: &str| {
        let mut ends = journal.records.iter().filter(|record| {
            record.entry.action == id && record.entry.event == Event::Finished && record.entry.plan == plan.digest
        });
        ends.next_back().is_some_and(|record| record.entry.exit_status == Some(0))
    };
    let before = action.after.iter().filter_map(|index| plan.actions.get(*index));
    Ok(before.filter(|before| !ended_well(&before.id)).map(|before| format!("`{}`", before.id)).collect())
}

fn denied(row: &DecisionRow) -> String {
    let mut parts = vec![row.reason.clone()];
    if row.basis != Basis::Approved && !row.needs.is_empty() {
        parts.push(format!("needs {}", row.needs.join(", ")));
    }
    if !row.gaps.is_empty() {
        parts.push(format!("gaps {}", row.gaps.join(", ")));
    }
    parts.extend(row.errors.iter().cloned());
    parts.join("; ")
}
