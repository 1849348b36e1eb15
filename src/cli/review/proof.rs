//! How proofs are made: the solver, its limits, the cache, and where counterexamples are written.

use super::reading;
use super::scope::Loaded;
use crate::cli::shared::exit::no_json;
use crate::cli::shared::solver::SolverArguments;
use crate::files::{self, Output};
use crate::findings::headline::counted;
use crate::findings::{Outcome, Part, Review};
use crate::problem::{Problem, Problems, Source};
use crate::progress::Observer;
use crate::prove::coverage;
use crate::prove::workshop::Workshop;
use crate::prove::{self, ProveOptions};
use crate::render;
use clap::Args;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is asked of the solver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The properties.
    Proof,
    /// Which policy nothing would miss.
    Coverage,
    /// Both.
    Both,
}

impl Wanted {
    fn name(self) -> &'static str {
        match self {
            Self::Proof => "prove",
            Self::Coverage => "coverage",
            Self::Both => "prove and coverage",
        }
    }
}

/// How proofs are made.
#[derive(Args, Debug)]
pub struct ProofArguments {
    #[command(flatten)]
    solver: SolverArguments,
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

/// The requests that are stored beside the project.
#[derive(Args, Debug)]
pub struct RequestArguments {
    /// Requests that show what a solver would have to look for, one a line; each counts only where Cedar confirms it
    /// [default: review/requests.jsonl, where it exists]
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Find those that are needed, and rewrite that file
    #[arg(long)]
    write_requests: bool,
}

impl RequestArguments {
    /// A file that the command line names must be there, unless it is to be written.
    fn read(&self) -> Result<Option<Source>, Problems> {
        match self.requests.is_none() || self.write_requests {
            true => files::read_optional(self.file()),
            false => files::read(self.file()).map(Some),
        }
    }

    /// Writes what the proofs needed, where that is asked for.
    fn write(&self, shop: &Workshop<'_>, review: &mut Review) -> Result<(), Problem> {
        if self.write_requests {
            let (path, text) = (self.file(), shop.stored().written());
            files::write(path, &text)?;
            let summary = format!("{} written to {}", counted(text.lines().count(), "request"), path.display());
            review.parts.push(Part { name: "requests", summary, checks: Vec::new(), findings: Vec::new() });
        }
        Ok(())
    }

    /// Refuses, before any work, a file that could not be written.
    pub fn check(&self) -> Result<(), Problems> {
        let Some(path) = self.written() else { return Ok(()) };
        files::check(path)?;
        let source = files::read_optional(path)?;
        let is_request = |line: &&str| serde_json::from_str::<BTreeMap<String, IgnoredAny>>(line).is_ok();
        match source.iter().flat_map(|source| source.text().lines()).find(|line| !is_request(line)) {
            Some(line) => {
                let message = format!("`{}` is not written over: it holds what is no request", path.display());
                let source = Source::new(path.display().to_string(), line);
                Err(Problem::failure(message).of(&source).help("name another file with --requests").into())
            }
            None => Ok(()),
        }
    }

    /// The file that is written.
    pub fn written(&self) -> Option<&Path> {
        self.write_requests.then(|| self.file())
    }

    pub fn file(&self) -> &Path {
        self.requests.as_deref().unwrap_or(Path::new(REQUESTS))
    }
}

impl ProofArguments {
    pub fn options(&self) -> ProveOptions {
        let cache = if self.no_cache { None } else { self.cache.clone().or_else(default_cache) };
        ProveOptions { cache, ..self.solver.options() }
    }

    /// Proves, and covers, what can be proved; both share what the solver answered.
    pub fn ask(
        &self,
        loaded: &Loaded,
        wanted: Wanted,
        requests: &RequestArguments,
        review: &mut Review,
        observer: &dyn Observer,
    ) -> Result<(), Problems> {
        let subject = &loaded.subject;
        if !loaded.can_ask(wanted.name(), review) {
            return Ok(());
        }
        if !subject.bundle.is_provable() {
            let why = match subject.bundle.has_schema() {
                true => "policies that are not valid cannot be proved",
                false => "there is no schema: Cedar's validator, proofs and coverage need one",
            };
            review.skipped.push(format!("prove: {why}"));
            return Ok(());
        }
        let stored = match requests.read() {
            // The solver looks for what they would have shown.
            Err(problems) if reading::is_of_inputs(&problems) => {
                reading::add(&problems, review);
                None
            }
            stored => stored?,
        };
        let options = ProveOptions { requests: stored, keeps_requests: requests.write_requests, ..self.options() };
        let shop = Workshop::new(subject, &options);
        let (mut unproved, mut is_open) = (BTreeSet::new(), false);
        if wanted != Wanted::Coverage {
            let proved = prove::prove_in(&shop, observer);
            if let Ok(part) = &proved {
                let open = part.checks.iter().filter(|check| check.outcome != Outcome::Held);
                unproved = open.filter_map(|check| Some(check.name.rsplit_once(": ")?.1.to_owned())).collect();
                is_open = part.checks.iter().any(|check| matches!(check.outcome, Outcome::Undecided(_)));
            }
            part(proved, "prove", review);
        }
        if wanted != Wanted::Proof && is_open {
            review.skipped.push("coverage: it says something only where every property could be judged".to_owned());
        } else if wanted != Wanted::Proof {
            part(coverage::coverage_in(&shop, &unproved, observer), "coverage", review);
        }
        requests.write(&shop, review)?;
        Ok(())
    }

    pub fn write_counterexamples(&self, review: &Review) -> Result<(), Problems> {
        let Some(folder) = &self.counterexamples else { return Ok(()) };
        let mut outputs = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for finding in review.findings() {
            let Some(shown) = &finding.counterexample else { continue };
            // What is named after its place has signs that a name of a file cannot have.
            let about =
                finding.about.replace(|letter: char| !(letter.is_alphanumeric() || "-_. ".contains(letter)), "-");
            let mut name = format!("{}-{about}", finding.rule.name);
            // One policy may have several findings of one rule.
            let count = known.entry(name.clone()).or_default();
            *count += 1;
            if *count > 1 {
                name = format!("{name}-{count}");
            }
            let mut add = |kind: &str, value: &serde_json::Value| -> Result<(), Problem> {
                let text = render::json::document(value).map_err(no_json)?;
                outputs.push(Output::replacing(folder.join(format!("{name}.{kind}.json")), text));
                Ok(())
            };
            add("request", &shown.request)?;
            add("entities", &shown.entities)?;
            add("test", &shown.test_case(&name))?;
        }
        Ok(files::write_together(&outputs)?)
    }

    /// The folder that counterexamples are written into.
    pub fn folder(&self) -> Option<&Path> {
        self.counterexamples.as_deref()
    }

    /// Refuses, before any work, a folder that counterexamples could not be written into.
    pub fn check(&self) -> Result<(), Problem> {
        self.counterexamples.as_deref().map_or(Ok(()), files::check_folder)
    }
}

/// `cutter/review` below the user's cache folder: never below the project, where a change under review could fill it.
fn default_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join(Path::new("cutter/review")))
}

/// Beside the committed table, and outside the bundle as it is.
const REQUESTS: &str = "review/requests.jsonl";

/// Adds a part; one that could not be done leaves the review undecided, with what to do about it.
pub fn part(result: Result<Part, Problem>, name: &str, review: &mut Review) {
    match result {
        Ok(part) => review.parts.push(part),
        Err(problem) => {
            let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
            review.skipped.push(format!("{name}: {}{help}", problem.message));
        }
    }
}
