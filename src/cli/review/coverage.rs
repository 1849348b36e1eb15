//! `review coverage`: which policies no invariant would miss, and, where it is asked for, invariants that would.

use super::ProveArguments;
use super::proof::Wanted;
use crate::cli::shared::progress::Progress;
use crate::files;
use crate::findings::headline::counted;
use crate::findings::{Outcome, Part, Review};
use crate::problem::{Problem, Problems, Source};
use crate::review::validate;
use crate::settings::review::ReviewSettings;
use crate::subject::Subject;
use crate::testing::proposals::proposals;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct CoverageArguments {
    #[command(flatten)]
    pub prove: ProveArguments,
    /// Write an invariant for each policy that none would miss, for a person to read; a file that is there is not written over
    /// [default: invariants/proposed.cedar below the policies]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    write: Option<Option<PathBuf>>,
}

impl CoverageArguments {
    /// Refuses, before any work, a file that could not be written.
    pub fn check(&self) -> Result<(), Problem> {
        self.file().map_or(Ok(()), |file| {
            let help = "move what you keep of it to another file, and remove it, or name a file";
            files::check_free(&file).map_err(|problem| problem.help(help))
        })
    }

    /// Where proposals are written.
    fn file(&self) -> Option<PathBuf> {
        let named = self.write.as_ref()?;
        Some(named.clone().unwrap_or_else(|| self.prove.scope.folder().join(PROPOSED)))
    }

    pub fn run(&self, review: &mut Review, progress: &Progress) -> Result<Option<ReviewSettings>, Problems> {
        let prove = &self.prove;
        let Some(loaded) = prove.scope.load(review, false, progress)? else { return Ok(None) };
        let subject = &loaded.subject;
        prove.proof.ask(&loaded, Wanted::Coverage, &prove.requests, review, progress)?;
        if let Some(file) = self.file() {
            let coverage = review.parts.iter().find(|part| part.name == "coverage");
            let missed = coverage.map(|part| missed(part, subject)).unwrap_or_default();
            let proposed = proposals(subject, &missed, &prove.proof.options(), progress)?;
            let mut summary = match proposed.count {
                0 => "nothing to write".to_owned(),
                count => {
                    let text = Source::new("proposed.cedar", proposed.text.as_str());
                    files::create(&file, validate::fixed(&text).unwrap_or(proposed.text).as_bytes())?;
                    format!(
                        "{} written to {}: read them, and review again",
                        counted(count, "invariant"),
                        file.display()
                    )
                }
            };
            for (id, why) in &proposed.without {
                summary.push_str(&format!("; none for `{id}`: {why}"));
            }
            review.parts.push(Part { name: "proposed", summary, checks: Vec::new(), findings: Vec::new() });
        }
        Ok(Some(loaded.settings))
    }
}

/// The places of the policies that no invariant misses; all of them, where there are no invariants.
fn missed(part: &Part, subject: &Subject) -> Vec<usize> {
    let without = subject.invariants.iter().all(|invariant| invariant.is_promise);
    let checks = part.checks.iter().filter(|check| without || check.outcome == Outcome::Failed);
    let place = |name: &String| subject.bundle.policies().iter().position(|policy| policy.id() == name);
    checks.filter_map(|check| place(&check.name)).collect()
}

/// Where they are written, below the folder of policies.
const PROPOSED: &str = "invariants/proposed.cedar";
