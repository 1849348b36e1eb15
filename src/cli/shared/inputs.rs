//! Where bundle, facts, plan and configuration lie, and reading all of it with all that is wrong.

use super::clock::system_time;
use super::facts::{FactsArguments, Wanted};
use super::folder;
use super::ledger::LedgerArguments;
use super::output::OutputArguments;
use super::trust::TrustArguments;
use crate::approval::KnownKeys;
use crate::authorization::Inputs;
use crate::facts::Facts;
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::record::{BundleTrust, Clock};
use crate::settings::Config;
use crate::time::Timestamp;
use crate::trust::{SignatureFile, TrustRoot};
use crate::{files, project};
use clap::Args;
use std::path::{Path, PathBuf};

/// Where policies, facts and configuration lie.
#[derive(Args, Debug)]
pub struct InputArguments {
    /// The plan: a JSON file, or `-` for standard input
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    #[command(flatten)]
    pub bundle: BundleArguments,
    #[command(flatten)]
    facts: FactsArguments,
    #[command(flatten)]
    pub trust: TrustArguments,
}

/// Where the policy bundle and the configuration lie.
#[derive(Args, Debug)]
pub struct BundleArguments {
    /// The policy bundle: one schema and its policies
    #[arg(long, value_name = "DIR", default_value = DEFAULT_POLICIES)]
    policies: PathBuf,
    /// The configuration [default: cutter.toml, where it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl InputArguments {
    /// The flags that were not left to their defaults.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = self.bundle.flags();
        flags.extend(self.facts.flags());
        flags.extend(self.trust.flags());
        flags
    }

    /// Whether cutter asks and observes facts itself.
    pub fn measures(&self) -> bool {
        self.facts.are_measured()
    }

    /// Reads everything and reports all that is wrong together; a signature that is not accepted is only said.
    ///
    /// Without a given time it is the system's.
    pub fn load(
        &self,
        given: Option<Timestamp>,
        ledger: Option<&LedgerArguments>,
        output: &OutputArguments,
    ) -> Result<Inputs, Problems> {
        self.bundle.check()?;
        let mut problems = Problems::new();
        let bundle = problems.absorb(self.bundle.load());
        let stated = problems.absorb(self.facts.stated());
        let plan = problems.absorb(self.plan_under(bundle.as_ref())).flatten();
        let time = given.map_or_else(system_time, Ok).map_err(Problems::from);
        let now = problems.absorb(time);
        let revocations = problems.absorb(self.trust.check().and_then(|()| self.trust.revocations()));
        let (Some((bundle, config)), Some(stated)) = (bundle, stated) else { return Err(problems) };
        let Some(plan) = plan else {
            // Without a plan nothing can be asked, and what files state can still be looked at.
            problems.absorb(Facts::admit(&stated, &bundle).coded(Code::FactsInvalid));
            return Err(problems);
        };
        let (Some(now), Some(revocations)) = (now, revocations) else { return Err(problems) };
        let (trust, distrust) = self.trust.look(&self.bundle, &bundle, &revocations, now);
        if self.is_of_a_stranger(&trust, config.as_ref(), ledger) {
            let said = "nobody whom the trust root lets vouches for the configuration that says which servers to ask";
            let help =
                "nothing was sent there: have the bundle signed again, or ask them all the same with `--trust none`";
            problems.push(Problem::untrusted(said).help(help).coded(Code::RunUntrusted));
            distrust.iter().for_each(|problem| problems.push(problem.clone()));
            return Err(problems);
        }
        let wanted = Wanted {
            bundle: &bundle,
            config: config.as_ref(),
            plan: &plan,
            trust: &self.trust,
            revocations: &revocations,
            now,
            ledger,
        };
        let facts = self.facts.load(stated, &wanted)?;
        output.warn(&distrust);
        let config = config.unwrap_or_default();
        let clock = if given.is_some() { Clock::Given } else { Clock::System };
        let known_keys = self.known_keys(&plan);
        Ok(Inputs { bundle, facts, plan, config, now, clock, trust, revocations, known_keys })
    }

    /// The plan, as far as there is a bundle to read it by.
    fn plan_under(&self, bundle: Option<&(PolicyBundle, Option<Config>)>) -> Result<Option<RunPlan>, Problems> {
        let source = files::read_plan(&self.plan)?;
        let Some((bundle, config)) = bundle else {
            // Without a schema the plan can still be told apart from what is no JSON at all.
            return crate::json::parse(&source).map(|_| None);
        };
        let plan = RunPlan::parse(&source, bundle.schema(), config.as_ref(), &project::program);
        Ok(Some(plan.coded(Code::PlanInvalid)?))
    }
}

