//! `cutter approval verify` and `list`: every document for a plan, judged.

use crate::approval::judge::barred;
use crate::cli::shared::exit::{CommandResult, Exit, no_json};
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::preview::PreviewArguments;
use crate::record::ApprovalRow;
use crate::render;
use crate::render::approvals::Judged;
use clap::Args;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    preview: PreviewArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments, verify: bool) -> CommandResult {
        let inputs = self.preview.load(output)?;
        let authorization = self.preview.authorize(&inputs)?;
        let rows: Vec<ApprovalRow> = authorization.approvals().judged.iter().map(ApprovalRow::new).collect();
        let needed = barred(authorization.requests(), authorization.closed());
        let open = needed.keys().filter(|gate| authorization.approvals().gates.contains(*gate)).count();
        let text = match self.format {
            TableOrJson::Table => {
                let typed = self.preview.typed();
                let next = if open < needed.len() { typed.after_judging(&rows, &authorization) } else { Vec::new() };
                let judged = Judged {
                    rows: &rows,
                    needed: needed.len(),
                    open,
                    plan: &inputs.plan.name,
                    now: &authorization.moment().now.to_string(),
                };
                render::approvals::table(&judged, &next, output.style())
            }
            TableOrJson::Json => {
                render::json::document(&serde_json::json!({ "version": 1, "approvals": rows })).map_err(no_json)?
            }
        };
        Ok((text, if verify && open < needed.len() { Exit::Ready } else { Exit::Authorized }))
    }
}
