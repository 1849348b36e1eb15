//! `cutter evidence witness`: live beside a run, write down what happens, and end when told to.

use super::configuration;
use super::signed::Seal;
use crate::cli::shared::connection::access;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::output::OutputArguments;
use crate::evidence::RowStatus;
use crate::evidence::witness::WitnessRecord;
use crate::observe::witness::{Watch, watch};
use crate::problem::Problem;
use crate::{files, render};
use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing was done, 6 something was done to what is watched, 7 not all of it was seen: a gap, a \
                  relation of which no part sees every change, or rows of a catalog of which nobody knows whose they are"
)]
pub struct Arguments {
    /// The file that gets the record, a line for each thing seen; it must not exist
    #[arg(long, value_name = "FILE")]
    record: PathBuf,
    /// The configuration, whose `[database]` and `[evidence]` say what to watch
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
    /// Look so often
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    every: u64,
    /// End after so long
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// End once this file exists
    #[arg(long, value_name = "FILE")]
    until: Option<PathBuf>,
    /// Sign the whole record into `FILE.sig` at the end: a private key, or a public key whose private half an agent holds
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The forms of a record.
#[derive(Clone, Copy, Default, ValueEnum, Debug)]
enum Format {
    /// For terminals
    #[default]
    Table,
    /// One row a line
    Ndjson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let (config, digest) = configuration(&self.config)?;
        let access = access(&config)?;
        let seal = self.sign.as_deref().map(|key| Seal::new(key, &self.record)).transpose()?;
        let signals = Signals::install()?;
        let mut journal = files::AppendFile::create(&self.record)?;
        let began = Instant::now();
        let task = Watch {
            settings: &config.evidence,
            access: &access,
            config: digest,
            rest: Duration::from_millis(self.every),
            stop: &|| self.reason(&signals, began),
        };
        let mut written = String::new();
        watch(&task, &mut |line| {
            let line = serde_json::to_string(line).map_err(no_json)?;
            journal.add(&line)?;
            written.push_str(&line);
            written.push('\n');
            Ok(())
        })?;
        // Somebody else may have put another file in its place; only what was written here is vouched for.
        let source = files::read(&self.record)?;
        if source.text() != written {
            return Err(Problem::untrusted(format!("`{}` is not what the witness wrote", source.name()))
                .help(
                    "somebody changed or replaced it during the run; nothing was signed, and the record proves nothing",
                )
                .into());
        }
        if let Some(seal) = seal {
            seal.sign(written.as_bytes())?;
        }
        let record = WitnessRecord::parse(&source)?;
        let text = match self.format {
            Format::Table => render::witness::record(&record, output.style()),
            Format::Ndjson => source.text().to_owned(),
        };
        Ok((text, exit(&record)))
    }

    /// Why to end, if there is a reason.
    fn reason(&self, signals: &Signals, began: Instant) -> Option<String> {
        let elapsed = self.seconds.filter(|seconds| began.elapsed() >= Duration::from_secs(*seconds));
        let elapsed = elapsed.map(|seconds| format!("{seconds} s"));
        let file = self.until.as_ref().filter(|file| file.exists()).map(|file| format!("the file {}", file.display()));
        signals.received().map(str::to_owned).or(elapsed).or(file)
    }
}

/// The exit code of a record.
fn exit(record: &WitnessRecord) -> Exit {
    match record.status() {
        RowStatus::Changed => Exit::Contradicted,
        RowStatus::Unchanged | RowStatus::Tolerated => Exit::Authorized,
        RowStatus::Unknown => Exit::Unmeasured,
    }
}

/// The signals that end a witness in order.
struct Signals(Vec<(&'static str, Arc<AtomicBool>)>);

impl Signals {
    fn install() -> Result<Self, Problem> {
        let mut flags = Vec::new();
        for (name, signal) in [("SIGTERM", SIGTERM), ("SIGINT", SIGINT), ("SIGHUP", SIGHUP)] {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .map_err(|error| Problem::failure(format!("the handler for {name} could not be installed: {error}")))?;
            flags.push((name, flag));
        }
        Ok(Self(flags))
    }

    fn received(&self) -> Option<&'static str> {
        self.0.iter().find(|(_, flag)| flag.load(Ordering::Relaxed)).map(|(name, _)| *name)
    }
}
