//! `cutter test`: cases of a policy set, each asked and compared with what it expects, and its properties. It looks at files only.

use super::review::Asked;
use super::review::reading;
use super::shared::exit::{CommandResult, Exit, no_json};
use super::shared::facts::DEFAULT_ENTITIES;
use super::shared::inputs::BundleArguments;
use super::shared::output::OutputArguments;
use super::shared::progress::Progress;
use super::shared::solver::SolverArguments;
use crate::facts::RawFacts;
use crate::files::Output;
use crate::problem::{Problem, Problems};
use crate::project::FOUND;
use crate::settings::Config;
use crate::subject::Subject;
use crate::testing::coverage::Coverage;
use crate::testing::mutants::MutantReport;
use crate::testing::properties::{self, Beginning, PropertyOutcome, PropertyReport, Search};
use crate::testing::{Evaluator, Inputs, Report, bans, twins};
use crate::{files, project, render};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    /// A file of cases, or a folder with some
    #[arg(value_name = "PATH", default_value = DEFAULT_CASES)]
    path: PathBuf,
    #[command(flatten)]
    bundle: BundleArguments,
    /// The folder of facts: Cedar entities in `*.json`
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ENTITIES)]
    entities: PathBuf,
    /// Only cases whose name or file holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Say which policies fired, which were decisive, and which conditions were seen true, and false
    #[arg(long)]
    coverage: bool,
    /// The least of each that is enough, in percent [default: none]
    #[arg(long, value_name = "PERCENT", requires = "coverage", value_parser = clap::value_parser!(u8).range(..=100))]
    min: Option<u8>,
    /// Try the invariants, and what is true of any bundle, on requests that are looked for; what fails is kept below PATH/found
    #[arg(long)]
    properties: bool,
    /// Change each policy in small ways, as `cutter review mutate` does: who would notice?
    #[arg(long)]
    mutate: bool,
    /// How many walks away from what the solver found
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    cases: usize,
    /// The number that walks are made from: the same gives the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write a case for each ban into PATH/bans.json, found by the solver, and ask nothing
    #[arg(long, conflicts_with_all = ["properties", "coverage", "mutate"])]
    init: bool,
    #[command(flatten)]
    solver: SolverArguments,
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
        let loaded = problems.absorb(self.load());
        // Properties need no cases; a folder that is named must be there.
        let without = (self.properties || self.mutate || self.init)
            && self.path == Path::new(DEFAULT_CASES)
            && !files::is_there(&self.path);
        let cases =
            if without || self.init { Some(Vec::new()) } else { problems.absorb(project::read_cases(&self.path)) };
        let (Some((subject, config, facts)), Some(mut cases)) = (loaded, cases) else { return Err(problems) };
        if self.init {
            return self.write_bans(&subject);
        }
        if let Some(text) = &self.filter {
            cases.retain(|case| case.holds(text));
        }
        let inputs = Inputs {
            bundle: &subject.bundle,
            subject: &subject,
            config: config.as_ref(),
            facts: &facts,
            plan: &|path| files::read(&PathBuf::from(path)),
        };
        let mut results = Vec::new();
        let mut evaluator = Evaluator::new(inputs)?;
        if self.coverage {
            evaluator.cover();
        }
        for case in &cases {
            results.extend(problems.absorb(evaluator.evaluate(case)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut report = Report::new(results);
        report.coverage = evaluator.coverage().map(|coverage| Coverage { min: self.min.map(usize::from), ..coverage });
        drop(evaluator);
        if self.mutate && subject.bundle.is_plain() {
            let problem =
                Problem::invalid("mutants are made of a bundle of cutter's own, and these policies are not one");
            return Err(problem.help("leave `--mutate` out").into());
        }
        if self.properties || self.mutate {
            let (options, progress) = (self.solver.options(), Progress::default());
            let beginning = Beginning::find(&subject, &options, &progress)?;
            if self.mutate {
                let (beginning, config, facts) = (Some(&beginning), config.as_ref(), &facts);
                let asked = Asked { subject: &subject, config, facts, cases, beginning, budget: None, resume: None };
                report.mutants = Some(MutantReport::of(asked.mutate(&options, &progress)??));
            }
            if self.properties {
                let search = Search { seed: self.seed, cases: self.cases };
                let found = properties::run(&beginning, search, &options, &progress)?;
                self.keep(&found)?;
                report.properties = Some(found);
            }
        }
        let exit = self.exit(&report);
        let text = match self.format {
            Format::Table => render::testing::table(&report, output.style()),
            Format::Json => render::json::document(&report).map_err(no_json)?,
            Format::Junit => render::testing::junit(&report),
            Format::Github => render::testing::annotations(&report),
        };
        Ok((text, exit))
    }

    /// The bundle, or any other policies, with what belongs to it.
    fn load(&self) -> Result<(Subject, Option<Config>, RawFacts), Problems> {
        let mut problems = Problems::new();
        let (folder, config) = (self.bundle.folder(), self.bundle.config_path());
        if folder.is_dir() {
            let (sources, _) = reading::sources(folder, config.as_deref(), false, &mut Problems::new());
            if reading::is_plain(&sources, false) {
                let subject = reading::subject(&sources, &[], true, &mut problems);
                let facts = match files::is_there(&self.entities) {
                    true => problems.absorb(project::read_entities(&self.entities)),
                    false => Some(no_facts()),
                };
                return match (subject, facts) {
                    (Some(subject), Some(facts)) => problems.or((subject, None, facts)),
                    _ => Err(problems),
                };
            }
        }
        let bundle = problems.absorb(self.bundle.load());
        let facts = problems.absorb(project::read_entities(&self.entities));
        let (Some((bundle, config)), Some(facts)) = (bundle, facts) else { return Err(problems) };
        let mut subject = Subject::of_bundle(bundle, project::read_invariants(folder)?)?;
        subject.twins = config.as_ref().map(|config| twins::twins(config, &subject)).unwrap_or_default();
        Ok((subject, config, facts))
    }

    /// What failed outranks what is unknown.
    fn exit(&self, report: &Report) -> Exit {
        let properties = |outcome| report.properties.as_ref().map_or(0, |found| found.count(outcome));
        let short = report.coverage.as_ref().is_some_and(|coverage| !coverage.short().is_empty());
        let survived = report.mutants.as_ref().is_some_and(|mutants| !mutants.survived.is_empty());
        if report.failed > 0 || properties(PropertyOutcome::Failed) > 0 || short || survived {
            Exit::Refuted
        } else if (report.passed == 0 && !self.properties && !self.mutate)
            || properties(PropertyOutcome::Starved) + properties(PropertyOutcome::Unmeasured) > 0
        {
            Exit::Unmeasured
        } else {
            Exit::Authorized
        }
    }

    /// The folder of cases.
    fn folder(&self) -> &Path {
        if self.path.is_file() { self.path.parent().unwrap_or(Path::new(".")) } else { &self.path }
    }

    /// Writes down each request at which a property failed, to be asked first from now on.
    fn keep(&self, report: &PropertyReport) -> Result<(), Problems> {
        let mut outputs = Vec::new();
        for property in &report.properties {
            let Some(found) = property.found.as_ref().filter(|found| !found.case.is_null()) else { continue };
            let path = self.folder().join(FOUND).join(format!("{}.json", file_name(&property.name)));
            let text = render::json::document(&found.case).map_err(no_json)?;
            outputs.push(Output::replacing(path, text));
        }
        Ok(files::write_together(&outputs)?)
    }

    /// Writes a case for each ban that can decide something.
    fn write_bans(&self, subject: &Subject) -> CommandResult {
        let path = self.folder().join("bans.json");
        if files::is_there(&path) {
            let problem = Problem::failure(format!("`{}` is there, and is not written over", path.display()));
            return Err(problem.help("move it, or name another folder").into());
        }
        let (cases, without) = bans::cases(subject, &self.solver.options(), &Progress::default())?;
        let text = render::json::document(&cases).map_err(no_json)?;
        files::write_together(&[Output::replacing(path.clone(), text)])?;
        let count = cases.as_array().map_or(0, Vec::len);
        Ok((render::testing::written(&path.display().to_string(), count, &without), Exit::Authorized))
    }
}

/// Policies that were not written for cutter need no facts beside those of their cases.
fn no_facts() -> RawFacts {
    RawFacts { sources: Vec::new(), names: Vec::new(), name: "entities".to_owned() }
}

/// The name of a property as that of a file.
fn file_name(name: &str) -> String {
    let plain = name.replace(|letter: char| !letter.is_alphanumeric(), "-");
    plain.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Where cases lie.
const DEFAULT_CASES: &str = "tests/policy";
