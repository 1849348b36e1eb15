//! `cutter authorize`: decisions for every intended action of a plan. It only looks.

use crate::attestation::{Statement, gather};
use crate::cli::shared::authority::AuthorityArguments;
use crate::cli::shared::clock::ClockArguments;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::inputs::InputArguments;
use crate::cli::shared::ledger::NamedLedger;
use crate::cli::shared::next::Typed;
use crate::cli::shared::outlook;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::progress::Progress;
use crate::decision::Verdict;
use crate::progress::Phase;
use crate::render::table::Guide;
use crate::request::Stage;
use crate::{explain, files, render};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    inputs: InputArguments,
    #[command(flatten)]
    clock: ClockArguments,
    #[command(flatten)]
    authority: AuthorityArguments,
    /// Also write the unsigned in-toto statement over the decisions
    #[arg(long, value_name = "FILE")]
    attest: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The forms of decisions.
#[derive(Clone, Copy, Default, ValueEnum, Debug)]
enum Format {
    /// For terminals
    #[default]
    Table,
    /// One versioned document
    Json,
    /// For reports
    Markdown,
    /// One row a line
    Ndjson,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        self.attest.as_deref().map_or(Ok(()), files::check_free)?;
        let inputs = self.inputs.load(self.clock.now, Some(&self.authority.ledger), output)?;
        let progress = Progress::default();
        let phase = Phase::new(&progress, "authorize", 0);
        let authorization = self.authority.authorize_rest(&inputs, Stage::Plan, |journal| {
            gather::ended_well(&inputs.plan, &inputs.config, inputs.bundle.schema(), journal)
        })?;
        let statement = Statement::of_decisions(authorization.document()?);
        drop(phase);
        let facts = authorization.requests().facts().texts().iter().map(|(_, text)| text.len()).sum();
        outlook::check_size(&inputs.plan, statement.text()?.len(), facts)?;
        let ledger = self.authority.ledger.locate(&inputs.config);
        output.warn(&outlook::of_plan(&inputs.plan, matches!(ledger, Ok(NamedLedger::Postgres(_)))));
        if let Some(path) = &self.attest {
            files::create(path, statement.text()?.as_bytes())?;
        }
        let decisions = &statement.predicate.decisions;
        let typed = Typed { inputs: &self.inputs, authority: &self.authority };
        let guide = || Guide {
            closes: explain::closing(&inputs.bundle, decisions),
            next: typed.after(decisions, &authorization),
            measure: typed.measure("authorize", None, &decisions.lacking()),
        };
        let text = match self.format {
            Format::Table => Ok(render::table::decisions(decisions, &guide(), output.style())),
            Format::Markdown => Ok(render::markdown::decisions(decisions, &guide())),
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
