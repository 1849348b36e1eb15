//! `review mutate`: each policy changed in small ways, and who would notice.

use super::Format;
use super::proof::{ProofArguments, part};
use super::scope::Scope;
use crate::cli::shared::progress::Progress;
use crate::files;
use crate::findings::Review;
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems};
use crate::project;
use crate::settings::review::ReviewSettings;
use crate::testing::mutants::{Judges, mutate};
use crate::testing::{Case, Evaluator, Inputs};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args, Debug)]
pub struct MutateArguments {
    #[command(flatten)]
    pub scope: Scope,
    #[command(flatten)]
    pub proof: ProofArguments,
    /// Cases that may notice: a file or folder, as `cutter test` takes them [default: tests/policy, where it exists]
    #[arg(long, value_name = "PATH")]
    cases: Vec<PathBuf>,
    /// How long it may take; what was not run by then is listed, and nothing is clean [default: as long as it takes]
    #[arg(long, value_name = "SECONDS")]
    budget: Option<u64>,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl MutateArguments {
    pub fn run(&self, review: &mut Review, progress: &Progress) -> Result<Option<ReviewSettings>, Problems> {
        let Some((subject, settings)) = self.scope.load(review, false, progress)? else { return Ok(None) };
        if subject.bundle.is_plain() {
            let what = "mutate: it asks cases and invariants, which only a bundle of cutter's own has";
            review.skipped.push(what.to_owned());
            return Ok(Some(settings));
        }
        let cases = self.cases()?;
        let (config, facts) = (self.scope.config()?, self.scope.recorded()?);
        let invariants = self.scope.invariants()?;
        let asked = subject_without(&subject.bundle)?;
        let notices = |bundle: &PolicyBundle| {
            let plan = |path: &str| files::read(Path::new(path));
            let inputs = Inputs { bundle, subject: &asked, config: config.as_ref(), facts: &facts, plan: &plan };
            let Ok(mut evaluator) = Evaluator::new(inputs) else { return true };
            // A case that can no longer be asked is noticed, too.
            !cases.iter().all(|case| evaluator.evaluate(case).is_ok_and(|result| result.passed))
        };
        let table = files::read(Path::new(super::GOLDEN)).ok();
        let judges = Judges {
            cases: &notices,
            table: table.as_ref().map(|table| table.text()),
            invariants: &invariants,
            budget: self.budget.map(Duration::from_secs),
        };
        part(mutate(subject, &judges, &self.proof.options()?, progress), "mutate", review);
        Ok(Some(settings))
    }

    /// Every case that may notice; properties that were found are asked apart.
    fn cases(&self) -> Result<Vec<Case>, Problems> {
        let default = PathBuf::from(DEFAULT_CASES);
        let paths: Vec<&PathBuf> = match self.cases.is_empty() {
            true => Some(&default).filter(|path| path.exists()).into_iter().collect(),
            false => self.cases.iter().collect(),
        };
        let mut problems = Problems::new();
        let mut cases = Vec::new();
        for path in paths {
            cases.extend(problems.absorb(project::read_cases(path)).into_iter().flatten());
        }
        problems.or(cases)
    }
}

/// What cases need of the invariants: nothing, as properties are tried apart.
fn subject_without(bundle: &PolicyBundle) -> Result<crate::subject::Subject, Problem> {
    crate::subject::Subject::new(bundle.clone(), Vec::new())
}

const DEFAULT_CASES: &str = "tests/policy";
