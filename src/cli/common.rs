//! Arguments that several subcommands share, each of which knows how to become one domain value.

use super::project;
use super::trust::TrustArguments;
use crate::config::Config;
use crate::document::{BundleTrust, Clock};
use crate::facts::{self, Facts, RawFacts};
use crate::files;
use crate::ledger::{DirectoryLedger, Ledger, PostgresLedger};
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::render::problems::Severity;
use crate::render::{self, Style};
use crate::signature::Revocations;
use crate::time::Timestamp;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Where policies, facts and configuration lie.
#[derive(Args, Debug)]
pub struct InputArguments {
    /// The plan: a JSON file, or `-` for standard input
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    #[command(flatten)]
    pub bundle: BundleArguments,
    /// The folder of facts: Cedar entities in `*.json`
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ENTITIES)]
    entities: PathBuf,
    /// Where facts come from: files, or files with what the database says laid over them
    #[arg(long, value_enum, default_value_t = FactsSource::Entities)]
    facts: FactsSource,
    #[command(flatten)]
    pub trust: TrustArguments,
}

/// A time in place of the clock's, for commands that only look.
#[derive(Args, Debug)]
pub struct ClockArguments {
    /// Decide as if it were this time (recorded as given)
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    pub now: Option<Timestamp>,
}

/// The system's clock.
pub fn system_time() -> Result<Timestamp, Problem> {
    Timestamp::from_system(std::time::SystemTime::now())
        .ok_or_else(|| Problem::failure("the system's clock shows no time between the years 1 and 9999"))
}

/// Where facts come from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum FactsSource {
    /// Files only
    Entities,
    /// The queries of `cutter.toml` as well
    Postgres,
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

/// Everything a decision is made from.
#[derive(Debug)]
pub struct Inputs {
    /// What judges.
    pub bundle: PolicyBundle,
    /// What it judges by.
    pub facts: Facts,
    /// What is judged.
    pub plan: RunPlan,
    /// What the domain tells the runtime.
    pub config: Config,
    /// When.
    pub now: Timestamp,
    /// Where the time comes from.
    pub clock: Clock,
    /// How the bundle stands under the trust root; it judges in any case.
    pub trust: BundleTrust,
    /// Keys that lost the right to sign.
    pub revocations: Revocations,
}

impl InputArguments {
    /// The flags that were not left to their defaults.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut flag = |name: &str, path: Option<&Path>, default: &str| {
            if let Some(path) = path.filter(|path| path.as_os_str() != default) {
                flags.extend([name.to_owned(), path.to_string_lossy().into_owned()]);
            }
        };
        flag("--policies", Some(&self.bundle.policies), DEFAULT_POLICIES);
        flag("--config", self.bundle.config.as_deref(), "");
        flag("--entities", Some(&self.entities), DEFAULT_ENTITIES);
        if self.facts == FactsSource::Postgres {
            flags.extend(["--facts".to_owned(), "postgres".to_owned()]);
        }
        flags.extend(self.trust.flags());
        flags
    }

    /// Reads everything and reports all that is wrong together; a signature that is not accepted is only said.
    ///
    /// Without a given time it is the system's.
    pub fn load(&self, given: Option<Timestamp>, output: &OutputArguments) -> Result<Inputs, Problems> {
        let mut problems = Problems::new();
        self.bundle.check()?;
        let bundle = problems.absorb(self.bundle.load());
        let entities = problems.absorb(files::read_entities(&self.entities));
        let source = problems.absorb(files::read_plan(&self.plan));
        let (mut facts, mut plan) = (None, None);
        if let Some((bundle, config)) = &bundle {
            plan = source.and_then(|source| {
                problems.absorb(RunPlan::parse(&source, bundle.schema(), config.as_ref()).coded(Code::PlanInvalid))
            });
            let raw = match (self.facts, entities, &plan) {
                (FactsSource::Entities, raw, _) => raw,
                (FactsSource::Postgres, Some(recorded), Some(plan)) => {
                    problems.absorb(live(config.as_ref(), bundle, &plan.run, recorded))
                }
                (FactsSource::Postgres, _, _) => None,
            };
            facts = raw.and_then(|raw| problems.absorb(Facts::admit(&raw, bundle).coded(Code::FactsInvalid)));
        } else if let Some(source) = &source {
            // Without a schema the plan can still be told apart from what is no JSON at all.
            problems.absorb(crate::json::parse(source).map(|_| ()));
        }
        let (now, clock) = match given {
            Some(now) => (Some(now), Clock::Given),
            None => (problems.absorb(system_time().map_err(Problems::from)), Clock::System),
        };
        let revocations = problems.absorb(self.trust.check().and_then(|()| self.trust.revocations()));
        match (bundle, facts, plan, now, revocations) {
            (Some((bundle, config)), Some(facts), Some(plan), Some(now), Some(revocations)) if problems.is_empty() => {
                let (trust, distrust) = self.trust.look(&self.bundle, &bundle, &revocations, now);
                output.warn(&distrust);
                let config = config.unwrap_or_default();
                Ok(Inputs { bundle, facts, plan, config, now, clock, trust, revocations })
            }
            _ => Err(problems),
        }
    }
}

