//! Where the ledger lies: a folder, or PostgreSQL.

use crate::files;
use crate::ledger::{DirectoryLedger, Ledger, PostgresLedger};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::Config;
use clap::Args;
use std::path::{Path, PathBuf};

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

const DEFAULT_LEDGER: &str = ".cutter";
