//! `cutter exec`: decides one action again at the moment of use, uses its approvals up, and runs what was declared.

use super::authorize::exit;
use crate::authorization::Inputs;
use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::evidence::{grants, targets};
use crate::cli::shared::clock::system_time;
use crate::cli::shared::connection::role_access;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::output::OutputArguments;
use crate::decision::{Basis, DecisionRow, Verdict};
use crate::json::in_backticks;
use crate::layout::lines::Tone;
use crate::plan::{IntendedAction, Mode};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::render;
use crate::request::Stage;
use crate::runtime::{Execution, Outcome, Permission, Refusal, Surroundings};
use crate::settings::effects::Builtin;
use crate::trust::{Claims, RunningUser, SignatureFile, Trusted, judge};
use clap::Args;
use std::path::Path;

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
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let inputs = self.inputs.load(None, output)?;
        let plan = &inputs.plan;
        let action = plan.named(&self.action)?;
        self.check_command(action)?;
        // A dry run reaches no effect, and needs nobody's word.
        let trusted = match plan.mode {
            Mode::Live => Some(self.trusted(&inputs, action)?),
            Mode::DryRun => None,
        };
        let authorization = self.authority.authorize(&inputs, Stage::Use)?;
        let row = authorization.row(action)?;
        let said = |tone, message: &str| render::exec::said(action, row.basis, (tone, message), output.style());
        if !row.basis.allows() {
            return Ok((said(Tone::Plain, &denied(&row)), exit(Verdict::of(row.basis))));
        }
        let Some(trusted) = trusted else {
            let ((tone, what), exit) = refused(&Refusal::DryRun);
            return Ok((said(tone, &what), exit));
        };
        let ledger = self.authority.ledger.locate(&inputs.config)?;
        let ((tone, what), exit) = match Permission::new(&trusted, &authorization, action, ledger.store())? {
            Ok(permission) => ended(permission.run(ledger.store(), &system_time, &Surroundings {
                variable: &|name| std::env::var_os(name),
                connection: &|role| role_access(&inputs.config, role),
                builtin: &|builtin, folder| do_builtin(&inputs, builtin, folder),
            })?),
            Err(refusal) => refused(&refusal),
        };
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

    /// What was typed after `--` must be the command of the row's work.
    fn check_command(&self, action: &IntendedAction) -> Result<(), Problem> {
        if self.command.is_empty() || self.command == action.command() {
            return Ok(());
        }
        Err(Problem::invalid(format!("the command differs from what plan action `{}` declares", action.id))
            .help("leave the command out, or write it exactly as `cutter explain` shows it"))
    }
}

/// What became of a permitted action, in words.
fn ended(execution: Execution) -> ((Tone, String), Exit) {
    match execution {
        Execution::Ended(Outcome::Done(said)) if said.is_empty() => ((Tone::Good, "done".to_owned()), Exit::Authorized),
        Execution::Ended(Outcome::Done(said)) => ((Tone::Good, format!("done: {said}")), Exit::Authorized),
        Execution::Ended(Outcome::Ended(Some(0))) => ((Tone::Good, "done".to_owned()), Exit::Authorized),
        Execution::Ended(Outcome::Ended(status)) => {
            let status = status.map_or("by a signal".to_owned(), |status| format!("with {status}"));
            let what = format!("the command ended {status}; its approvals stay used");
            ((Tone::Bad, what), Exit::Effect)
        }
        Execution::Ended(Outcome::Failed(why) | Outcome::InDoubt(why)) => {
            ((Tone::Bad, format!("{why}; its approvals stay used")), Exit::Effect)
        }
        Execution::AlreadyConsumed(used) => {
            let (id, action, time) = (&used.approval_id, &used.action, used.time);
            let what = format!("refused: approval `{id}` was used for `{action}` at {time}");
            ((Tone::Bad, what), Exit::Ready)
        }
        Execution::RunOfAnotherPlan(start) => {
            let what = format!("refused: the run began at {} under another plan, sha256 {}", start.time, start.plan);
            ((Tone::Bad, what), Exit::Denied)
        }
    }
}

/// Why an action that is allowed does not run, in words.
fn refused(refusal: &Refusal) -> ((Tone, String), Exit) {
    match refusal {
        Refusal::DryRun => ((Tone::Plain, "the plan is a dry run: nothing was run".to_owned()), Exit::Authorized),
        Refusal::Waiting(rows) => {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let what = format!("blocked: it comes after {}, not finished in this run", in_backticks(&rows));
            ((Tone::Open, what), Exit::Blocked)
        }
        Refusal::ClockRunsBack { now, last } => {
            let what = format!("refused: the clock shows {now}, before the last record of the journal at {last}");
            ((Tone::Bad, what), Exit::Untrusted)
        }
        Refusal::NotTrusted => {
            ((Tone::Bad, "refused: the trust root vouches for something else".to_owned()), Exit::Untrusted)
        }
        Refusal::Denied => ((Tone::Bad, "refused: it is denied".to_owned()), Exit::Denied),
        Refusal::NoWork => ((Tone::Bad, "refused: it declares nothing to run".to_owned()), Exit::Invalid),
    }
}

/// What cutter itself does, besides what the journal says of it.
fn do_builtin(inputs: &Inputs, builtin: Builtin, folder: Option<&str>) -> Result<(), Problems> {
    match (builtin, folder.map(Path::new)) {
        (Builtin::Grants, Some(folder)) => grants::package(&inputs.config, folder).map(drop),
        (Builtin::Targets, Some(folder)) => targets::package(inputs, folder).map(drop),
        _ => Ok(()),
    }
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
