//! `cutter review diff`: two bundles, from folders or git revisions.

use super::Format;
use super::proof::{ProofArguments, part};
use crate::findings::Review;
use crate::findings::headline::DIFF;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problems};
use crate::progress::Observer;
use crate::project;
use crate::review::diff;
use crate::subject::Subject;
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
    /// The folder of the bundle in a git revision, and NEW where it is not given
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Widening of mutating actions is meant
    #[arg(long)]
    allow_widening: bool,
    #[command(flatten)]
    pub proof: ProofArguments,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl DiffArguments {
    pub fn run(&self, review: &mut Review, observer: &dyn Observer) -> Result<(), Problems> {
        let here = self.policies.display().to_string();
        let mut problems = Problems::new();
        let old = problems.absorb(self.read(&self.old));
        let new = problems.absorb(self.read(self.new.as_deref().unwrap_or(&here)));
        let (Some(old), Some(new)) = (old, new) else { return Err(problems) };
        let found = diff::diff(&old, &new, &self.proof.options()?, self.allow_widening, observer);
        part(found, DIFF, review);
        Ok(())
    }

    pub fn read(&self, name: &str) -> Result<Subject, Problems> {
        let folder = Path::new(name);
        let sources = match folder.is_dir() {
            true => project::read_bundle(folder, None)?,
            false => project::read_bundle_at(name, &self.policies).coded(Code::RevisionUnreadable)?,
        };
        Ok(Subject::new(PolicyBundle::parse(&sources).coded(Code::BundleInvalid)?, Vec::new())?)
    }
}
