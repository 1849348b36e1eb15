//! `cutter review`: the security review of a bundle. It reads, checks and proves; it decides nothing and runs nothing.

mod coverage;
mod diff;
mod matrix;
mod mutate;
mod proof;
pub(super) mod reading;
mod scope;

pub use self::mutate::Asked;
use crate::cli::shared::exit::CommandResult;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::named::spare;
use crate::cli::shared::output::OutputArguments;
use crate::cli::shared::progress::Progress;
use crate::files;
use crate::findings::{Part, Review, ReviewVerdict};
use crate::lint;
use crate::problem::{Problem, Problems};
use crate::progress::Phase;
use crate::render::{self, review as forms};
use crate::review::{catalogue, committed, configured};
use crate::settings::review::ReviewSettings;
use crate::subject::Subject;
use clap::{Args, Subcommand, ValueEnum};
use coverage::CoverageArguments;
use diff::DiffArguments;
use matrix::MatrixArguments;
use mutate::MutateArguments;
use proof::{ProofArguments, RequestArguments, Wanted};
use scope::{Loaded, Scope};
use std::path::Path;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    proof: ProofArguments,
    #[command(flatten)]
    requests: RequestArguments,
    /// First write what needs no thinking: the layout of policies, line ends, byte order marks
    #[arg(long)]
    fix: bool,
    #[command(subcommand)]
    command: Option<Command>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The forms of a review.
#[derive(Clone, Copy, Default, ValueEnum, Debug)]
enum Format {
    /// For terminals
    #[default]
    Table,
    /// One versioned document
    Json,
    /// For reports
    Markdown,
    /// For code scanning (SARIF 2.1.0)
    Sarif,
    /// For test reports
    Junit,
    /// Annotations of a GitHub workflow
    Github,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Parse and validate policies, invariants, facts and plans, and check their layout
    Validate(CheckArguments),
    /// Look for weaknesses in the text and shape of policies
    Lint(CheckArguments),
    /// Prove the invariants over every request type of the schema
    Prove(ProveArguments),
    /// Drop each policy in turn: which of them would no invariant miss?
    Coverage(CoverageArguments),
    /// What does NEW allow that OLD denies, and the other way round?
    Diff(DiffArguments),
    /// Who may do what: a table to commit, and to check against
    Matrix(MatrixArguments),
    /// Change each policy in small ways: which changes would no case, property or proof notice?
    Mutate(MutateArguments),
    /// List the rules, or explain one
    Rules(RulesArguments),
}

#[derive(Args, Debug)]
struct CheckArguments {
    #[command(flatten)]
    scope: Scope,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args, Debug)]
struct ProveArguments {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    proof: ProofArguments,
    #[command(flatten)]
    requests: RequestArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args, Debug)]
struct RulesArguments {
    /// The number or name of one rule
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

impl Arguments {
    /// How the chosen command proves.
    fn proof(&self) -> &ProofArguments {
        match &self.command {
            Some(Command::Diff(arguments)) => &arguments.proof,
            Some(Command::Mutate(arguments)) => &arguments.proof,
            Some(Command::Prove(arguments)) => &arguments.proof,
            Some(Command::Coverage(arguments)) => &arguments.prove.proof,
            _ => &self.proof,
        }
    }

    /// What the chosen command reviews; of a difference there are two.
    fn scope(&self) -> Option<&Scope> {
        match &self.command {
            None => Some(&self.scope),
            Some(Command::Validate(arguments) | Command::Lint(arguments)) => Some(&arguments.scope),
            Some(Command::Prove(arguments)) => Some(&arguments.scope),
            Some(Command::Coverage(arguments)) => Some(&arguments.prove.scope),
            Some(Command::Matrix(arguments)) => Some(&arguments.scope),
            Some(Command::Mutate(arguments)) => Some(&arguments.scope),
            Some(Command::Diff(_) | Command::Rules(_)) => None,
        }
    }

