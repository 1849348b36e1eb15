//! `cutter evidence capture`: observe once, and have somebody vouch for it.

use super::configuration;
use super::signed::SignArguments;
use crate::cli::shared::clock::system_time;
use crate::cli::shared::connection::access;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableJsonOrMarkdown;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::progress::Progress;
use crate::evidence::{Capture, Status, Unknown};
use crate::observe::{Task, capture};
use crate::problem::{Problem, Problems};
use crate::render;
use crate::settings::evidence::Level;
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Debug)]
pub struct Arguments {
    /// The configuration, whose `[database]` and `[evidence]` say what to observe
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
    /// How much to observe [default: what the configuration says]
    #[arg(long, value_enum)]
    level: Option<LevelArgument>,
    /// Digest ordered binary copies, which a forger cannot make fit
    #[arg(long)]
    strict: bool,
    /// Wait so long for sessions that are at work: what one does is counted when it is idle
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    settle: u32,
    /// Show every observation, not only what is not known
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    sign: SignArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableJsonOrMarkdown,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum LevelArgument {
    /// Row counts
    Counts,
    /// And snapshot, sequences, settings, flags, trees, services
    Quiet,
    /// And content, headers, counters, catalogs
    Net,
}

impl Arguments {
    /// Whether somebody vouches for the result.
    pub fn is_signed(&self) -> bool {
        self.sign.is_given()
    }

    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let (config, digest) = configuration(&self.config)?;
        let seal = self.sign.seal(output, self.format)?;
        let access = access(&config)?;
        let level = match self.level {
            None => config.evidence.level,
            Some(LevelArgument::Counts) => Level::Counts,
            Some(LevelArgument::Quiet) => Level::Quiet,
            Some(LevelArgument::Net) => Level::Net,
        };
        let progress = Progress::default();
        let task = Task {
            settings: &config.evidence,
            access: &access,
            config: digest,
            level,
            strict: self.strict,
            settle: Duration::from_secs(u64::from(self.settle)),
            now: &system_time,
            observer: &progress,
        };
        let capture = capture(&task)?;
        let text = match self.format {
            TableJsonOrMarkdown::Table => render::evidence::capture(&capture, self.all, output.style()),
            TableJsonOrMarkdown::Json => render::json::document(&capture).map_err(no_json)?,
            TableJsonOrMarkdown::Markdown => render::evidence::capture_markdown(&capture),
        };
        if output.file().is_some() {
            output.warn(&unseen(&capture));
        }
        // A witness is somebody else's work; a capture can reach no more than this.
        let exit =
            if capture.level.reached == Some(level.min(Level::Net)) { Exit::Authorized } else { Exit::Unmeasured };
        match (seal, output.file()) {
            (Some(seal), Some(file)) => seal.store(file, &text).map(|()| (String::new(), exit)).map_err(Into::into),
            _ => Ok((text, exit)),
        }
    }
}

/// What could not be observed, and why: a warning for each observation.
fn unseen(capture: &Capture) -> Problems {
    let mut problems = Problems::new();
    for observation in capture.observations.iter().filter(|observation| observation.status == Status::Unknown) {
        let reason = |unknown: &Unknown| match &unknown.sqlstate {
            Some(state) => format!("{} (SQLSTATE {state})", unknown.reason),
            None => unknown.reason.clone(),
        };
        let reasons: BTreeSet<String> = observation.unknown.iter().map(reason).collect();
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("; ");
        problems.push(Problem::failure(format!("`{}` could not be observed in full: {reasons}", observation.id)));
    }
    problems
}
