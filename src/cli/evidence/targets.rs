//! `cutter evidence targets`: which candidates could be the target of a run, and what each lacks.

use crate::authorization::Inputs;
use crate::cli::shared::clock::ClockArguments;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableJsonOrMarkdown;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::output::OutputArguments;
use crate::files::{self, Output};
use crate::problem::{Code, Coded as _, Problems};
use crate::render;
use crate::request::{Moment, Requests, Stage};
use crate::targets::{TargetAudit, TargetStatus, audit};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 a candidate meets every criterion, 7 the best of them meets all that could be judged, \
                  9 each lacks something"
)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    clock: ClockArguments,
    /// Also write the intake package as `intake.json` and `intake.md` into this folder: what a target must
    /// bring, who must bring it, and what each candidate lacks
    #[arg(long, value_name = "DIR")]
    package: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableJsonOrMarkdown,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        self.package.as_deref().map_or(Ok(()), files::check_folder)?;
        let inputs = self.inputs.load(self.clock.now, None, output)?;
        let audit = match &self.package {
            Some(folder) => package(&inputs, folder)?,
            None => look(&inputs)?,
        };
        let text = match self.format {
            TableJsonOrMarkdown::Table => render::targets::audit(&audit, output.style()),
            TableJsonOrMarkdown::Json => render::json::document(&audit).map_err(no_json)?,
            TableJsonOrMarkdown::Markdown => render::targets::intake(&audit),
        };
        let exit = match audit.status {
            TargetStatus::Met => Exit::Authorized,
            TargetStatus::Unknown => Exit::Unmeasured,
            TargetStatus::Lacking => Exit::Blocked,
        };
        Ok((text, exit))
    }
}

fn look(inputs: &Inputs) -> Result<TargetAudit, Problems> {
    let requests = Requests::new(&inputs.plan, &inputs.bundle, &inputs.facts).coded(Code::PlanUnfit)?;
    audit(&inputs.config.targets, &requests, &Moment::closed(inputs.now, Stage::Plan))
}

/// Audits the candidates, and writes the intake package into a folder.
pub fn package(inputs: &Inputs, folder: &Path) -> Result<TargetAudit, Problems> {
    let audit = look(inputs)?;
    files::write_together(&[
        Output::replacing(folder.join("intake.json"), render::json::document(&audit).map_err(no_json)?),
        Output::replacing(folder.join("intake.md"), render::targets::intake(&audit)),
    ])?;
    Ok(audit)
}
