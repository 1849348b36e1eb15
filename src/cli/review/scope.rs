//! What a review reads: bundle, invariants, facts and plans, with all that is wrong as findings.

use crate::cli::shared::inputs::BundleArguments;
use crate::facts::Facts;
use crate::findings::Review;
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems, Source};
use crate::progress::{Observer, Phase};
use crate::review::matrix::{self, Matrix};
use crate::review::validate;
use crate::settings::Config;
use crate::subject::Subject;
use crate::subject::invariant;
use crate::{files, json, project};
use clap::Args;
use std::path::{Path, PathBuf};

/// What is reviewed.
#[derive(Args, Debug)]
pub struct Scope {
    #[command(flatten)]
    bundle: BundleArguments,
    /// The folder of facts [default: entities, where it exists]
    #[arg(long, value_name = "DIR")]
    entities: Option<PathBuf>,
    /// The folder of plans [default: plans, where it exists]
    #[arg(long, value_name = "DIR")]
    plans: Option<PathBuf>,
}

impl Scope {
    /// Reads everything; `None` if the bundle cannot be reviewed further, which a finding then says.
    pub fn load(
        &self,
        review: &mut Review,
        with_inputs: bool,
        observer: &dyn Observer,
    ) -> Result<Option<Subject>, Problems> {
        let _phase = Phase::new(observer, "validate", 0);
        let mut problems = Problems::new();
        self.bundle.check()?;
        let (folder, config_path) = (self.bundle.folder(), self.bundle.config_path());
        let sources = project::read_bundle(folder, config_path.as_deref())?;
        let invariant_sources = project::read_invariants(folder)?;
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
        if with_inputs && bundle.is_none() {
            let what = "facts and plans: they are held against the schema once schema and policies are valid";
            review.skipped.push(what.to_owned());
        }
        match (bundle, invariants) {
            (Some(bundle), Some(invariants)) => Ok(Some(Subject::new(bundle, invariants)?)),
            _ => Ok(None),
        }
    }

    fn entities_folder(&self) -> &Path {
        self.entities.as_deref().unwrap_or(Path::new("entities"))
    }

    /// The table of decisions over the facts of this scope.
    pub fn matrix(&self, subject: &Subject, observer: &dyn Observer) -> Result<Matrix, Problems> {
        let facts = Facts::admit(&project::read_entities(self.entities_folder())?, &subject.bundle)?;
        matrix::matrix(subject, &facts, observer)
    }

    /// Checks facts, plans and configuration against the bundle.
    pub fn check_inputs(
        &self,
        bundle: Option<&PolicyBundle>,
        config: Option<&Source>,
        read: &mut Vec<Source>,
        problems: &mut Problems,
    ) -> Result<(), Problems> {
        let config = config.and_then(|source| problems.absorb(Config::parse(source)));
        if self.entities.is_some() || self.entities_folder().exists() {
            let raw = project::read_entities(self.entities_folder())?;
            read.extend(raw.sources.iter().cloned());
            if let Some(bundle) = bundle {
                problems.absorb(Facts::admit(&raw, bundle).map(drop));
            }
        }
        let plans = self.plans.as_deref().unwrap_or(Path::new("plans"));
        if self.plans.is_some() && !plans.is_dir() {
            let problem = Problem::failure(format!("the folder of plans `{}` does not exist", plans.display()));
            return Err(problem.help("correct `--plans`, or leave it out").into());
        }
        for source in files::read_files(plans, "json")? {
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
