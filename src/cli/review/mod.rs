//! `cutter review`: the security review of a bundle. It reads, checks and proves; it decides nothing and runs nothing.

mod diff;
mod matrix;
mod proof;
mod scope;

use super::common::{Format, OutputArguments, unsupported};
use super::{Exit, Outcome, no_json};
use crate::files;
use crate::problem::Problem;
use crate::render::{self, review as face};
use crate::review::{Review, Verdict, lint, rules};
use clap::{Args, Subcommand};
use diff::DiffArguments;
use matrix::{MatrixArguments, check_matrix};
use proof::ProofArguments;
use scope::Scope;
use std::path::Path;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    proof: ProofArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Parse and validate policies, invariants, facts and plans, and check their layout
    Validate(Scope),
    /// Look for weaknesses in the text and shape of policies
    Lint(Scope),
    /// Prove the invariants over every request type of the schema
    Prove(ProveArguments),
    /// Drop each policy in turn: which of them would no invariant miss?
    Coverage(ProveArguments),
    /// What does NEW allow that OLD denies, and the other way round?
    Diff(DiffArguments),
    /// Who may do what: a table to commit, and to check against
    Matrix(MatrixArguments),
    /// List the rules, or explain one
    Rules(RulesArguments),
}

#[derive(Args, Debug)]
struct ProveArguments {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    proof: ProofArguments,
}

#[derive(Args, Debug)]
struct RulesArguments {
    /// The number or name of one rule
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let mut review = Review::default();
        match &self.command {
            Some(Command::Rules(arguments)) => return arguments.run(),
            Some(Command::Validate(scope)) => {
                scope.load(&mut review, true)?;
            }
            Some(Command::Lint(scope)) => {
                if let Some(subject) = scope.load(&mut review, false)? {
                    review.parts.push(lint::lint(&subject));
                }
            }
            Some(Command::Matrix(arguments)) => {
                let Some(subject) = arguments.scope.load(&mut review, false)? else {
                    return Ok((show(&review, output)?, exit(review.verdict())));
                };
                let text = arguments.scope.matrix(&subject)?;
                match &arguments.check {
                    None => return Ok((text, Exit::Authorized)),
                    Some(path) => review.parts.push(check_matrix(&text, &files::read(path)?)),
                }
            }
            Some(Command::Diff(arguments)) => arguments.run(&mut review)?,
            Some(Command::Prove(arguments)) => {
                if let Some(subject) = arguments.scope.load(&mut review, false)? {
                    arguments.proof.prove(&subject, &mut review)?;
                }
            }
            Some(Command::Coverage(arguments)) => {
                if let Some(subject) = arguments.scope.load(&mut review, false)? {
                    arguments.proof.cover(&subject, &mut review)?;
                }
            }
            None => {
                if let Some(subject) = self.scope.load(&mut review, true)? {
                    review.parts.push(lint::lint(&subject));
                    let golden = Path::new(GOLDEN);
                    if golden.exists() {
                        review.parts.push(check_matrix(&self.scope.matrix(&subject)?, &files::read(golden)?));
                    }
                    self.proof.prove(&subject, &mut review)?;
                    if review.verdict() == Verdict::Clean {
                        self.proof.cover(&subject, &mut review)?;
                    } else {
                        review.skipped.push("coverage: it says something only where everything else holds".to_owned());
                    }
                }
            }
        }
        self.proof.write_counterexamples(&review)?;
        if let Some(Command::Diff(arguments)) = &self.command {
            arguments.proof.write_counterexamples(&review)?;
        }
        if let Some(Command::Prove(arguments) | Command::Coverage(arguments)) = &self.command {
            arguments.proof.write_counterexamples(&review)?;
        }
        Ok((show(&review, output)?, exit(review.verdict())))
    }
}

impl RulesArguments {
    fn run(&self) -> Outcome {
        let all = rules::all();
        let text = match &self.rule {
            None => face::human::rules(&all),
            Some(name) => match rules::find(name) {
                Some(rule) => face::human::rule(rule),
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

/// Where the table is committed: outside the bundle, whose digest approvals name.
const GOLDEN: &str = "review/matrix.txt";

fn show(review: &Review, output: &OutputArguments) -> Result<String, Problem> {
    Ok(match output.format {
        Format::Table => face::human::review(review, output.style()),
        Format::Markdown => face::markdown::review(review),
        Format::Json => render::json::document(&face::document::Document::new(review)).map_err(no_json)?,
        Format::Sarif => render::json::document(&face::sarif::review(review)).map_err(no_json)?,
        Format::Junit => face::junit::review(review),
        Format::Github => face::github::review(review),
        other @ (Format::Ndjson | Format::Line) => return Err(unsupported(other, "review")),
    })
}

fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Clean => Exit::Authorized,
        Verdict::Undecided => Exit::Unmeasured,
        Verdict::Findings => Exit::Refuted,
        Verdict::Invalid => Exit::Invalid,
    }
}
