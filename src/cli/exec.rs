//! `cutter exec`: decides one action again at the moment of use, uses its approvals up, and runs what was declared.

use super::authorize::exit;
use crate::authorization::Inputs;
use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::next::Typed;
use crate::cli::shared::output::OutputArguments;
use crate::decision::{Basis, DecisionRow, Verdict};
use crate::files;
use crate::json::in_backticks;
use crate::layout::lines::Tone;
use crate::plan::{IntendedAction, Mode, Work};
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::record::FactRecord;
use crate::render;
use crate::request::Stage;
use crate::runtime::{Execution, Permission, Refusal};
use crate::settings::Config;
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
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let inputs = self.inputs.load(None, output)?;
        let plan = &inputs.plan;
        let action = plan.named(&self.action)?;
        self.check_command(action, &inputs.config)?;
        // A dry run reaches no effect, and needs nobody's word.
        let trusted = match plan.mode {
            Mode::Live => Some(self.trusted(&inputs, action)?),
            Mode::DryRun => None,
        };
        let row = self.authority.authorize(&inputs, Stage::Use)?.row(action)?;
        if !row.basis.allows() {
            return Ok(self.denied(action, &row, output));
        }
        // What was measured is measured again, after everything that could take time.
        let inputs = if self.inputs.measures() { self.inputs.look_again(inputs)? } else { inputs };
        let action = inputs.plan.named(&self.action)?;
        let authorization = self.authority.authorize(&inputs, Stage::Use)?;
        let row = authorization.row(action)?;
        if !row.basis.allows() {
            return Ok(self.denied(action, &row, output));
        }
        let said = |tone, message: &str| render::exec::said(action, row.basis, (tone, message), output.style());
        let Some(trusted) = trusted else {
            let ((tone, what), exit) = refused(&Refusal::DryRun);
            return Ok((said(tone, &what), exit));
        };
        let ledger = self.authority.ledger.locate(&inputs.config)?;
        let ((tone, what), exit) = match Permission::new(&trusted, &authorization, action, ledger.store())? {
            Ok(permission) => ended(&permission.run(ledger.store(), &system_time)?),
            Err(refusal) => refused(&refusal),
        };
        Ok((said(tone, &what), exit))
    }

    /// Why it is not allowed, and where facts are to blame, how they are measured.
    fn denied(&self, action: &IntendedAction, row: &DecisionRow, output: &OutputArguments) -> (String, Exit) {
        let mut message = denied(row);
        let facts: Vec<FactRecord> = row.facts.iter().map(FactRecord::from).collect();
        let typed = Typed { inputs: &self.inputs, authority: &self.authority };
        let measure = typed.measure("exec", Some(&action.id), &facts).filter(|_| row.basis == Basis::Indeterminate);
        if let Some(command) = measure {
            message.push_str(&format!("; measure them: {command}"));
        }
        let said = render::exec::said(action, row.basis, (Tone::Plain, message.as_str()), output.style());
        (said, exit(Verdict::of(row.basis)))
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

    /// A command must be declared, and what was typed after `--` must be the same.
    fn check_command(&self, action: &IntendedAction, config: &Config) -> Result<(), Problem> {
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
        Ok(())
    }
}

/// What became of a permitted action, in words.
fn ended(execution: &Execution) -> ((Tone, String), Exit) {
    match execution {
        Execution::Ended(Some(0)) => ((Tone::Good, "done".to_owned()), Exit::Authorized),
        Execution::Ended(status) => {
            let status = status.map_or("by a signal".to_owned(), |status| format!("with {status}"));
            let what = format!("the command ended {status}; its approvals stay used");
            ((Tone::Bad, what), Exit::Effect)
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

/// Where an effect stands in the configuration.
fn place_of(name: &str, path: Option<PathBuf>) -> Option<(Source, Range<usize>)> {
    let source = files::read(&path?).ok()?;
    let at = Config::place_of_effect(&source, name)?;
    Some((source, at))
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
