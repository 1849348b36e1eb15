//! `cutter review`: the security review of a bundle. It reads, checks and proves; it decides nothing and runs nothing.

use super::common::{BundleArguments, Format, OutputArguments, unsupported};
use super::{Exit, Outcome, no_json};
use crate::config::Config;
use crate::facts::Facts;
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems, Source};
use crate::render::{self, review as face};
use crate::review::prove::solver::SolverOptions;
use crate::review::prove::{self, ProveOptions};
use crate::review::subject::Subject;
use crate::review::{
    Check, Finding, Part, Place, Review, Verdict, coverage, diff, invariant, lint, matrix, rules, validate,
};
use crate::{files, git, json};
use clap::{Args, Subcommand};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// What is reviewed.
#[derive(Args, Debug)]
struct Scope {
    #[command(flatten)]
    bundle: BundleArguments,
    /// The folder of facts, checked where it exists
    #[arg(long, value_name = "DIR", default_value = "entities")]
    entities: PathBuf,
    /// The folder of plans, checked where it exists
    #[arg(long, value_name = "DIR", default_value = "plans")]
    plans: PathBuf,
}

#[derive(Args, Debug)]
struct ProveArguments {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    proof: ProofArguments,
}

/// How proofs are made.
#[derive(Args, Debug)]
struct ProofArguments {
    /// The solver, cvc5 1.0.3 or newer [default: the variable CVC5, or `cvc5`]
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
    /// The longest that the solver may think about one query
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    limit: f64,
    /// How many solvers work side by side [default: the number of processors, at most 4]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Where answers are kept; whoever can write there can claim any proof [default: below the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Recall and keep nothing
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// Write each counterexample here: a request for `cedar authorize`, its entities, and a test case
    #[arg(long, value_name = "DIR")]
    counterexamples: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct DiffArguments {
    /// The bundle before: a folder, or a git revision
    #[arg(value_name = "OLD")]
    old: String,
    /// The bundle after: a folder, or a git revision [default: the folder of --policies]
    #[arg(value_name = "NEW")]
    new: Option<String>,
    /// The folder of the bundle in a git revision, and NEW where it is not given
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Widening of mutating actions is meant
    #[arg(long)]
    allow_widening: bool,
    #[command(flatten)]
    proof: ProofArguments,
}

#[derive(Args, Debug)]
struct MatrixArguments {
    #[command(flatten)]
    scope: Scope,
    /// Compare with this file instead of printing
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
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

impl Scope {
    /// Reads everything; `None` if the bundle cannot be reviewed further, which a finding then says.
    fn load(&self, review: &mut Review, with_inputs: bool) -> Result<Option<Subject>, Problems> {
        let mut problems = Problems::new();
        let (folder, config_path) = (self.bundle.folder(), self.bundle.config_path());
        let sources = files::read_bundle(folder, config_path.as_deref())?;
        let invariant_sources = files::read_invariants(folder)?;
        let bundle = problems.absorb(PolicyBundle::parse(&sources));
        let invariants =
            bundle.as_ref().and_then(|bundle| problems.absorb(invariant::parse(&invariant_sources, bundle.schema())));
        let cedar: Vec<Source> = sources.policies.iter().chain(&invariant_sources).cloned().collect();
        let mut read = sources.schemas.clone();
        if with_inputs {
            self.check_inputs(bundle.as_ref(), sources.config.as_ref(), &mut read, &mut problems)?;
        }
        if with_inputs || !problems.is_empty() {
            review.parts.push(validate::validate(&cedar, &read, &problems));
        }
        match (bundle, invariants) {
            (Some(bundle), Some(invariants)) => Ok(Some(Subject::new(bundle, invariants)?)),
            _ => Ok(None),
        }
    }

    /// The table of decisions over the facts of this scope.
    fn matrix(&self, subject: &Subject) -> Result<String, Problems> {
        let facts = Facts::admit(&files::read_entities(&self.entities)?, &subject.bundle)?;
        matrix::matrix(subject, &facts)
    }

    /// Checks facts, plans and configuration against the bundle.
    fn check_inputs(
        &self,
        bundle: Option<&PolicyBundle>,
        config: Option<&Source>,
        read: &mut Vec<Source>,
        problems: &mut Problems,
    ) -> Result<(), Problems> {
        let config = config.and_then(|source| problems.absorb(Config::parse(source)));
        if self.entities.exists() {
            let raw = files::read_entities(&self.entities)?;
            read.extend(raw.sources.iter().cloned());
            if let Some(bundle) = bundle {
                problems.absorb(Facts::admit(&raw, bundle).map(drop));
            }
        }
        for source in files::read_json_files(&self.plans)? {
            match bundle {
                Some(bundle) => {
                    problems.absorb(RunPlan::parse(&source, bundle.schema(), config.as_ref()).map(drop));
                }
                None => drop(problems.absorb(json::parse(&source).map(drop))),
            }
            read.push(source);
        }
        Ok(())
    }
}

impl ProofArguments {
    fn options(&self) -> Result<ProveOptions, Problem> {
        let limit = Duration::try_from_secs_f64(self.limit).ok().filter(|limit| !limit.is_zero());
        let limit = limit.ok_or_else(|| Problem::invalid("`--limit` is not a number of seconds above zero"))?;
        let from_environment = || std::env::var_os("CVC5").filter(|value| !value.is_empty());
        let program = self.solver.clone().map(PathBuf::into_os_string).or_else(from_environment);
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let most = NonZeroUsize::MIN.saturating_add(3);
        Ok(ProveOptions {
            solver: SolverOptions { program: program.unwrap_or_else(|| "cvc5".into()), limit },
            jobs: self.jobs.unwrap_or(processors.min(most)),
            cache: if self.no_cache { None } else { self.cache.clone().or_else(default_cache) },
        })
    }

