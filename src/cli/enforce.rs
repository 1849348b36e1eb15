//! `cutter enforce`: what makes the database itself keep to what the ledger allows; printed, never applied.

use crate::cli::shared::connection::access;
use crate::cli::shared::exit::{CommandResult, Exit, no_json};
use crate::cli::shared::format::TableOrJson;
use crate::cli::shared::output::OutputArguments;
use crate::enforce::enforcement;
use crate::files::{self, Output};
use crate::ledger::PostgresLedger;
use crate::problem::{Code, Coded as _};
use crate::render;
use crate::settings::Config;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Print a guard, with its inverse: the functions that effects call refuse every call but that of a run which the ledger let begin
    Sql(SqlArguments),
}

#[derive(Args, Debug)]
struct SqlArguments {
    /// The configuration, whose effects name the functions; `[database]` leads to them, and `[ledger.database]` to the same database
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
    /// Refuse calls, too, when the run turned a switch that stands in a row of a table on so long ago
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    switch_seconds: Option<u32>,
    /// Also write the guard and its inverse as `guard.sql` and `guard-inverse.sql` into this folder
    #[arg(long, value_name = "DIR")]
    package: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableOrJson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let Command::Sql(arguments) = &self.command;
        arguments.run(output)
    }
}

impl SqlArguments {
    fn run(&self, output: &OutputArguments) -> CommandResult {
        self.package.as_deref().map_or(Ok(()), files::check_folder)?;
        let config = Config::parse(&files::read(&self.config)?).coded(Code::ConfigInvalid)?;
        let mut session = access(&config)?.open()?;
        let shared = config.ledger.database.as_ref().filter(|_| config.ledger.path.is_none());
        let ledger = shared.map(|_| PostgresLedger::resolve(&config.ledger, &|name| std::env::var_os(name)));
        let mut ledger = ledger.transpose()?.map(|ledger| ledger.access().open()).transpose()?;
        let made = enforcement(&config, &mut session, ledger.as_mut(), self.switch_seconds)?;
        if let Some(folder) = &self.package {
            files::write_together(&[
                Output::replacing(folder.join("guard.sql"), made.guard.sql.as_str()),
                Output::replacing(folder.join("guard-inverse.sql"), made.inverse.sql.as_str()),
            ])?;
        }
        let text = match self.format {
            TableOrJson::Table => render::enforce::text(&made, output.style()),
            TableOrJson::Json => render::json::document(&made).map_err(no_json)?,
        };
        Ok((text, Exit::Authorized))
    }
}