    /// The form that the chosen command was given.
    fn format(&self) -> Format {
        match &self.command {
            None | Some(Command::Rules(_)) => self.format,
            Some(Command::Validate(arguments) | Command::Lint(arguments)) => arguments.format,
            Some(Command::Prove(arguments)) => arguments.format,
            Some(Command::Coverage(arguments)) => arguments.prove.format,
            Some(Command::Diff(arguments)) => arguments.format,
            Some(Command::Matrix(arguments)) => arguments.format,
            Some(Command::Mutate(arguments)) => arguments.format,
        }
    }

    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        self.proof().check()?;
        let requests = match &self.command {
            None => Some(&self.requests),
            Some(Command::Prove(arguments)) => Some(&arguments.requests),
            Some(Command::Coverage(arguments)) => Some(&arguments.prove.requests),
            Some(_) => None,
        };
        requests.map_or(Ok(()), RequestArguments::check)?;
        if let Some(Command::Coverage(arguments)) = &self.command {
            arguments.check()?;
        }
        if let Some(scope) = self.scope() {
            scope.check()?;
            let written = [requests.and_then(RequestArguments::written), self.proof().folder(), output.file()];
            written.into_iter().flatten().try_for_each(|path| scope.spare(path))?;
        }
        if let Some(file) = output.file() {
            let golden = self.command.is_none().then_some(Path::new(GOLDEN));
            let read: Vec<&Path> = requests.map(RequestArguments::file).into_iter().chain(golden).collect();
            spare(file, &read, &[])?;
            if let Some(Command::Diff(arguments)) = &self.command {
                arguments.spare(file)?;
            }
        }
        let mut review = Review::default();
        let progress = Progress::default();
        let settings = match &self.command {
            Some(Command::Rules(arguments)) => return arguments.run(output),
            Some(Command::Matrix(arguments)) if arguments.check.is_none() => {
                if let Some(loaded) = arguments.scope.load(&mut review, false, &progress)?
                    && loaded.can_tabulate(&mut review)
                {
                    let matrix = arguments.scope.matrix(&loaded, &progress)?;
                    return Ok((arguments.shown(&matrix, output), Exit::Authorized));
                }
                ReviewSettings::default()
            }
            _ => match self.fill(&mut review, &progress) {
                Ok(settings) => settings.unwrap_or_default(),
                // What an input is lacks is a finding, whatever the form of the result.
                Err(problems) if reading::is_of_inputs(&problems) => {
                    reading::add(&problems, &mut review);
                    ReviewSettings::default()
                }
                Err(problems) => return Err(problems),
            },
        };
        configured::apply(&settings, &mut review);
        let asked = match &self.command {
            Some(Command::Diff(arguments)) => arguments.fail_on(),
            _ => self.scope().and_then(Scope::fail_on),
        };
        review.fail_on = asked.unwrap_or(review.fail_on);
        self.proof().write_counterexamples(&review)?;
        Ok((show(&review, self.format(), output)?, exit(review.verdict())))
    }

    /// Does what is asked, and gives how the project reads its review.
    fn fill(&self, review: &mut Review, progress: &Progress) -> Result<Option<ReviewSettings>, Problems> {
        match &self.command {
            Some(Command::Rules(_)) => Ok(None),
            Some(Command::Validate(arguments)) => {
                let loaded = arguments.scope.load(review, true, progress)?;
                Ok(loaded.map(|loaded| loaded.settings))
            }
            Some(Command::Lint(arguments)) => {
                let Some(loaded) = arguments.scope.load(review, false, progress)? else { return Ok(None) };
                review.parts.push(linted(&loaded.subject, progress));
                loaded.configured(review);
                Ok(Some(loaded.settings))
            }
            Some(Command::Matrix(arguments)) => {
                let Some(loaded) = arguments.scope.load(review, false, progress)? else { return Ok(None) };
                if let Some(path) = arguments.check.as_ref().filter(|_| loaded.can_tabulate(review)) {
                    let matrix = arguments.scope.matrix(&loaded, progress)?;
                    review.parts.push(committed::compare(&forms::matrix::file(&matrix), &files::read(path)?));
                }
                Ok(Some(loaded.settings))
            }
            Some(Command::Diff(arguments)) => arguments.run(review, progress).map(|()| None),
            Some(Command::Mutate(arguments)) => arguments.run(review, progress),
            Some(Command::Prove(arguments)) => arguments.run(Wanted::Proof, review, progress),
            Some(Command::Coverage(arguments)) => arguments.run(review, progress),
            None => {
                if self.fix {
                    review.parts.push(self.scope.fix()?);
                }
                let Some(loaded) = self.scope.load(review, true, progress)? else { return Ok(None) };
                review.parts.push(linted(&loaded.subject, progress));
                loaded.configured(review);
                if !loaded.subject.bundle.is_plain() {
                    self.compare(&loaded, review, progress);
                }
                self.proof.ask(&loaded, Wanted::Both, &self.requests, review, progress)?;
                Ok(Some(loaded.settings))
            }
        }
    }
}

