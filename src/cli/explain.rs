//! `cutter explain`: why one row is what it is, and the smallest thing that would change it.

use super::common::{ClockArguments, Format, InputArguments, OutputArguments, unsupported};
use super::walk::{AuthorityArguments, walk};
use super::{Exit, Outcome, no_json};
use crate::explain::explain;
use crate::render;
use crate::request::Stage;
use clap::Args;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    clock: ClockArguments,
    #[command(flatten)]
    authority: AuthorityArguments,
    /// The row, by its id in the plan
    #[arg(value_name = "ACTION")]
    action: String,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let inputs = self.inputs.load(self.clock.now, output)?;
        let walk = walk(&inputs, &self.authority, Stage::Plan)?;
        let decisions = walk.document(&inputs)?;
        let explanation = explain(&walk.requests, &decisions, &self.action)?;
        let text = match output.format {
            Format::Table => render::explanation::explanation(&explanation, output.style()),
            Format::Json => render::json::document(&explanation).map_err(no_json)?,
            other => return Err(unsupported(other, "explain").into()),
        };
        Ok((text, Exit::Authorized))
    }
}
