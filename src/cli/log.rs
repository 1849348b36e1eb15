//! `cutter log`: the journal of what was done.

use super::common::{LoneLedgerArguments, OutputArguments};
use super::{Exit, Outcome, no_json};
use crate::problem::{Code, Coded as _, Problem};
use crate::render;
use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// Only the records of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The forms of a journal.
#[derive(Clone, Copy, Default, ValueEnum, Debug)]
enum Format {
    /// For terminals
    #[default]
    Table,
    /// One versioned document
    Json,
    /// One row a line
    Ndjson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let named = self.ledger.locate()?;
        let ledger = named.store();
        let id = ledger.id()?.ok_or_else(|| {
            Problem::failure(format!("there is no ledger at `{}`", ledger.name()))
                .help("name the ledger of the run with `--ledger`; nothing is recorded before `cutter ledger init`")
                .coded(Code::LedgerMissing)
        })?;
        let journal = ledger.journal(self.run.as_deref())?;
        let text = match self.format {
            Format::Table => render::journal::table(&journal, output.style()),
            Format::Json => render::journal::json(&id, &journal).map_err(no_json)?,
            Format::Ndjson => render::journal::lines(&journal).map_err(no_json)?,
        };
        Ok((text, if journal.damages.is_empty() { Exit::Authorized } else { Exit::Unmeasured }))
    }
}
