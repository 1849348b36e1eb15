//! `cutter explain`: why one row is what it is, and the smallest thing that would change it.

use super::common::{Format, InputArguments, OutputArguments, unsupported};
use super::{Exit, Outcome, no_json};
use crate::decision::decide;
use crate::document::Decisions;
use crate::explain::explain;
use crate::render;
use crate::request::{Moment, Requests, Stage};
use clap::Args;
use std::collections::BTreeSet;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    /// The row, by its id in the plan
    #[arg(value_name = "ACTION")]
    action: String,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let inputs = self.inputs.load(output)?;
        let requests = Requests::new(&inputs.plan, &inputs.bundle, &inputs.facts)?;
        let moment = Moment { now: inputs.now, stage: Stage::Plan, gates: BTreeSet::new() };
        let table = decide(&requests, &moment)?;
        let decisions = Decisions::new(&requests, &table, &moment, inputs.clock)?.under(inputs.trust);
        let explanation = explain(&requests, &decisions, &self.action)?;
        let text = match output.format {
            Format::Table => render::explanation::explanation(&explanation, output.style()),
            Format::Json => render::json::document(&explanation).map_err(no_json)?,
            other => return Err(unsupported(other, "explain").into()),
        };
        Ok((text, Exit::Authorized))
    }
}
