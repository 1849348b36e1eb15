//! `cutter explain`: why one row is what it is, and the smallest thing that would change it.

use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::preview::PreviewArguments;
use crate::explain::explain;
use crate::render;
use clap::Args;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    preview: PreviewArguments,
    /// The row, by its id in the plan
    #[arg(value_name = "ACTION")]
    action: String,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let inputs = self.preview.load(output)?;
        let authorization = self.preview.authorize(&inputs)?;
        let decisions = authorization.document()?;
        let explanation = explain(authorization.requests(), &decisions, &self.action)?;
        let text = match self.format {
            TableOrJson::Table => {
                let next = self.preview.typed().about(&explanation.row, &decisions, &authorization);
                render::explanation::explanation(&explanation, &next, output.style())
            }
            TableOrJson::Json => render::json::document(&explanation).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}