impl Arguments {
    /// The table of decisions against the committed one, where there is one.
    fn compare(&self, loaded: &Loaded, review: &mut Review, progress: &Progress) {
        let golden = match files::read_optional(Path::new(GOLDEN)) {
            Ok(Some(golden)) => golden,
            Ok(None) => return,
            Err(problems) => return reading::add(&problems, review),
        };
        if !loaded.can_tabulate(review) {
            return;
        }
        match self.scope.matrix(loaded, progress) {
            Ok(matrix) => review.parts.push(committed::compare(&forms::matrix::file(&matrix), &golden)),
            // Whatever is wrong with the facts was found when they were read.
            Err(_) => review.skipped.push("matrix: it needs facts that are valid".to_owned()),
        }
    }
}

impl ProveArguments {
    fn run(
        &self,
        wanted: Wanted,
        review: &mut Review,
        progress: &Progress,
    ) -> Result<Option<ReviewSettings>, Problems> {
        let Some(loaded) = self.scope.load(review, false, progress)? else { return Ok(None) };
        self.proof.ask(&loaded, wanted, &self.requests, review, progress)?;
        Ok(Some(loaded.settings))
    }
}

impl RulesArguments {
    fn run(&self, output: &OutputArguments) -> CommandResult {
        let all = catalogue::all();
        let text = match &self.rule {
            None => forms::human::rules(&all, output.style()),
            Some(name) => match catalogue::find(name) {
                Some(rule) => forms::human::rule(rule),
                None => {
                    let known = all.iter().flat_map(|rule| [rule.number, rule.name]);
                    let help = match crate::problem::nearest(name, known) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => "`cutter review rules` lists them".to_owned(),
                    };
                    return Err(Problem::invalid(format!("there is no rule `{name}`")).help(help).into());
                }
            },
        };
        Ok((text, Exit::Authorized))
    }
}

/// The lint of a subject, as a phase of its own.
fn linted(subject: &Subject, progress: &Progress) -> Part {
    let _phase = Phase::new(progress, "lint", 0);
    lint::lint(subject)
}

/// Where the table is committed: outside the bundle, whose digest approvals name.
const GOLDEN: &str = "review/matrix.txt";

fn show(review: &Review, format: Format, output: &OutputArguments) -> Result<String, Problem> {
    Ok(match format {
        Format::Table => forms::human::review(review, output.style()),
        Format::Markdown => forms::markdown::review(review),
        Format::Json => render::json::document(&forms::document::Document::new(review)).map_err(no_json)?,
        Format::Sarif => render::json::document(&forms::sarif::review(review)).map_err(no_json)?,
        Format::Junit => forms::junit::review(review),
        Format::Github => forms::github::review(review),
    })
}

fn exit(verdict: ReviewVerdict) -> Exit {
    match verdict {
        ReviewVerdict::Clean => Exit::Authorized,
        ReviewVerdict::Undecided => Exit::Unmeasured,
        ReviewVerdict::Findings => Exit::Refuted,
        ReviewVerdict::Invalid => Exit::Invalid,
    }
}
