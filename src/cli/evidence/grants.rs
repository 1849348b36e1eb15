//! `cutter evidence grants`: the live rights beside the expected ones, and the package that makes them equal.

use crate::cli::shared::connection::access;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableJsonOrMarkdown;
use crate::cli::shared::output::OutputArguments;
use crate::files::{self, Output};
use crate::grants::{GrantAudit, GrantStatus, audit};
use crate::problem::Problems;
use crate::render;
use crate::settings::Config;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 all is as expected, 4 a difference or a conflict, 7 the rights cannot be read")]
pub struct Arguments {
    /// The configuration, whose `[database]` and `[grants]` say what is expected
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
    /// Also write the package and its inverse as `grants.sql` and `grants-inverse.sql` into this folder
    #[arg(long, value_name = "DIR")]
    package: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableJsonOrMarkdown,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        self.package.as_deref().map_or(Ok(()), files::check_folder)?;
        let config = Config::parse(&files::read(&self.config)?)?;
        let audit = match &self.package {
            Some(folder) => package(&config, folder)?,
            None => look(&config)?,
        };
        let text = match self.format {
            TableJsonOrMarkdown::Table => render::grants::audit(&audit, output.style()),
            TableJsonOrMarkdown::Json => render::json::document(&audit).map_err(no_json)?,
            TableJsonOrMarkdown::Markdown => render::grants::markdown(&audit),
        };
        let exit = match audit.status {
            GrantStatus::Matches => Exit::Authorized,
            GrantStatus::Differs => Exit::Refuted,
            GrantStatus::Unknown => Exit::Unmeasured,
        };
        Ok((text, exit))
    }
}

fn look(config: &Config) -> Result<GrantAudit, Problems> {
    config.grants.expect_something()?;
    audit(&config.grants, &access(config)?)
}

/// Audits the rights, and writes the package that would make them as expected into a folder.
pub fn package(config: &Config, folder: &Path) -> Result<GrantAudit, Problems> {
    let audit = look(config)?;
    // What could not be read needs no package that says "nothing to do".
    if audit.status != GrantStatus::Unknown {
        files::write_together(&[
            Output::replacing(folder.join("grants.sql"), render::grants::script(&audit.package)),
            Output::replacing(folder.join("grants-inverse.sql"), render::grants::script(&audit.inverse)),
        ])?;
    }
    Ok(audit)
}
