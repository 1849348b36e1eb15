//! `cutter ledger`: make the store in which approvals are used up and runs recorded.

use super::common::{Format, LoneLedgerArguments, NamedLedger, OutputArguments, unsupported};
use super::{Exit, Outcome, no_json};
use crate::ledger::{LedgerId, PostgresLedger};
use crate::problem::Problem;
use crate::render;
use clap::{Args, Subcommand};
use serde::Serialize;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a new ledger with a random id, once; the owner of the shared ledger runs this
    Init(InitArguments),
}

#[derive(Args, Debug)]
struct InitArguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// The login role of runs in PostgreSQL, which may insert and look [default: `role` of `[ledger]`]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Print the SQL that would make the shared ledger, and make nothing
    #[arg(long)]
    print: bool,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        match &self.command {
            Command::Init(arguments) => arguments.run(output),
        }
    }
}

impl InitArguments {
    fn run(&self, output: &OutputArguments) -> Outcome {
        let located = self.ledger.locate()?;
        let id = random_id()?;
        let (named, role) = match located {
            NamedLedger::Postgres(ledger) => {
                let ledger = ledger.for_role(self.role.clone());
                let role = ledger.role().map(str::to_owned);
                if self.print {
                    return Ok((PostgresLedger::statements(&id, role.as_deref()), Exit::Authorized));
                }
                (NamedLedger::Postgres(Box::new(ledger)), role)
            }
            NamedLedger::Directory(_) if self.print || self.role.is_some() => {
                return Err(Problem::invalid("`--role` and `--print` are for the shared ledger")
                    .help("add `--ledger postgres`, or leave them out")
                    .into());
            }
            directory => (directory, None),
        };
        let ledger = named.store();
        ledger.init(id.clone())?;
        let made = Made { version: 1, ledger: ledger.name(), id: id.to_string(), role };
        let text = match output.format {
            Format::Table => made.text(),
            Format::Json => render::json::document(&made).map_err(no_json)?,
            other => return Err(unsupported(other, "ledger init").into()),
        };
        Ok((text, Exit::Authorized))
    }
}

/// The ledger that was made.
#[derive(Serialize)]
struct Made {
    version: u32,
    ledger: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

impl Made {
    fn text(&self) -> String {
        let role = self.role.as_ref().map(|role| format!("role     {}\n", render::printable(role)));
        format!("ledger   {}\nid       {}\n{}", render::printable(&self.ledger), self.id, role.unwrap_or_default())
    }
}

/// 128 bits that nobody can guess, from the system.
fn random_id() -> Result<LedgerId, Problem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::failure(format!("the system gives no random numbers: {error}")))?;
    Ok(LedgerId::from_random(u128::from_be_bytes(bytes)))
}
