//! `cutter explain`: why one row is what it is, and the smallest thing that would change it.

use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::shared::clock::ClockArguments;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::next::Typed;
use crate::cli::shared::output::OutputArguments;
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
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let inputs = self.inputs.load(self.clock.now, Some(&self.authority.ledger), output)?;
        let authorization = self.authority.authorize(&inputs, Stage::Plan)?;
        let decisions = authorization.document()?;
        let explanation = explain(authorization.requests(), &decisions, &self.action)?;
        let text = match self.format {
            TableOrJson::Table => {
                let typed = Typed { inputs: &self.inputs, authority: &self.authority };
                let next = typed.about(&explanation.row, &decisions, &authorization);
                render::explanation::explanation(&explanation, &next, output.style())
            }
            TableOrJson::Json => render::json::document(&explanation).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}
