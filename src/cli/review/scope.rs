//! What a review reads: bundle, invariants, facts and plans, with all that is wrong as findings.

use super::reading;
use crate::cli::shared::inputs::BundleArguments;
use crate::facts::{Facts, RawFacts};
use crate::findings::rule::Severity;
use crate::findings::{Check, Finding, Outcome, Part, Review, rules};
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems, Source};
use crate::progress::{Observer, Phase};
use crate::review::matrix::{self, Matrix};
use crate::review::validate;
use crate::review::{effects, facts};
use crate::settings::Config;
use crate::settings::observation::CONDUCT;
use crate::settings::review::ReviewSettings;
use crate::subject::Subject;
use crate::{files, json, project};
use clap::{Args, ValueEnum};
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
    /// Review it as any Cedar policies, whatever they were written for: nothing is asked that only cutter knows
    #[arg(long)]
    plain: bool,
    /// The least severity that fails [default: warning, or `fail_on` of `[review]`]
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Least>,
}

/// The least severity of a finding that makes a review fail.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum Least {
    /// Whatever is found
    Note,
    /// Weaknesses and openings
    Warning,
    /// Openings only
    Error,
}

impl From<Least> for Severity {
    fn from(least: Least) -> Self {
        match least {
            Least::Note => Self::Note,
            Least::Warning => Self::Warning,
            Least::Error => Self::Error,
        }
    }
}

impl Scope {
    /// Reads everything; `None` if the bundle cannot be reviewed further, which a finding then says.
    pub fn load(
        &self,
        review: &mut Review,
        with_inputs: bool,
        observer: &dyn Observer,
    ) -> Result<Option<(Subject, ReviewSettings)>, Problems> {
        let _phase = Phase::new(observer, "validate", 0);
        let mut problems = Problems::new();
        let (folder, config_path) = (self.bundle.folder(), self.bundle.config_path());
        if !self.plain {
            self.bundle.check()?;
        }
        if !folder.is_dir() {
            return project::read_bundle(folder, None).map(|_| None);
        }
        let (sources, invariants) = reading::sources(folder, config_path.as_deref(), self.plain, &mut problems);
        let subject = reading::subject(&sources, &invariants, self.plain, &mut problems);
        let is_plain = reading::is_plain(&sources, self.plain);
        let cedar: Vec<Source> = sources.policies.iter().chain(&invariants).cloned().collect();
        let mut read: Vec<Source> = sources.schemas.iter().chain(&sources.people).cloned().collect();
        let mut config = None;
        if !is_plain {
            config = sources.config.as_ref().and_then(|source| problems.absorb(Config::parse(source)));
            if with_inputs {
                let bundle = subject.as_ref().map(|subject| &subject.bundle);
                self.check_inputs(bundle, config.as_ref(), &mut read, &mut problems)?;
            }
        }
        if with_inputs || !problems.is_empty() {
            let mut part = validate::validate(&cedar, &read, &problems);
            for template in subject.iter().flat_map(|subject| subject.bundle.unlinked_templates()) {
                let message = "nothing links the template: it is validated, and nothing else is asked of it";
                part.findings.push(Finding::new(&rules::NOT_REVIEWED, template.as_str(), message));
            }
            review.parts.push(part);
        }
        review.more += problems.count() - problems.iter().len();
        if with_inputs && subject.is_none() && !is_plain {
            let what = "facts and plans: they are held against the schema once schema and policies are valid";
            review.skipped.push(what.to_owned());
        }
        // A bundle without a configuration observes nothing.
        let config = config.unwrap_or_default();
        let names = config.evidence.names();
        let of_config = sources.config.is_none() || !names.is_empty();
        Ok(subject.map(|mut subject| {
            let conduct = CONDUCT.into_iter().map(str::to_owned);
            subject.observed = of_config.then(|| names.into_iter().chain(conduct).collect());
            (subject, config.review)
        }))
    }

    /// The least severity that fails, where the command line says so.
    pub fn fail_on(&self) -> Option<Severity> {
        self.fail_on.map(Severity::from)
    }

    /// Puts right what needs no thinking in the files of the bundle, and says which were written.
    pub fn fix(&self) -> Result<Part, Problems> {
        let mut problems = Problems::new();
        let mut checks = Vec::new();
        for path in files::below(self.bundle.folder())? {
            let name = path.to_string_lossy().into_owned();
            if ![".cedar", ".cedarschema", ".json"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let Some(source) = problems.absorb(files::read(&path)) else { continue };
            if let Some(text) = validate::fixed(&source) {
                files::write(&path, &text)?;
                checks.push(Check { name, outcome: Outcome::Held });
            }
        }
        // What cannot be read is said by the review itself.
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let summary = match names.as_slice() {
            [] => "nothing to put right".to_owned(),
            names => format!("written: {}", names.join(", ")),
        };
        Ok(Part { name: "fix", summary, checks, findings: Vec::new() })
    }

    /// The configuration, where there is one.
    pub fn config(&self) -> Result<Option<Config>, Problems> {
        let Some(path) = self.bundle.config_path() else { return Ok(None) };
        Config::parse(&files::read(&path)?).map(Some)
    }

    /// The recorded facts.
    pub fn recorded(&self) -> Result<RawFacts, Problems> {
        project::read_entities(self.entities_folder())
    }

    /// The invariants as they stand.
    pub fn invariants(&self) -> Result<Vec<Source>, Problems> {
        project::read_invariants(self.bundle.folder())
    }

    fn entities_folder(&self) -> &Path {
        self.entities.as_deref().unwrap_or(Path::new("entities"))
    }

    /// What the configuration adds: whether effects are judged as what they are, and who could write what facts are asked from.
    pub fn settings(&self, subject: &Subject) -> Result<Vec<Part>, Problems> {
        let Some(path) = self.bundle.config_path().filter(|_| !subject.bundle.is_plain()) else {
            return Ok(Vec::new());
        };
        let source = files::read(&path)?;
        let config = Config::parse(&source)?;
        let effects = (!config.effects.is_empty()).then(|| effects::effects(&config, &source, subject));
        let facts = (!config.facts.queries.is_empty()).then(|| facts::facts(&config, &source));
        Ok(effects.into_iter().chain(facts).collect())
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
        config: Option<&Config>,
        read: &mut Vec<Source>,
        problems: &mut Problems,
    ) -> Result<(), Problems> {
        if self.entities.is_some() && !self.entities_folder().is_dir() {
            // A folder that the command line names and that is not there is no finding.
            project::read_entities(self.entities_folder())?;
        }
        if self.entities_folder().exists()
            && let Some(raw) = problems.absorb(project::read_entities(self.entities_folder()))
        {
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
        for source in problems.absorb(files::read_files(plans, "json")).unwrap_or_default() {
            match bundle {
                Some(bundle) => {
                    let plan = RunPlan::parse(&source, bundle.schema(), config, &project::program);
                    problems.absorb(plan.map(drop));
                }
                None => drop(problems.absorb(json::parse(&source).map(drop))),
            }
            read.push(source);
        }
        Ok(())
    }
}