    fn prove(&self, subject: &Subject, review: &mut Review) -> Result<(), Problems> {
        part(prove::prove(subject, &self.options()?), "prove", review);
        Ok(())
    }

    fn cover(&self, subject: &Subject, review: &mut Review) -> Result<(), Problems> {
        part(coverage::coverage(subject, &self.options()?), "coverage", review);
        Ok(())
    }

    fn write_counterexamples(&self, review: &Review) -> Result<(), Problems> {
        let Some(folder) = &self.counterexamples else { return Ok(()) };
        std::fs::create_dir_all(folder)
            .map_err(|error| Problem::failure(format!("`{}` cannot be made: {error}", folder.display())))?;
        for finding in review.findings() {
            let Some(shown) = &finding.counterexample else { continue };
            let name = format!("{}-{}", finding.rule.name, finding.about);
            let write = |kind: &str, value: &serde_json::Value| {
                let text = render::json::document(value).map_err(no_json)?;
                files::write(&folder.join(format!("{name}.{kind}.json")), &text)
            };
            write("request", &shown.request)?;
            write("entities", &shown.entities)?;
            write("test", &shown.test_case(&name))?;
        }
        Ok(())
    }
}

impl DiffArguments {
    fn run(&self, review: &mut Review) -> Result<(), Problems> {
        let here = self.policies.display().to_string();
        let mut problems = Problems::new();
        let old = problems.absorb(self.read(&self.old));
        let new = problems.absorb(self.read(self.new.as_deref().unwrap_or(&here)));
        let (Some(old), Some(new)) = (old, new) else { return Err(problems) };
        part(diff::diff(&old, &new, &self.proof.options()?, self.allow_widening), "diff", review);
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Subject, Problems> {
        let folder = Path::new(name);
        let sources = match folder.is_dir() {
            true => files::read_bundle(folder, None)?,
            false => git::read_bundle_at(name, &self.policies)?,
        };
        Ok(Subject::new(PolicyBundle::parse(&sources)?, Vec::new())?)
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

/// The table against the committed one.
fn check_matrix(text: &str, golden: &Source) -> Part {
    let same = text.split_inclusive('\n').zip(golden.text().split_inclusive('\n')).take_while(|(a, b)| a == b);
    let start: usize = same.map(|(line, _)| line.len()).sum();
    let mut part = Part { name: "matrix", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    let equal = text == golden.text();
    if !equal {
        let line =
            |text: &str| text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("nothing more").to_owned();
        let end = start + golden.text().get(start..).map_or(0, |rest| rest.find('\n').unwrap_or(rest.len()));
        let message = format!("the table has `{}` where the policies now give `{}`", line(golden.text()), line(text));
        part.findings.push(
            Finding::new(&rules::MATRIX_DIFFERS, golden.name(), message).at(Place::new(golden, start..end)).help(
                format!("read the difference; if it is meant, run `cutter review matrix --output {}`", golden.name()),
            ),
        );
    }
    let outcome = if equal { crate::review::Outcome::Held } else { crate::review::Outcome::Failed };
    part.checks.push(Check { name: golden.name().to_owned(), outcome });
    part.summary =
        format!("{} lines, {}", text.lines().count(), if equal { "as committed" } else { "not as committed" });
    part
}

/// Where the table is committed: outside the bundle, whose digest approvals name.
const GOLDEN: &str = "review/matrix.txt";

/// Adds a part; one that could not be done leaves the review undecided, with what to do about it.
fn part(result: Result<Part, Problem>, name: &str, review: &mut Review) {
    match result {
        Ok(part) => review.parts.push(part),
        Err(problem) => {
            let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
            review.skipped.push(format!("{name}: {}{help}", problem.message));
        }
    }
}

fn show(review: &Review, output: &OutputArguments) -> Result<String, Problem> {
    Ok(match output.format {
        Format::Table => face::human::review(review, output.style()),
        Format::Markdown => face::markdown::review(review),
        Format::Json => render::json::document(&face::document::Document::new(review)).map_err(no_json)?,
        Format::Sarif => render::json::document(&face::sarif::review(review)).map_err(no_json)?,
        Format::Junit => face::junit::review(review),
        Format::Github => face::github::review(review),
        other @ Format::Ndjson => return Err(unsupported(other, "review")),
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

/// `cutter/review` below the user's cache folder: never below the project, where a change under review could fill it.
fn default_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join(Path::new("cutter/review")))
}
