//! `cutter evidence compare`: two captures, and who vouches for them.

use super::{configuration, signed};
use crate::cli::shared::clock::system_time;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::format::TableJsonOrMarkdown;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::progress::Progress;
use crate::cli::shared::trust::TrustArguments;
use crate::evidence::add_witness;
use crate::evidence::witness::WitnessRecord;
use crate::evidence::{self, Capture, Comparison, ComparisonLimits, RowStatus, Signers};
use crate::problem::{Code, Coded as _, Problems};
use crate::progress::Phase;
use crate::render;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    /// The baseline, as `cutter evidence capture --format json` wrote it
    #[arg(value_name = "BASELINE")]
    baseline: PathBuf,
    /// The later capture
    #[arg(value_name = "FINAL")]
    last: PathBuf,
    /// The configuration with which both were captured
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
    /// The record of a witness that watched from before the baseline until after the final capture
    #[arg(long, value_name = "FILE")]
    witness: Option<PathBuf>,
    /// Show what is unchanged as well
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    trust: TrustArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: TableJsonOrMarkdown,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let mut problems = Problems::new();
        let now = system_time()?;
        let progress = Progress::default();
        let phase = Phase::new(&progress, "compare", 0);
        let trust = problems.absorb(self.trust.check());
        let config = problems.absorb(configuration(&self.config));
        let mut read = |path: &Path| {
            let read = signed::read(path, &self.trust, now);
            problems.absorb(
                read.and_then(|(source, signer)| Ok((Capture::parse(&source).coded(Code::EvidenceInvalid)?, signer))),
            )
        };
        let (baseline, last) = (read(&self.baseline), read(&self.last));
        let witness =
            self.witness.as_deref().map(|path| {
                let read = signed::read(path, &self.trust, now);
                problems.absorb(read.and_then(|(source, signer)| {
                    Ok((WitnessRecord::parse(&source).coded(Code::EvidenceInvalid)?, signer))
                }))
            });
        let (Some((config, digest)), Some((baseline, first)), Some((last, second)), None | Some(Some(_)), Some(_)) =
            (config, baseline, last, &witness, trust)
        else {
            return Err(problems);
        };
        let (witness, third) = witness.flatten().unzip();
        let limits = ComparisonLimits { now, config: Some(digest) };
        let mut comparison =
            evidence::compare(&baseline, &last, &config.evidence, &limits).coded(Code::EvidenceInvalid)?;
        add_witness(&mut comparison, (&baseline, &last), witness.as_ref(), &config.evidence)?;
        comparison.signed = Signers { baseline: first, last: second, witness: third.flatten() };
        drop(phase);
        let text = match self.format {
            TableJsonOrMarkdown::Table => render::evidence::comparison(&comparison, self.all, output.style()),
            TableJsonOrMarkdown::Json => render::json::document(&comparison).map_err(no_json)?,
            TableJsonOrMarkdown::Markdown => render::evidence::comparison_markdown(&comparison),
        };
        Ok((text, exit(&comparison)))
    }
}

/// The exit code of a comparison.
fn exit(comparison: &Comparison) -> Exit {
    match comparison.status {
        RowStatus::Unchanged | RowStatus::Tolerated => Exit::Authorized,
        RowStatus::Unknown => Exit::Unmeasured,
        RowStatus::Changed => Exit::Contradicted,
    }
}
