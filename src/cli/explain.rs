//! `cutter explain`: why one row is what it is, and the smallest thing that would change it.

use super::common::{ClockArguments, InputArguments, OutputArguments};
use super::format::TableOrJson;
use super::next::Typed;
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
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let inputs = self.inputs.load(self.clock.now, output)?;
        let walk = walk(&inputs, &self.authority, Stage::Plan)?;
        let decisions = walk.document(&inputs)?;
        let explanation = explain(&walk.requests, &decisions, &self.action)?;
        let text = match self.format {
            TableOrJson::Table => {
                let typed = Typed { inputs: &self.inputs, authority: &self.authority };
                let next = typed.about(&explanation.row, &decisions, &walk, &inputs.config);
                render::explanation::explanation(&explanation, &next, output.style())
            }
            TableOrJson::Json => render::json::document(&explanation).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}
