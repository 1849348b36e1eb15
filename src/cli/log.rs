//! `cutter log`: the journal of what was done.

mod follow;

use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::ledger::LoneLedgerArguments;
use crate::cli::shared::output::OutputArguments;
use crate::json::in_backticks;
use crate::ledger::{Journal, Record, Wanted};
use crate::problem::{Code, Coded as _, Problem, nearest};
use crate::render;
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    ledger: LoneLedgerArguments,
    /// Only the records of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Go on showing each record as it comes; with `--run` until that run is over
    #[arg(long)]
    follow: bool,
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
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let named = self.ledger.locate()?;
        let ledger = named.store();
        if self.follow && ledger.id()?.is_some() {
            return match (self.format, output.file()) {
                (Format::Json, _) => {
                    Err(Problem::invalid("one JSON document has an end, and what is followed has none")
                        .help("ask for `--format ndjson`")
                        .coded(Code::Usage)
                        .into())
                }
                (_, Some(_)) => Err(Problem::invalid("what is followed goes to standard output")
                    .help("leave `--output` out")
                    .into()),
                (format, None) => follow::follow(ledger, self.run.as_deref(), format, output),
            };
        }
        let journal = ledger.read(Wanted::All)?;
        let id = journal.id.clone().ok_or_else(|| {
            Problem::failure(format!("there is no ledger at `{}`", ledger.name()))
                .help("name the ledger of the run with `--ledger`; nothing is recorded before `cutter ledger init`")
                .coded(Code::LedgerMissing)
        })?;
        let journal = match &self.run {
            Some(run) => of_run(run, journal, &ledger.name())?,
            None => journal,
        };
        let text = match self.format {
            Format::Table => render::journal::table(&journal, output.style()),
            Format::Json => render::journal::json(&id, &journal).map_err(no_json)?,
            Format::Ndjson => render::journal::lines(&journal).map_err(no_json)?,
        };
        Ok((text, if journal.damages.is_empty() { Exit::Authorized } else { Exit::Untrusted }))
    }
}

/// The run that a record is of.
fn of(record: &Record) -> Option<String> {
    match record {
        Record::Vote(_) => None,
        record => record.subject(),
    }
}

/// The records of one run; a run of which nothing is recorded is an error, with those of which something is.
fn of_run(run: &str, mut journal: Journal, name: &str) -> Result<Journal, Problem> {
    let runs: BTreeSet<String> = journal.entries.iter().filter_map(|entry| of(&entry.record)).collect();
    if runs.contains(run) || !journal.damages.is_empty() {
        journal.entries.retain(|entry| of(&entry.record).as_deref() == Some(run));
        return Ok(journal);
    }
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    let latest: Vec<&str> = runs.iter().rev().take(MOST_RUNS).copied().collect();
    let help = match nearest(run, runs.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if runs.is_empty() => "nothing is recorded yet".to_owned(),
        None if runs.len() > MOST_RUNS => {
            format!("there are {}, and {} more", in_backticks(&latest), runs.len() - MOST_RUNS)
        }
        None => format!("there are {}", in_backticks(&latest)),
    };
    Err(Problem::invalid(format!("no run `{run}` is recorded in the ledger at `{name}`")).help(help))
}

/// So many runs are named; `cutter log` shows all.
const MOST_RUNS: usize = 5;
