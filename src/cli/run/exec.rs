//! `cutter exec`: decides one action again at the moment of use, uses its approvals up, and runs what was declared.

use super::moment::{Moment, UseArguments, Used};
use super::off::TurnedOff;
use crate::authorization::Inputs;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::ledger::{NamedLedger, spool};
use crate::cli::shared::output::OutputArguments;
use crate::plan::{IntendedAction, Mode};
use crate::problem::{Problem, Problems};
use crate::record::BundleTrust;
use crate::render;
use clap::Args;
use std::time::Instant;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    told: UseArguments,
    /// The row, by its id in the plan
    #[arg(value_name = "ACTION")]
    action: String,
    /// The command; where given it must be exactly the declared one
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let moment = self.told.moment(output);
        let said = |action: &IntendedAction, used: &Used| {
            render::exec::said(action, used.basis, (used.tone, &used.what), output.style())
        };
        // A command that is typed must be the row's, and only the ordinary way compares them.
        let first = self.command.is_empty().then(|| TurnedOff::first(&self.told.inputs, &self.action)).flatten();
        let mut ledger = None;
        let ordinary = self.act(moment, &mut ledger);
        let Some(off) = first else {
            let (inputs, used) = ordinary?;
            return Ok((said(inputs.plan.named(&self.action)?, &used), used.exit));
        };
        let action = off.action().clone();
        let used = off.settle(ordinary.map(|(_, used)| used), ledger.as_ref().map(NamedLedger::store))?;
        Ok((said(&action, &used), used.exit))
    }

    /// The ordinary way, by the ledger that it finds.
    fn act(&self, moment: Moment<'_>, ledger: &mut Option<NamedLedger>) -> Result<(Inputs, Used), Problems> {
        let since = Instant::now();
        let inputs = moment.load()?;
        self.check_command(inputs.plan.named(&self.action)?)?;
        if inputs.plan.mode == Mode::Live {
            let named = ledger.insert(self.told.ledger(&inputs.config)?);
            // Which file that is says only a configuration for which somebody vouches.
            if matches!(inputs.trust, BundleTrust::Signed { .. }) {
                spool::bring_in(inputs.config.ledger.spool(), named.store())?;
            }
        }
        moment.act(inputs, &self.action, ledger.as_ref().map(NamedLedger::store), since)
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
