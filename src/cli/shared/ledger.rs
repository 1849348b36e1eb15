//! Where the ledger lies: a folder, or PostgreSQL.

pub mod spool;

use super::clock::system_time;
use crate::db::Access;
use crate::files;
use crate::ledger::{DirectoryLedger, Ledger, PostgresLedger, Published};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::Config;
use crate::settings::ledger::LedgerSettings;
use crate::trust::{self, RunningUser};
use clap::Args;
use std::cell::RefCell;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where the ledger lies.
#[derive(Args, Debug)]
pub struct LedgerArguments {
    /// The ledger: a folder, or `postgres` for the one that `[ledger]` of the configuration names [default: the one that the configuration names, else
    /// .cutter]
    #[arg(long, value_name = "DIR|postgres")]
    ledger: Option<PathBuf>,
    /// The folder that this command opened: what was read of it and checked is not read again.
    #[arg(skip)]
    opened: RefCell<Option<(PathBuf, Rc<DirectoryLedger>)>>,
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
    Directory(Rc<DirectoryLedger>),
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

    /// Finds where the ledger would be: where the command line says, else where the configuration does; nothing is opened or made.
    pub fn locate(&self, config: &Config) -> Result<NamedLedger, Problems> {
        let settings = &config.ledger;
        if !self.is_shared(config) {
            let named = self.ledger.as_deref().or(settings.path.as_deref());
            return Ok(NamedLedger::Directory(self.folder(named.unwrap_or(Path::new(DEFAULT_LEDGER)))));
        }
        if settings.database.is_none() {
            return Err(Problem::invalid("the configuration does not say where the shared ledger is")
                .help(
                    "add `[ledger.database]` with `url_env = \"NAME\"`, the variable that holds its connection string",
                )
                .coded(Code::ConfigInvalid)
                .into());
        }
        let ledger = PostgresLedger::resolve(settings, &|name| std::env::var_os(name))?;
        Ok(NamedLedger::Postgres(Box::new(ledger)))
    }

    /// The same, where the server is the one that this configuration names; before anything is sent there.
    fn named_by(&self, config: &Config) -> Result<NamedLedger, Problems> {
        let named = self.locate(config)?;
        if let NamedLedger::Postgres(ledger) = &named {
            check_server(ledger.access(), &config.ledger)?;
        }
        Ok(named)
    }

    /// Whether it lies in PostgreSQL.
    pub fn is_shared(&self, config: &Config) -> bool {
        match &self.ledger {
            Some(named) => named.as_os_str() == SHARED,
            None => config.ledger.path.is_none() && config.ledger.database.is_some(),
        }
    }

    /// Opens a folder again where it is used next: whoever goes on for days takes a new ledger for one.
    pub fn forget(&self) {
        *self.opened.borrow_mut() = None;
    }

    /// The ledger in this folder, one for the whole command.
    fn folder(&self, path: &Path) -> Rc<DirectoryLedger> {
        let mut opened = self.opened.borrow_mut();
        match opened.as_ref().filter(|(of, _)| of == path) {
            Some((_, ledger)) => Rc::clone(ledger),
            None => Rc::clone(&opened.insert((path.to_owned(), Rc::new(directory(path)))).1),
        }
    }

    /// Finds the ledger of a live run: the one that the signed configuration names, which the run itself cannot rewrite.
    pub fn for_run(&self, config: &Config, head: Option<&Path>) -> Result<NamedLedger, Problems> {
        let settings = &config.ledger;
        let is_other = self.ledger.as_deref().is_some_and(|named| match &settings.path {
            Some(path) => named != path,
            None if settings.database.is_some() => named.as_os_str() != SHARED,
            None => named != Path::new(DEFAULT_LEDGER),
        });
        if is_other {
            return Err(Problem::untrusted(
                "a live run uses the ledger that the signed configuration names, and no other",
            )
            .help("leave `--ledger` out; `path` or `[ledger.database]` in `[ledger]` of cutter.toml names it")
            .coded(Code::LedgerUnusable)
            .into());
        }
        let named = self.named_by(config)?;
        if named.store().id()?.is_none() {
            return Err(crate::ledger::missing(&named.store().name()).into());
        }
        match (head, &named) {
            (Some(head), _) => {
                let published = Published::parse(&trust::guarded::read(head, "the published head")?)?;
                if let Some(fault) = published.missing(named.store())? {
                    return Err(Problem::untrusted(format!(
                        "the ledger at `{}` was cut or exchanged: {fault}",
                        named.store().name()
                    ))
                    .help("a person must look at it before anything runs")
                    .coded(Code::LedgerDamaged)
                    .into());
                }
            }
            (None, NamedLedger::Directory(directory)) if directory.owner()? != ROOT => {
                return Err(Problem::untrusted(format!(
                    "the ledger at `{}` belongs to user {}, who can rewrite it",
                    directory.name(),
                    directory.owner()?
                ))
                .help("let root own it, share one in PostgreSQL, or name with `--head` a head that root published")
                .coded(Code::LedgerUnusable)
                .into());
            }
            _ => {}
        }
        Ok(named)
    }
}

