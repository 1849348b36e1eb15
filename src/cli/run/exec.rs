//! `cutter exec`: decides one action again at the moment of use, uses its approvals up, and runs what was declared.

use super::moment::Moment;
use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::ledger::NamedLedger;
use crate::cli::shared::output::OutputArguments;
use crate::plan::{IntendedAction, Mode};
use crate::problem::Problem;
use crate::render;
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    authority: AuthorityArguments,
    /// A head of the ledger that was published with `cutter ledger head --to FILE`; only root may be able to change the file
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// The row, by its id in the plan
    #[arg(value_name = "ACTION")]
    action: String,
    /// The command; where given it must be exactly the declared one
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let since = Instant::now();
        let moment = Moment { inputs: &self.inputs, authority: &self.authority, output };
        let inputs = moment.load()?;
        self.check_command(inputs.plan.named(&self.action)?)?;
        let ledger = match inputs.plan.mode {
            Mode::Live => Some(self.authority.ledger.for_run(&inputs.config, self.head.as_deref())?),
            Mode::DryRun => None,
        };
        let store = ledger.as_ref().map(NamedLedger::store);
        let (inputs, used) = moment.act(inputs, &self.action, store, since)?;
        let said = (used.tone, used.what.as_str());
        Ok((render::exec::said(inputs.plan.named(&self.action)?, used.basis, said, output.style()), used.exit))
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
