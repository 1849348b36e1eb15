//! `cutter evidence`: observe the database and its host, and compare two observations.

use super::common::{Format, OutputArguments, system_time, unsupported};
use super::{Exit, Outcome, no_json};
use crate::config::Config;
use crate::db::Access;
use crate::digest::Digest;
use crate::evidence::{self, Capture, Comparison, EvidenceSettings, Level, Limits, RowStatus, Task};
use crate::problem::{Problem, Problems};
use crate::{files, render};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Observe once; it writes nothing but its result
    Capture(CaptureArguments),
    /// Compare a baseline with a later capture
    Compare(CompareArguments),
}

#[derive(Args, Debug)]
struct CaptureArguments {
    /// The configuration, whose `[database]` and `[evidence]` say what to observe
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
    /// How much to observe [default: what the configuration says]
    #[arg(long, value_enum)]
    level: Option<LevelArgument>,
    /// Digest ordered binary copies, which a forger cannot make fit
    #[arg(long)]
    strict: bool,
}

#[derive(Args, Debug)]
struct CompareArguments {
    /// The baseline, as `cutter evidence capture --format json` wrote it
    #[arg(value_name = "BASELINE")]
    baseline: PathBuf,
    /// The later capture
    #[arg(value_name = "FINAL")]
    last: PathBuf,
    /// The configuration with which both were captured
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
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
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        match &self.command {
            Command::Capture(arguments) => arguments.run(output),
            Command::Compare(arguments) => arguments.run(output),
        }
    }
}

impl CaptureArguments {
    fn run(&self, output: &OutputArguments) -> Outcome {
        let (config, digest) = configuration(&self.config)?;
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
            now: &system_time,
            observer: &progress,
        };
        let capture = evidence::capture(&task)?;
        let text = match output.format {
            Format::Table => render::evidence::capture(&capture, output.style()),
            Format::Json => render::json::document(&capture).map_err(no_json)?,
            Format::Markdown => render::evidence::capture_markdown(&capture),
            other => return Err(unsupported(other, "evidence capture").into()),
        };
        let exit = if capture.level.reached == Some(level) { Exit::Authorized } else { Exit::Unmeasured };
        Ok((text, exit))
    }
}

impl CompareArguments {
    fn run(&self, output: &OutputArguments) -> Outcome {
        let mut problems = Problems::new();
        let config = problems.absorb(configuration(&self.config));
        let mut read = |path: &Path| problems.absorb(files::read(path).and_then(|source| Capture::parse(&source)));
        let (baseline, last) = (read(&self.baseline), read(&self.last));
        let (Some((config, digest)), Some(baseline), Some(last)) = (config, baseline, last) else {
            return Err(problems);
        };
        let limits = Limits { now: system_time()?, config: digest.to_string() };
        let comparison = evidence::compare(&baseline, &last, &config.evidence, &limits)?;
        let text = match output.format {
            Format::Table => render::evidence::comparison(&comparison, output.style()),
            Format::Json => render::json::document(&comparison).map_err(no_json)?,
            Format::Markdown => render::evidence::comparison_markdown(&comparison),
            other => return Err(unsupported(other, "evidence compare").into()),
        };
        Ok((text, exit(&comparison)))
    }
}

/// The exit code of a comparison.
pub fn exit(comparison: &Comparison) -> Exit {
    match comparison.status {
        RowStatus::Unchanged | RowStatus::Tolerated => Exit::Authorized,
        RowStatus::Unknown => Exit::Unmeasured,
        RowStatus::Changed => Exit::Contradicted,
    }
}

/// The configuration and the digest of its bytes.
fn configuration(path: &Path) -> Result<(Config, Digest), Problems> {
    let source = files::read(path)?;
    let digest = Digest::of(source.text().as_bytes());
    let config = Config::parse(&source)?;
    if config.evidence == EvidenceSettings::default() {
        return Err(Problem::invalid(format!("`{}` does not say what to observe", path.display()))
            .help("add `[evidence.relations.\"schema.name\"]` and what else is to be watched")
            .into());
    }
    Ok((config, digest))
}

/// How to reach the database that the configuration names.
pub fn access(config: &Config) -> Result<Access, Problem> {
    let settings = config.database.as_ref().ok_or_else(|| {
        Problem::invalid("`cutter.toml` has no `[database]`")
            .help("add it with `url_env = \"NAME\"`: the environment variable that holds the connection string")
    })?;
    Access::resolve(settings, &|name| std::env::var_os(name))
}

/// A bar on standard error, only where somebody looks.
#[derive(Default)]
struct Progress(Mutex<Option<ProgressBar>>);

impl evidence::Observer for Progress {
    fn begin(&self, what: &str, steps: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = match steps {
            0 => ProgressBar::new_spinner(),
            steps => ProgressBar::new(steps),
        };
        let form = if steps == 0 { "{spinner} {msg} {elapsed}" } else { "{msg} {wide_bar} {percent}% {eta}" };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        bar.set_message(render::printable(what));
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        if let Ok(mut held) = self.0.lock() {
            *held = Some(bar);
        }
    }

    fn advance(&self, steps: u64) {
        if let Ok(held) = self.0.lock() {
            held.iter().for_each(|bar| bar.inc(steps));
        }
    }

    fn end(&self) {
        if let Ok(mut held) = self.0.lock() {
            held.take().iter().for_each(ProgressBar::finish_and_clear);
        }
    }
}
