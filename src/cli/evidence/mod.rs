//! `cutter evidence`: observe the database and its host, compare two observations, audit what is set up there.

mod capture;
mod compare;
pub mod grants;
mod signed;
pub mod targets;
mod witness;

use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::folder;
use crate::cli::shared::output::OutputArguments;
use crate::digest::Digest;
use crate::files;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::Config;
use crate::settings::evidence::EvidenceSettings;
use clap::{Args, Subcommand};
use std::path::Path;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Observe once; it writes nothing but its result
    Capture(capture::Arguments),
    /// Compare a baseline with a later capture
    Compare(compare::Arguments),
    /// Compare the rights in the database with those that the configuration expects; it applies nothing
    Grants(grants::Arguments),
    /// Judge every candidate for the target of a run by the policies of each criterion, and say what each lacks
    Targets(targets::Arguments),
    /// Live beside a run and write down what happens in between; it ends on SIGTERM, SIGINT or SIGHUP
    Witness(witness::Arguments),
}

impl Arguments {
    /// Whether the result is written to `--output` together with its signature.
    pub fn stores_its_result(&self) -> bool {
        matches!(&self.command, Command::Capture(arguments) if arguments.is_signed())
    }

    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        match &self.command {
            Command::Capture(arguments) => arguments.run(output),
            Command::Compare(arguments) => arguments.run(output),
            Command::Grants(arguments) => arguments.run(output),
            Command::Targets(arguments) => arguments.run(output),
            Command::Witness(arguments) => arguments.run(output),
        }
    }
}

/// The configuration and the digest of its bytes.
pub fn configuration(path: &Path) -> Result<(Config, Digest), Problems> {
    if let Some(problem) = folder::wrong_folder().filter(|_| path == Path::new("cutter.toml")) {
        return Err(problem.into());
    }
    let source = files::read(path)?;
    let digest = Digest::of(source.text().as_bytes());
    let config = Config::parse(&source).coded(Code::ConfigInvalid)?;
    if config.evidence == EvidenceSettings::default() {
        return Err(Problem::invalid(format!("`{}` does not say what to observe", path.display()))
            .help("add `[evidence.relations.\"schema.name\"]` and what else is to be watched")
            .coded(Code::ConfigInvalid)
            .into());
    }
    Ok((config, digest))
}
