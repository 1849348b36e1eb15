//! `cutter approval show`: all that a document would allow, on one page.

use super::sign;
use crate::approval::document::ApprovalDocument;
use crate::cli::shared::exit::{CommandResult, Exit, no_json};
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::output::OutputArguments;
use crate::{files, render};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    /// The document
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let source = files::read(&self.file)?;
        let document: ApprovalDocument = sign::document(&source)?;
        let text = match self.format {
            TableOrJson::Table => render::approval_page::page(&document, &source, output.style()),
            TableOrJson::Json => render::json::document(&document).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}
