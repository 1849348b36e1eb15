//! `cutter review diff`: two bundles, from folders or git revisions.

use super::Format;
use super::proof::ProofArguments;
use super::reading;
use super::scope::Least;
use crate::cli::shared::facts::DEFAULT_ENTITIES;
use crate::cli::shared::inputs::DEFAULT_CONFIG;
use crate::cli::shared::named::spare;
use crate::files;
use crate::findings::rule::Severity;
use crate::findings::{Finding, Review};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::progress::Observer;
use crate::project::{self, Nested};
use crate::review::acceptance::Acceptance;
use crate::review::changes::Side;
use crate::review::{diff, validate};
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
    /// Widening is meant
    #[arg(long)]
    allow_widening: bool,
    /// A change that is meant: the rule's number and why, or `RULE:NAME why` for one finding; can be given several times
    #[arg(long, value_name = "RULE WHY", value_parser = accept)]
    accept: Vec<Acceptance>,
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

fn accept(text: &str) -> Result<Acceptance, String> {
    Acceptance::parse(text)
        .map_err(|wrong| wrong.help.map_or(wrong.message.clone(), |help| format!("{}: {help}", wrong.message)))
}

impl DiffArguments {
    /// The least severity that fails, where the command line says so.
    pub fn fail_on(&self) -> Option<Severity> {
        self.fail_on.map(Severity::from)
    }

    /// Refuses to write a result over what is compared.
    pub fn spare(&self, output: &Path) -> Result<(), Problem> {
        let here = self.policies.display().to_string();
        for folder in [self.old.as_str(), self.new.as_ref().unwrap_or(&here)].map(Path::new) {
            let [config, facts] = beside(folder);
            spare(output, &[&config], &[folder, &facts])?;
        }
        Ok(())
    }

    pub fn run(&self, review: &mut Review, observer: &dyn Observer) -> Result<(), Problems> {
        let here = self.policies.display().to_string();
        let mut problems = Problems::new();
        let widening = self.allow_widening.then(Acceptance::of_widening);
        let accepted: Vec<Acceptance> = self.accept.iter().cloned().chain(widening.into_iter().flatten()).collect();
        let old = problems.absorb(self.read(&self.old));
        let new = problems.absorb(self.read(self.new.as_deref().unwrap_or(&here)));
        let (Some((old, mut unread)), Some((new, of_new))) = (old, new) else { return Err(problems) };
        unread.extend(of_new);
        if let Some(mut part) = problems.absorb(diff::diff(&old, &new, &self.proof.options(), &accepted, observer)) {
            part.findings.splice(0..0, unread);
            review.parts.push(part);
        }
        problems.or(())
    }

    /// One side, and what of it is not valid or was not read.
    fn read(&self, name: &str) -> Result<(Side, Vec<Finding>), Problems> {
        let folder = Path::new(name);
        let mut problems = Problems::new();
        let (sources, invariants, facts) = match folder.is_dir() {
            true => {
                let [config, facts] = beside(folder);
                let config = Some(config).filter(|path| files::is_there(path));
                let (sources, invariants) = reading::sources(folder, config.as_deref(), self.plain, &mut problems);
                let (facts, unread) = files::read_files(&facts, "json");
                problems.absorb::<()>(Err(unread));
                (sources, invariants, facts)
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
                let mut unread: Vec<Finding> = problems.iter().map(validate::finding).collect();
                if subject.bundle.is_plain() {
                    unread.extend(reading::passed_over(folder, &sources));
                }
                Ok((Side { subject, config: sources.config, facts }, unread))
            }
            _ => Err(problems.coded(Code::BundleInvalid)),
        }
    }
}

/// The configuration and the facts beside a folder of policies.
fn beside(folder: &Path) -> [PathBuf; 2] {
    let beside = folder.parent().unwrap_or(Path::new(""));
    [DEFAULT_CONFIG, DEFAULT_ENTITIES].map(|name| beside.join(name))
}
