//! `cutter authorize`: decisions for every intended action of a plan. It only looks.

use super::common::{Format, InputArguments, OutputArguments};
use super::{Exit, Outcome, no_json};
use crate::attestation::Statement;
use crate::decision::{Verdict, decide};
use crate::document::Decisions;
use crate::request::{Moment, Requests, Stage};
use crate::{files, render};
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    /// Also write the unsigned in-toto statement over the decisions
    #[arg(long, value_name = "FILE")]
    attest: Option<PathBuf>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let inputs = self.inputs.load(output)?;
        let requests = Requests::new(&inputs.plan, &inputs.bundle, &inputs.facts)?;
        let moment = Moment { now: inputs.now, stage: Stage::Plan, gates: BTreeSet::new() };
        let table = decide(&requests, &moment)?;
        let decisions = Decisions::new(&requests, &table, &moment, inputs.clock)?.under(inputs.trust);
        let statement = Statement::new(decisions);
        if let Some(path) = &self.attest {
            files::write(path, &render::json::document(&statement).map_err(no_json)?)?;
        }
        let decisions = &statement.predicate.decisions;
        let text = match output.format {
            Format::Table => Ok(render::table::decisions(decisions, output.style())),
            Format::Markdown => Ok(render::markdown::decisions(decisions)),
            Format::Json => render::json::document(decisions),
            Format::Ndjson => render::json::lines(decisions),
        };
        Ok((text.map_err(no_json)?, exit(decisions.verdict)))
    }
}

/// The exit code of a verdict.
pub fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Authorized => Exit::Authorized,
        Verdict::Blocked => Exit::Blocked,
        Verdict::ReadyForSovereignApproval => Exit::Ready,
        Verdict::Denied => Exit::Denied,
        Verdict::Indeterminate => Exit::Unmeasured,
    }
}
