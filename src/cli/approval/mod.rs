//! `cutter approval`: request, show, sign, verify and list the documents that open gates for one plan.

mod judge;
mod request;
mod show;
mod sign;

use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::output::OutputArguments;
use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    of: Of,
}

#[derive(Subcommand, Debug)]
enum Of {
    /// Write the smallest set of unsigned documents that would lift the plan's approval-tier bans
    Request(request::Arguments),
    /// Show all that a document would allow: each row, and exactly what would run
    Show(show::Arguments),
    /// Show a document, ask, and sign it as it stands, with an SSH key, an agent or a FIDO key
    Sign(sign::Arguments),
    /// Judge every document for a plan: 0 if every needed gate opens, else 5
    Verify(judge::Arguments),
    /// Show every document for a plan with its status and reject code
    List(judge::Arguments),
}

impl Arguments {
    /// Whether `--output` names a folder for documents, and the result goes to standard output.
    pub fn writes_folder(&self) -> bool {
        matches!(self.of, Of::Request(_))
    }

    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        match &self.of {
            Of::Request(arguments) => arguments.run(output),
            Of::Show(arguments) => arguments.run(output),
            Of::Sign(arguments) => arguments.run(output),
            Of::Verify(arguments) => arguments.run(output, true),
            Of::List(arguments) => arguments.run(output, false),
        }
    }
}
