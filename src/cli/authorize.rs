//! `cutter authorize`: decisions for every intended action of a plan. It only looks.

use crate::attestation::{Statement, gather};
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::exit::of_verdict;
use crate::cli::shared::ledger::NamedLedger;
use crate::cli::shared::outlook;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::preview::PreviewArguments;
use crate::cli::shared::progress::Progress;
use crate::progress::Phase;
use crate::render::table::Guide;
use crate::request::Stage;
use crate::{explain, files, render};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    preview: PreviewArguments,
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
        let inputs = self.preview.load(output)?;
        let progress = Progress::default();
        let phase = Phase::new(&progress, "authorize", 0);
        let authorization = self.preview.authority.authorize_rest(&inputs, Stage::Plan, |journal| {
            gather::ended_well(&inputs.plan, &inputs.config, inputs.bundle.schema(), journal)
        })?;
        let statement = Statement::of_decisions(authorization.document()?);
        drop(phase);
        let facts = authorization.requests().facts().texts().iter().map(|(_, text)| text.len()).sum();
        let statement_text = statement.text()?;
        outlook::check_size(&inputs.plan, statement_text.len(), facts)?;
        let ledger = self.preview.authority.ledger.locate(&inputs.config);
        output.warn(&outlook::of_plan(&inputs.plan, matches!(ledger, Ok(NamedLedger::Postgres(_)))));
        if let Some(path) = &self.attest {
            files::create(path, statement_text.as_bytes())?;
        }
        let decisions = &statement.predicate.decisions;
        let typed = self.preview.typed();
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
        Ok((text.map_err(no_json)?, of_verdict(decisions.verdict)))
    }
}