impl BundleArguments {
    /// A bundle in this folder, with this configuration.
    pub fn of(folder: &Path, config: &Path) -> Self {
        Self { policies: folder.to_path_buf(), config: Some(config.to_path_buf()) }
    }

    /// The folder of the bundle.
    pub fn folder(&self) -> &Path {
        &self.policies
    }

    /// The file of the configuration, where there is one.
    pub fn config_path(&self) -> Option<PathBuf> {
        let default = PathBuf::from("cutter.toml");
        self.config.clone().or_else(|| default.exists().then_some(default))
    }

    /// Refuses a folder that is no project, where the command line does not say where the bundle is.
    pub fn check(&self) -> Result<(), Problem> {
        match project::wrong_folder().filter(|_| self.policies == Path::new(DEFAULT_POLICIES)) {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }

    /// Reads the bundle and, where there is one, the configuration.
    pub fn load(&self) -> Result<(PolicyBundle, Option<Config>), Problems> {
        self.check()?;
        let mut problems = Problems::new();
        let sources = problems
            .absorb(files::read_bundle(&self.policies, self.config_path().as_deref()).coded(Code::BundleInvalid));
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

/// Where the ledger lies.
#[derive(Args, Debug)]
pub struct LedgerArguments {
    /// The ledger: a folder, or `postgres` for the one that `[ledger]` of the configuration names [default: .cutter]
    #[arg(long, value_name = "DIR|postgres")]
    ledger: Option<PathBuf>,
}

/// Where the ledger lies, for commands that read nothing else of a project.
#[derive(Args, Debug)]
pub struct LoneLedgerArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    /// The configuration [default: cutter.toml, where it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The ledger that a command line names.
#[derive(Debug)]
pub enum NamedLedger {
    /// In a folder.
    Directory(DirectoryLedger),
    /// In PostgreSQL.
    Postgres(Box<PostgresLedger>),
}

impl LedgerArguments {
    /// The flag, where one was given.
    pub fn flags(&self) -> Vec<String> {
        let named = self.ledger.iter();
        named.flat_map(|ledger| ["--ledger".to_owned(), ledger.to_string_lossy().into_owned()]).collect()
    }

    /// Finds the ledger; one that the command line names must be there.
    pub fn find(&self, config: &Config) -> Result<NamedLedger, Problems> {
        let named = self.locate(config)?;
        if self.ledger.is_some() && named.store().id()?.is_none() {
            return Err(crate::ledger::missing(&named.store().name()).into());
        }
        Ok(named)
    }

    fn is_shared(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.as_os_str() == "postgres")
    }

    /// Finds where the ledger would be; nothing is opened or made.
    pub fn locate(&self, config: &Config) -> Result<NamedLedger, Problems> {
        if !self.is_shared() {
            let folder = self.ledger.as_deref().unwrap_or(Path::new(DEFAULT_LEDGER));
            return Ok(NamedLedger::Directory(DirectoryLedger::new(folder)));
        }
        let settings = config.ledger.as_ref().ok_or_else(|| {
            Problem::invalid("the configuration does not say where the shared ledger lies")
                .help(
                    "add `[ledger.database]` with `url_env = \"NAME\"`, the variable that holds its connection string",
                )
                .coded(Code::ConfigInvalid)
        })?;
        let ledger = PostgresLedger::resolve(settings, &|name| std::env::var_os(name))?;
        Ok(NamedLedger::Postgres(Box::new(ledger)))
    }
}

impl LoneLedgerArguments {
    /// Finds where the ledger would be; the configuration is read only for a shared one.
    pub fn locate(&self) -> Result<NamedLedger, Problems> {
        if !self.ledger.is_shared() {
            return self.ledger.locate(&Config::default());
        }
        let path = self.config.clone().unwrap_or_else(|| PathBuf::from("cutter.toml"));
        self.ledger.locate(&Config::parse(&files::read(&path)?).coded(Code::ConfigInvalid)?)
    }
}

impl NamedLedger {
    /// What every store can do.
    pub fn store(&self) -> &dyn Ledger {
        match self {
            Self::Directory(ledger) => ledger,
            Self::Postgres(ledger) => &**ledger,
        }
    }
}

/// How results and errors are shown.
#[derive(Args, Debug)]
pub struct OutputArguments {
    /// Write results to this file instead of standard output, which is `-`; where several are written, their folder
    #[arg(long, global = true, value_name = "PATH")]
    output: Option<PathBuf>,
    /// When to use colour; `NO_COLOR` turns `auto` off
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    /// The form of errors
    #[arg(long, global = true, value_enum, default_value_t = ErrorFormat::Human)]
    error_format: ErrorFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum ErrorFormat {
    /// With underlined source
    Human,
    /// One line each
    Plain,
    /// One versioned document
    Json,
}

impl OutputArguments {
    /// How standard output wants it.
    pub fn style(&self) -> Style {
        self.style_for(self.is_terminal())
    }

    /// Whether the result goes to a terminal, and not into a file or to another program.
    pub fn is_terminal(&self) -> bool {
        self.output.as_deref().is_none_or(files::is_stdout) && std::io::stdout().is_terminal()
    }

    /// The text of problems, as standard error wants it.
    pub fn problems(&self, problems: &Problems) -> String {
        match self.error_format {
            ErrorFormat::Human => {
                render::problems::human(problems, Severity::Error, self.style_for(std::io::stderr().is_terminal()))
            }
            ErrorFormat::Plain => render::problems::plain(problems, Severity::Error),
            ErrorFormat::Json => render::problems::json(problems, Severity::Error),
        }
    }

    /// The folder of a command that writes several files.
    pub fn folder(&self, default: &str) -> PathBuf {
        self.output.clone().unwrap_or_else(|| PathBuf::from(default))
    }

    /// Refuses, before any work, a file that the result could not go to.
    pub fn check(&self) -> Result<(), Problem> {
        self.output.as_deref().map_or(Ok(()), files::check)
    }

    /// The file that the result goes to, where one is named.
    pub fn file(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    /// Says on standard error what does not stop the work.
    pub fn warn(&self, problems: &Problems) {
        if !problems.is_empty() {
            let style = self.style_for(std::io::stderr().is_terminal());
            let text = match self.error_format {
                ErrorFormat::Human => render::problems::human(problems, Severity::Warning, style),
                ErrorFormat::Plain => render::problems::plain(problems, Severity::Warning),
                ErrorFormat::Json => render::problems::json(problems, Severity::Warning),
            };
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    /// Says in one line on standard error how it went, where the result itself went to a file.
    pub fn note(&self, means: &str, exit: u8, file: &Path) {
        let means = means.split_whitespace().collect::<Vec<_>>().join(" ");
        let (name, meaning) = means.split_once(' ').unwrap_or((&means, ""));
        let message = format!("{name} (exit code {exit}): {meaning}; the result is in `{}`", file.display());
        let text = match self.error_format {
            ErrorFormat::Json => render::problems::json(&Problem::failure(message).into(), Severity::Warning),
            ErrorFormat::Human | ErrorFormat::Plain => format!("note: {}\n", render::printable(&message)),
        };
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Prints a result where it belongs; a command that used `--output` itself prints to standard output.
    pub fn print(&self, text: &str, stored: bool) -> Result<(), Problem> {
        match self.output.as_ref().filter(|_| !stored) {
            Some(path) => files::write(path, text),
            None => files::stream(&mut std::io::stdout().lock(), text.as_bytes()),
        }
    }

    fn style_for(&self, terminal: bool) -> Style {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let color = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        };
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns >= 20);
        let measured = || terminal_size::terminal_size().filter(|_| terminal).map(|(width, _)| width.0);
        Style { width: columns().or_else(measured).unwrap_or(100).clamp(40, 400), color }
    }
}

/// What the database says, laid over what was recorded.
fn live(config: Option<&Config>, bundle: &PolicyBundle, run: &str, recorded: RawFacts) -> Result<RawFacts, Problems> {
    let config = config.ok_or_else(|| {
        Problem::invalid("`--facts postgres` needs a `cutter.toml`")
            .help("it names the connection and the queries")
            .coded(Code::ConfigInvalid)
    })?;
    let access = super::evidence::access(config)?;
    facts::postgres::fetch(&config.facts, &access, bundle.schema(), run, recorded)
}

/// Whether a command line that cannot be read asks for errors in JSON.
pub fn wants_json_errors(words: &[OsString]) -> bool {
    let own = words.split(|word| word == "--").next().unwrap_or_default();
    own.iter().any(|word| word == "--error-format=json")
        || own.windows(2).any(|pair| matches!(pair, [option, form] if option == "--error-format" && form == "json"))
}

/// Reads a time of the command line.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| {
        let reads = |text: &str| Timestamp::parse(text).is_some();
        let what = if reads(&format!("{text}Z")) {
            "it has no offset; add `Z` for UTC"
        } else if reads(&format!("{text}T00:00:00Z")) {
            "it has no time of day"
        } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            "it is a number, and could be seconds or milliseconds"
        } else {
            "it is no time"
        };
        format!("{what}: write an RFC 3339 time with an offset and at most milliseconds, such as 2026-05-21T08:15:00Z")
    })
}

const DEFAULT_POLICIES: &str = "policies";
const DEFAULT_ENTITIES: &str = "entities";
const DEFAULT_LEDGER: &str = ".cutter";
