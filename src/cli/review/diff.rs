//! `cutter review diff`: two bundles, from folders or git revisions.

use super::Format;
use super::proof::ProofArguments;
use super::reading;
use super::scope::Least;
use crate::files;
use crate::findings::Review;
use crate::findings::rule::Severity;
use crate::problem::{Code, Coded as _, Problems, Source};
use crate::progress::Observer;
use crate::project::{self, Nested};
use crate::review::acceptance::Acceptance;
use crate::review::changes::Side;
use crate::review::diff;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct DiffArguments {
    /// The bundle before: a folder, or a git revision
    #[arg(value_name = "OLD")]
    old: String,
    /// The bundle after: a folder, or a git revision [default: the folder of --policies]
    #[arg(value_name = "NEW")]
    new: Option<String>,
    /// The folder of the bundle in a git revision, and NEW where it is not given; configuration and facts lie beside it
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Widening of mutating actions is meant
    #[arg(long)]
    allow_widening: bool,
    /// A change that is meant: the rule's number and why, or `RULE:NAME why` for one finding; can be given several times
    #[arg(long, value_name = "RULE WHY")]
    accept: Vec<String>,
    /// Review it as any Cedar policies, whatever they were written for
    #[arg(long)]
    plain: bool,
    /// The least severity that fails [default: warning]
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Least>,
    #[command(flatten)]
    pub proof: ProofArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl DiffArguments {
    /// The least severity that fails, where the command line says so.
    pub fn fail_on(&self) -> Option<Severity> {
        self.fail_on.map(Severity::from)
    }

    pub fn run(&self, review: &mut Review, observer: &dyn Observer) -> Result<(), Problems> {
        let here = self.policies.display().to_string();
        let mut problems = Problems::new();
        let widening = self.allow_widening.then(Acceptance::of_widening);
        let meant =
            self.accept.iter().filter_map(|text| problems.absorb(Acceptance::parse(text).map_err(Problems::from)));
        let accepted: Vec<Acceptance> = meant.collect::<Vec<_>>().into_iter().chain(widening).collect();
        let old = problems.absorb(self.read(&self.old));
        let new = problems.absorb(self.read(self.new.as_deref().unwrap_or(&here)));
        let (Some(old), Some(new)) = (old, new) else { return Err(problems) };
        let part = problems.absorb(diff::diff(&old, &new, &self.proof.options()?, &accepted, observer));
        review.parts.extend(part);
        problems.or(())
    }

    fn read(&self, name: &str) -> Result<Side, Problems> {
        let folder = Path::new(name);
        let mut problems = Problems::new();
        let is_whole = !folder.is_dir();
        let (sources, invariants, facts) = match folder.is_dir() {
            true => {
                let beside = folder.parent().unwrap_or(Path::new(""));
                let config = Some(beside.join("cutter.toml")).filter(|path| path.exists());
                let (sources, _) = reading::sources(folder, config.as_deref(), self.plain, &mut problems);
                let facts: Vec<Source> = files::read_files(&beside.join("entities"), "json")?;
                (sources, project::read_invariants(folder)?, facts)
            }
            false => {
                let read =
                    |nested| project::read_revision(name, &self.policies, nested).coded(Code::RevisionUnreadable);
                let all = read(Nested::Read)?;
                let read = if reading::is_plain(&all.bundle, self.plain) { all } else { read(Nested::Refused)? };
                (read.bundle, read.invariants, read.facts)
            }
        };
        let subject = reading::subject(&sources, &invariants, self.plain, &mut problems);
        match subject {
            Some(subject) if problems.is_empty() || subject.bundle.is_plain() => {
                Ok(Side { subject, config: sources.config, facts, is_whole })
            }
            _ => Err(problems.coded(Code::BundleInvalid)),
        }
    }
}