/// Whether the configuration says which server and which database it is, so that no environment leads elsewhere, and the server shows
/// that it is that one.
fn check_server(access: &Access, settings: &LedgerSettings) -> Result<(), Problems> {
    let untrusted = |message: String, help: &str| Problem::untrusted(message).help(help).coded(Code::LedgerUnusable);
    let database = settings.database.as_ref();
    let names = |what: &str| match what {
        "host" => database.is_some_and(|database| database.host.is_some()),
        "dbname" => database.is_some_and(|database| database.dbname.is_some()),
        _ => access.port() == database.and_then(|database| database.port).unwrap_or(5432),
    };
    if let Some(what) = ["host", "dbname", "port"].into_iter().find(|what| !names(what)) {
        let message =
            format!("the environment says which {what} the ledger has, and the signed configuration does not");
        return Err(untrusted(
            message,
            "name `host`, `dbname` and, where it is not 5432, `port` in `[ledger.database]`; the environment may say the same",
        )
        .into());
    }
    if let Some(socket) = access.socket() {
        let user = settings.server_user.as_deref().unwrap_or("postgres");
        let owner = std::fs::metadata(&socket).map(|found| found.uid());
        let owner = owner.ok().and_then(|owner| RunningUser::of_id(owner).ok());
        if owner.is_none_or(|owner| owner.name() != user) {
            let message =
                format!("the socket `{}` of the ledger's server is not of the user `{user}`", socket.display());
            return Err(
                untrusted(message, "find out who listens there; `server_user` in `[ledger]` names another").into()
            );
        }
    } else if let Some(file) = database.and_then(|database| database.ca_file.as_ref()) {
        trust::guarded::read(file, "the certificates of the ledger's server")?;
    }
    Ok(())
}

impl LoneLedgerArguments {
    /// The configuration that says where it lies, where one was named.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Finds it by a configuration that was read and compared, which is not read again, and only where the server is the one it names.
    pub fn named_by(&self, config: &Config) -> Result<NamedLedger, Problems> {
        self.ledger.named_by(config)
    }

    /// Finds where the ledger would be; the configuration is read where there is one.
    pub fn locate(&self) -> Result<NamedLedger, Problems> {
        let default = PathBuf::from("cutter.toml");
        let shared = self.ledger.ledger.as_deref().is_some_and(|named| named.as_os_str() == SHARED);
        let path = self.config.clone().or_else(|| (shared || files::is_there(&default)).then_some(default));
        let config = match path.filter(|_| self.ledger.ledger.is_none() || shared) {
            Some(path) => Config::parse(&files::read(&path)?).coded(Code::ConfigInvalid)?,
            None => Config::default(),
        };
        self.ledger.locate(&config)
    }
}

/// The ledger in this folder, with the system's clock.
pub fn directory(path: &Path) -> DirectoryLedger {
    DirectoryLedger::new(path, || system_time().ok())
}

impl NamedLedger {
    /// What every store can do.
    pub fn store(&self) -> &dyn Ledger {
        match self {
            Self::Directory(ledger) => &**ledger,
            Self::Postgres(ledger) => &**ledger,
        }
    }
}

const DEFAULT_LEDGER: &str = ".cutter";

/// In place of a folder.
const SHARED: &str = "postgres";

const ROOT: u32 = 0;
