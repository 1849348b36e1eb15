//! `cutter test`: cases of a policy set, each asked and compared with what it expects. It looks at files only.

use super::shared::exit::{CommandResult, Exit, no_json};
use super::shared::facts::DEFAULT_ENTITIES;
use super::shared::inputs::BundleArguments;
use super::shared::output::OutputArguments;
use crate::problem::Problems;
use crate::testing::{Evaluator, Inputs, Report};
use crate::{files, project, render};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    /// A file of cases, or a folder with some
    #[arg(value_name = "PATH", default_value = "tests/policy")]
    path: PathBuf,
    #[command(flatten)]
    bundle: BundleArguments,
    /// The folder of facts: Cedar entities in `*.json`
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ENTITIES)]
    entities: PathBuf,
    /// Only cases whose name or file holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The forms of test results.
#[derive(Clone, Copy, Default, ValueEnum, Debug)]
enum Format {
    /// For terminals
    #[default]
    Table,
    /// One versioned document
    Json,
    /// JUnit's XML
    Junit,
    /// Annotations of GitHub's workflows
    Github,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let mut problems = Problems::new();
        let bundle = problems.absorb(self.bundle.load());
        let facts = problems.absorb(project::read_entities(&self.entities));
        let cases = problems.absorb(project::read_cases(&self.path));
        let (Some((bundle, config)), Some(facts), Some(mut cases)) = (bundle, facts, cases) else {
            return Err(problems);
        };
        if let Some(text) = &self.filter {
            cases.retain(|case| case.holds(text));
        }
        let inputs = Inputs {
            bundle: &bundle,
            config: config.as_ref(),
            facts: &facts,
            plan: &|path| files::read(&PathBuf::from(path)),
        };
        let mut results = Vec::new();
        let mut evaluator = Evaluator::new(inputs)?;
        for case in &cases {
            results.extend(problems.absorb(evaluator.evaluate(case)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let report = Report::new(results);
        let exit = match (report.failed, report.passed) {
            (0, 0) => Exit::Unmeasured,
            (0, _) => Exit::Authorized,
            _ => Exit::Refuted,
        };
        let text = match self.format {
            Format::Table => render::testing::table(&report, output.style()),
            Format::Json => render::json::document(&report).map_err(no_json)?,
            Format::Junit => render::testing::junit(&report),
            Format::Github => render::testing::annotations(&report),
        };
        Ok((text, exit))
    }
}
