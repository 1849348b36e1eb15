//! What a review reads: bundle, invariants, facts and plans, with all that is wrong as findings.

use super::reading;
use crate::cli::shared::inputs::{BundleArguments, DEFAULT_CONFIG};
use crate::cli::shared::named::spare;
use crate::facts::{Facts, RawFacts};
use crate::findings::rule::Severity;
use crate::findings::{Check, Finding, Outcome, Part, Place, Review, rules};
use crate::plan::RunPlan;
use crate::policy::{self, PolicyBundle};
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

/// That a schema has the place of the prelude, so that what only cutter's own bundles have is not looked at.
fn not_built_on_prelude(schema: &Source) -> Finding {
    let message = "it declares its actions in `Cutter` itself and is not built on what `cutter` declares there: it is reviewed as any \
                   Cedar policies are";
    let mut finding = Finding::new(&rules::NOT_REVIEWED, schema.name(), message)
        .at(Place::new(schema, 0..0))
        .help("if cutter is to decide by it, declare actions in a namespace of your own; if not, say --plain");
    finding.severity = Severity::Warning;
    finding
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

/// What was read of a bundle that can be reviewed.
pub struct Loaded {
    /// The bundle and its invariants.
    pub subject: Subject,
    /// How the project reads its review.
    pub settings: ReviewSettings,
    /// The configuration.
    pub config: Configured,
    /// Whether every file of the bundle could be read.
    is_whole: bool,
}

/// What is known of the configuration.
pub enum Configured {
    /// There is none, or the policies are any others, of which it says nothing.
    Not,
    /// What it says.
    Read(Box<(Config, Source)>),
    /// It cannot be read, which a finding says.
    Unread,
}

impl Configured {
    /// What it says, where it was read.
    pub fn read(&self) -> Option<&(Config, Source)> {
        match self {
            Self::Read(read) => Some(read),
            Self::Not | Self::Unread => None,
        }
    }
}

impl Loaded {
    /// What the configuration adds: whether effects are judged as what they are, and who could write what facts are asked from.
    pub fn configured(&self, review: &mut Review) {
        if matches!(self.config, Configured::Unread) {
            review.skipped.push("effects and facts: the configuration cannot be read".to_owned());
        }
        let Some((config, source)) = self.config.read() else { return };
        let effects = (!(config.effects.is_empty() && config.gates.is_empty() && config.gaps.is_empty()))
            .then(|| effects::effects(config, source, &self.subject));
        let facts = (!config.facts.queries.is_empty()).then(|| facts::facts(config, source));
        review.parts.extend(effects.into_iter().chain(facts));
    }

    /// Whether a table can be made, which is of all policies and lists pins; what is not done is said.
    pub fn can_tabulate(&self, review: &mut Review) -> bool {
        let is_read = !matches!(self.config, Configured::Unread);
        if !is_read {
            review.skipped.push("matrix: the configuration cannot be read".to_owned());
        }
        is_read && self.can_ask("matrix", review)
    }

    /// Whether what is asked of all policies together can be asked; what is not done is said.
    pub fn can_ask(&self, what: &str, review: &mut Review) -> bool {
        if !self.is_whole {
            review.skipped.push(format!("{what}: not every file of the bundle can be read"));
        }
        self.is_whole
    }
}

impl Scope {
    /// Refuses, before any work, folders that the command line names and that are none.
    pub fn check(&self) -> Result<(), Problems> {
        if !self.plain {
            self.bundle.check()?;
        }
        if !self.folder().is_dir() {
            return project::read_bundle(self.folder(), None).map(drop);
        }
        if self.entities.as_ref().is_some_and(|folder| !folder.is_dir()) {
            return self.recorded().map(drop);
        }
        match self.plans.as_ref().filter(|folder| !folder.is_dir()) {
            Some(plans) => {
                let problem = Problem::failure(format!("the folder of plans `{}` does not exist", plans.display()));
                Err(problem.help("correct `--plans`, or leave it out").into())
            }
            None => Ok(()),
        }
    }

    /// Reads everything; `None` if the bundle cannot be reviewed further, which a finding then says.
    pub fn load(
        &self,
        review: &mut Review,
        with_inputs: bool,
        observer: &dyn Observer,
    ) -> Result<Option<Loaded>, Problems> {
        let _phase = Phase::new(observer, "validate", 0);
        let mut problems = Problems::new();
        let (folder, config_path) = (self.bundle.folder(), self.bundle.config_path());
        let (sources, invariants) = reading::sources(folder, config_path.as_deref(), self.plain, &mut problems);
        let is_config_unread = config_path.is_some() && sources.config.is_none();
        let is_whole = problems.count() == usize::from(is_config_unread);
        let subject = reading::subject(&sources, &invariants, self.plain, &mut problems);
        let is_plain = reading::is_plain(&sources, self.plain);
        let cedar: Vec<Source> = sources.policies.iter().chain(&invariants).cloned().collect();
        let mut read: Vec<Source> = sources.schemas.iter().chain(&sources.people).cloned().collect();
        let mut config = Configured::Not;
        if !is_plain {
            config = match &sources.config {
                None if is_config_unread => Configured::Unread,
                None => Configured::Not,
                Some(source) => problems
                    .absorb(Config::parse(source))
                    .map_or(Configured::Unread, |config| Configured::Read(Box::new((config, source.clone())))),
            };
            if with_inputs {
                let bundle = subject.as_ref().map(|subject| &subject.bundle);
                self.check_inputs(bundle, &config, &mut read, &mut problems);
            }
        }
        let foreign = policy::in_place_of_prelude(&sources).filter(|_| !self.plain).map(not_built_on_prelude);
        let passed_over = if is_plain { reading::passed_over(folder, &sources) } else { Vec::new() };
        if with_inputs || !problems.is_empty() || foreign.is_some() || !passed_over.is_empty() {
            let mut part = validate::validate(&cedar, &read, &problems);
            for template in subject.iter().flat_map(|subject| subject.bundle.unlinked_templates()) {
                let message = "nothing links the template: it is validated, and nothing else is asked of it";
                part.findings.push(Finding::new(&rules::NOT_REVIEWED, template.name.as_str(), message));
            }
            part.findings.extend(foreign.into_iter().chain(passed_over));
            for check in &mut part.checks {
                if part.findings.iter().any(|finding| finding.about == check.name) {
                    check.outcome = Outcome::Failed;
                }
            }
            review.parts.push(part);
        }
        review.more += problems.count() - problems.iter().len();
        if with_inputs && subject.is_none() && !is_plain {
            let what = "facts and plans: they are checked against the schema once schema and policies are valid";
            review.skipped.push(what.to_owned());
        }
        let names = config.read().map(|(config, _)| config.evidence.names()).unwrap_or_default();
        let settings = config.read().map(|(config, _)| config.review.clone()).unwrap_or_default();
        // A bundle without a configuration observes nothing; of one that cannot be read nothing is known.
        let of_config = matches!(config, Configured::Not) || !names.is_empty();
        Ok(subject.map(|mut subject| {
            let conduct = CONDUCT.into_iter().map(str::to_owned);
            subject.observed = of_config.then(|| names.into_iter().chain(conduct).collect());
            Loaded { subject, settings, config, is_whole }
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
        // What cannot be read is said by the review itself.
        let find = |folder: &Path, ends: &[&str]| files::find(folder, ends, &mut Problems::new());
        let of_bundle = find(self.folder(), &["cedar", "cedarschema", "json"]);
        let signers = [self.folder().join("allowed_signers"), PathBuf::from(super::GOLDEN)];
        let single = signers.into_iter().filter(|path| path.symlink_metadata().is_ok_and(|found| found.is_file()));
        // Whoever signed or approved one of these did so as it is, unless it could not be read.
        let inputs = [self.entities_folder(), self.plans_folder()].map(|folder| find(folder, &["json"])).concat();
        let marked = inputs.into_iter().filter(|path| files::read(path).is_ok_and(|of| of.text().starts_with(MARK)));
        for path in of_bundle.into_iter().chain(single).chain(marked) {
            let name = path.to_string_lossy().into_owned();
            let Some(source) = problems.absorb(files::read(&path)) else { continue };
            if let Some(text) = validate::fixed(&source) {
                files::write(&path, &text)?;
                checks.push(Check { name, outcome: Outcome::Held });
            }
        }
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let summary = match names.as_slice() {
            [] => "nothing to put right".to_owned(),
            names => format!("written: {}", names.join(", ")),
        };
        Ok(Part { name: "fix", summary, checks, findings: Vec::new() })
    }

    /// The recorded facts.
    pub fn recorded(&self) -> Result<RawFacts, Problems> {
        project::read_entities(self.entities_folder())
    }

    /// The folder of policies.
    pub fn folder(&self) -> &Path {
        self.bundle.folder()
    }

    fn plans_folder(&self) -> &Path {
        self.plans.as_deref().unwrap_or(Path::new("plans"))
    }

    /// Refuses to write a result over what is read.
    pub fn spare(&self, output: &Path) -> Result<(), Problem> {
        let folders = [self.folder(), self.entities_folder(), self.plans_folder()];
        let config = self.bundle.config_path();
        spare(output, &[config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))], &folders)
    }

    fn entities_folder(&self) -> &Path {
        self.entities.as_deref().unwrap_or(Path::new("entities"))
    }

    /// The table of decisions over the facts of this scope.
    pub fn matrix(&self, loaded: &Loaded, observer: &dyn Observer) -> Result<Matrix, Problems> {
        let facts = Facts::admit(&project::read_entities(self.entities_folder())?, &loaded.subject.bundle)?;
        matrix::matrix(&loaded.subject, loaded.config.read().map(|(config, _)| config), &facts, observer)
    }

    /// Checks facts, plans and configuration against the bundle.
    fn check_inputs(
        &self,
        bundle: Option<&PolicyBundle>,
        config: &Configured,
        read: &mut Vec<Source>,
        problems: &mut Problems,
    ) {
        if files::is_there(self.entities_folder())
            && let Some(raw) = problems.absorb(project::read_entities(self.entities_folder()))
        {
            read.extend(raw.sources.iter().cloned());
            if let Some(bundle) = bundle {
                problems.absorb(Facts::admit(&raw, bundle).map(drop));
            }
        }
        let (plans, unread) = files::read_files(self.plans_folder(), "json");
        problems.absorb::<()>(Err(unread));
        for source in plans {
            // Without a configuration that can be read nothing is known of a plan's effects.
            match bundle.filter(|_| !matches!(config, Configured::Unread)) {
                Some(bundle) => {
                    let config = config.read().map(|(config, _)| config);
                    let plan = RunPlan::parse(&source, bundle.schema(), config, &project::program);
                    problems.absorb(plan.map(drop));
                }
                None => drop(problems.absorb(json::parse(&source).map(drop))),
            }
            read.push(source);
        }
    }
}

/// The byte order mark, with which no JSON begins.
const MARK: char = '\u{feff}';