impl InputArguments {
    /// The bundle, the configuration and the plan alone, without facts.
    pub fn plan_alone(&self) -> Result<(PolicyBundle, Config, RunPlan), Problems> {
        if files::is_stream(&self.plan) {
            return Err(Problem::invalid("a plan that comes from a stream is read only once")
                .help("name its file")
                .into());
        }
        let (bundle, config) = self.bundle.load()?;
        let config = config.unwrap_or_default();
        let plan = RunPlan::parse(&files::read_plan(&self.plan)?, bundle.schema(), Some(&config), &project::program)?;
        Ok((bundle, config, plan))
    }

    /// Whether a server would be asked that only a configuration names for which nobody vouches whom the trust root lets: whoever wrote
    /// it would be sent the passwords of whoever calls.
    fn is_of_a_stranger(&self, trust: &BundleTrust, config: Option<&Config>, ledger: Option<&LedgerArguments>) -> bool {
        let is_unvouched = match trust {
            BundleTrust::Untrusted { .. } => true,
            BundleTrust::Unsigned => self.trust.is_there(),
            BundleTrust::Signed { .. } | BundleTrust::Unverified => false,
        };
        let asks = |config: &Config| self.measures() || ledger.is_some_and(|ledger| ledger.is_shared(config));
        is_unvouched && config.is_some_and(asks)
    }

    /// The key that signed the plan, and those that the trust root binds to somebody, as far as they are at hand.
    fn known_keys(&self, plan: &RunPlan) -> KnownKeys {
        let root = Some(&self.trust).filter(|trust| trust.is_there()).and_then(|trust| trust.load().ok());
        let signature = (!files::is_stream(&self.plan)).then(|| SignatureFile::beside(&self.plan).ok()).flatten();
        let signed = signature.as_ref().and_then(SignatureFile::bytes);
        KnownKeys::new(root.iter().flat_map(TrustRoot::bound_keys), &plan.author, signed)
    }
}

impl BundleArguments {
    /// A bundle in this folder, with this configuration, or the default one.
    pub fn new(folder: &Path, config: Option<&Path>) -> Self {
        Self { policies: folder.to_path_buf(), config: config.map(Path::to_path_buf) }
    }

    /// The flags that were not left to their defaults.
    pub fn flags(&self) -> Vec<String> {
        let policies = Some(&self.policies).filter(|path| path.as_os_str() != DEFAULT_POLICIES);
        let given = [("--policies", policies), ("--config", self.config.as_ref())].into_iter();
        let given = given.filter_map(|(name, path)| Some([name.to_owned(), path?.to_string_lossy().into()]));
        given.flatten().collect()
    }

    /// The folder of the bundle.
    pub fn folder(&self) -> &Path {
        &self.policies
    }

    /// The file of the configuration, where there is one.
    pub fn config_path(&self) -> Option<PathBuf> {
        let default = PathBuf::from(DEFAULT_CONFIG);
        self.config.clone().or_else(|| files::is_there(&default).then_some(default))
    }

    /// Refuses a folder that is no project, where the command line does not say where the bundle is.
    pub fn check(&self) -> Result<(), Problem> {
        match folder::wrong_folder().filter(|_| self.policies == Path::new(DEFAULT_POLICIES)) {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }

    /// Reads the bundle and, where there is one, the configuration.
    pub fn load(&self) -> Result<(PolicyBundle, Option<Config>), Problems> {
        self.check()?;
        let mut problems = Problems::new();
        let sources = problems
            .absorb(project::read_bundle(&self.policies, self.config_path().as_deref()).coded(Code::BundleInvalid));
        let bundle = sources
            .as_ref()
            .and_then(|sources| problems.absorb(PolicyBundle::parse(sources).coded(Code::BundleInvalid)));
        let config = sources.and_then(|sources| sources.config);
        let config = config.and_then(|source| problems.absorb(Config::parse(&source).coded(Code::ConfigInvalid)));
        match bundle {
            Some(bundle) => problems.or((bundle, config)),
            None => Err(problems),
        }
    }
}

const DEFAULT_POLICIES: &str = "policies";
pub const DEFAULT_CONFIG: &str = "cutter.toml";
