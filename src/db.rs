//! The sole opener of a PostgreSQL connection: read-only sessions with pinned settings, and one snapshot to read in.
//! What goes wrong is told in fixed texts, by SQLSTATE; what a client library says may hold a password.

mod fault;
mod passfile;
mod readers;
mod resolve;
mod writing;

pub use fault::DatabaseError;
pub use postgres::Row;
pub use postgres::types::ToSql;
pub use readers::Readers;
pub use writing::{WritingSession, WritingTransaction};

use crate::problem::Problem;
use crate::settings::database::DatabaseSettings;
use postgres::config::Host;
use postgres::{Client, Config, IsolationLevel, NoTls, Transaction};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::BufRead as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How to reach the database; made from settings that name where the parts stand, never shown.
#[derive(Clone)]
pub struct Access {
    config: Config,
    secret: Option<String>,
    encryption: Encryption,
    limits: Limits,
    place: Place,
    /// The section of `cutter.toml` that names all of it: `[database]`.
    section: String,
}

/// Where the server is looked for, and where that stands; never a secret.
#[derive(Clone)]
struct Place {
    /// `127.0.0.1:5432`, or the folder of a socket.
    address: String,
    /// Which variables or settings say so.
    origin: String,
    /// Whether a password was looked for in a file.
    has_passfile: bool,
}

/// How long a session may take before the server ends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// For one statement.
    pub statement: Duration,
    /// For a lock that somebody else holds.
    pub lock: Duration,
    /// Between two statements of a transaction.
    pub idle: Duration,
}

#[derive(Clone, PartialEq, Eq)]
enum Encryption {
    /// The server is on this machine.
    Local,
    /// Verified against the certificates in this file, the server's name included.
    Verified(PathBuf),
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access")
    }
}

impl Access {
    /// Finds the parts where the settings of this section say they are; `variable` reads the environment.
    pub fn resolve(
        settings: &DatabaseSettings,
        section: &str,
        variable: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, Problem> {
        let access = resolve::resolve(settings, variable).map_err(|problem| of_section(problem, section))?;
        Ok(Self { section: section.to_owned(), ..access })
    }

    /// Whether the server is shown to be the right one: by its certificate, or by the folder of its socket.
    pub fn knows_its_server(&self) -> bool {
        let is_socket = |host: &Host| matches!(host, Host::Unix(_));
        self.encryption != Encryption::Local || self.config.get_hosts().iter().all(is_socket)
    }

    /// The server's port.
    pub fn port(&self) -> u16 {
        resolve::port_of(&self.config)
    }

    /// The name of the server, or the folder of its socket.
    fn server_name(&self) -> String {
        match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => String::new(),
        }
    }

    /// The name of the database.
    pub fn database(&self) -> Option<&str> {
        self.config.get_dbname()
    }

    /// The server's socket, where it is reached by one.
    pub fn socket(&self) -> Option<PathBuf> {
        match self.config.get_hosts().first() {
            Some(Host::Unix(folder)) => Some(folder.join(format!(".s.PGSQL.{}", self.port()))),
            _ => None,
        }
    }

    /// The environment in which a program of PostgreSQL's own reaches the same place; it holds the password, and is for one child alone.
    pub fn libpq(&self) -> Vec<(&'static str, OsString)> {
        let text = |text: Option<&str>| OsString::from(text.unwrap_or_default());
        let mut all = vec![
            ("PGHOST", OsString::from(self.server_name())),
            ("PGPORT", OsString::from(self.port().to_string())),
            ("PGUSER", text(self.config.get_user())),
            ("PGDATABASE", text(self.config.get_dbname())),
            ("PGCONNECT_TIMEOUT", OsString::from("10")),
            ("PGGSSENCMODE", OsString::from("disable")),
        ];
        all.extend(self.config.get_hostaddrs().first().map(|ip| ("PGHOSTADDR", OsString::from(ip.to_string()))));
        all.extend(self.config.get_password().map(|bytes| ("PGPASSWORD", OsStr::from_bytes(bytes).to_owned())));
        match &self.encryption {
            Encryption::Local => all.push(("PGSSLMODE", OsString::from("disable"))),
            Encryption::Verified(file) => {
                all.push(("PGSSLMODE", OsString::from("verify-full")));
                all.push(("PGSSLROOTCERT", file.clone().into_os_string()));
            }
        }
        all
    }

    /// Opens a session that can only read.
    pub fn open(&self) -> Result<Session, Problem> {
        let mut client = self.connect(&pinned(&self.limits))?;
        let failed = |error: postgres::Error| self.fault(&error).problem("the session cannot be prepared");
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).map_err(failed)?.get(0);
        Ok(Session { client, secret: self.secret.clone(), _own: Own::new(pid) })
    }

    /// Opens a connection and tells it `settings` before anything else.
    fn connect(&self, settings: &str) -> Result<Client, Problem> {
        let connector = match &self.encryption {
            Encryption::Local => None,
            Encryption::Verified(file) => Some(MakeRustlsConnect::new(client_config(file)?)),
        };
        // A server that takes the connection and says nothing is not waited for.
        let (sender, answer) = channel();
        let config = self.config.clone();
        thread::spawn(move || {
            let _ = sender.send(match connector {
                Some(connector) => config.connect(connector),
                None => config.connect(NoTls),
            });
        });
        let connected = answer.recv_timeout(LONGEST_START).map_err(|_| fault::silent(&self.place))?;
        let is_encrypted = self.encryption != Encryption::Local;
        let failed = |error| of_section(fault::not_connected(&error, &self.place, is_encrypted), &self.section);
        let mut client = connected.map_err(failed)?;
        let prepared = client.batch_execute(settings);
        prepared.map_err(|error| self.fault(&error).problem("the session cannot be prepared"))?;
        Ok(client)
    }

    fn fault(&self, error: &postgres::Error) -> DatabaseError {
        DatabaseError::new(error, self.secret.as_deref())
    }
}

/// The server may take so long until it answers that a session may begin, and the network so long before.
const LONGEST_START: Duration = Duration::from_secs(20);

/// What is said of `[database]`, said of another section that says the same.
fn of_section(mut problem: Problem, section: &str) -> Problem {
    let own = |text: &str| text.replace("`[database]`", &format!("`{section}`"));
    problem.message = own(&problem.message);
    problem.help = problem.help.map(|help| own(&help));
    problem
}

/// A connection whose transactions can only read.
pub struct Session {
    client: Client,
    secret: Option<String>,
    _own: Own,
}

/// A session of this very process, by the server's number of its backend: who may name itself as it likes is known by no name.
struct Own(i32);

static OWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

impl Own {
    fn new(pid: i32) -> Self {
        OWN.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Self(pid)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        OWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// The numbers of the backends of all reading sessions of this process.
pub fn own_sessions() -> Vec<i32> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
}

impl Session {
    /// Begins a transaction in which every statement sees the same rows.
    pub fn begin(&mut self) -> Result<Snapshot<'_>, DatabaseError> {
        let secret = self.secret.clone();
        let transaction = self
            .client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .map_err(|error| DatabaseError::new(&error, secret.as_deref()))?;
        Ok(Snapshot { transaction: Some(transaction), secret })
    }

    /// Begins a transaction that sees what an exporting one sees, as long as that one lasts.
    pub fn begin_at(&mut self, exported: &str) -> Result<Snapshot<'_>, DatabaseError> {
        let mut snapshot = self.begin()?;
        let sql = format!("SET TRANSACTION SNAPSHOT {}", literal(exported));
        snapshot.run(&sql)?;
        Ok(snapshot)
    }
}

/// One transaction: repeatable read, read only. A statement that fails does not end it.
pub struct Snapshot<'a> {
    transaction: Option<Transaction<'a>>,
    secret: Option<String>,
}

/// It is committed, so that it is not counted among those that were rolled back.
impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        drop(self.transaction.take().map(Transaction::commit));
    }
}

impl Snapshot<'_> {
    /// The rows of one statement.
    pub fn query(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
        self.guarded(|transaction| Ok(transaction.query(sql, parameters)?))
    }

    /// The first column of the only row, as text.
    pub fn text(&mut self, sql: &str) -> Result<Option<String>, DatabaseError> {
        let rows = self.query(sql, &[])?;
        match rows.first() {
            Some(row) => row.try_get(0).map_err(|error| self.fault(&error)),
            None => Ok(None),
        }
    }

    /// Rows of text, at most `most`; one more is an error.
    pub fn texts(&mut self, sql: &str, most: usize) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        let rows = self.query(sql, &[])?;
        if rows.len() > most {
            return Err(DatabaseError::too_many(most));
        }
        rows.iter()
            .map(|row| (0..row.len()).map(|index| row.try_get(index).map_err(|error| self.fault(&error))).collect())
            .collect()
    }

    /// Streams `COPY ... TO STDOUT` into a reader of its bytes.
    pub fn copy(&mut self, sql: &str, mut take: impl FnMut(&[u8])) -> Result<(), DatabaseError> {
        self.guarded(|transaction| {
            let mut reader = transaction.copy_out(sql)?;
            loop {
                let buffer = reader.fill_buf().map_err(Broken::Stream)?;
                if buffer.is_empty() {
                    return Ok(());
                }
                take(buffer);
                let length = buffer.len();
                reader.consume(length);
            }
        })
    }

    /// Does work that may fail without ending the transaction. A savepoint takes no transaction id while nothing is written.
    /// What a view or a query of somebody else has set since is set back: it would say what names mean, and which rows are there.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Broken>) -> Result<T, DatabaseError> {
        self.run("SAVEPOINT guard; SET LOCAL search_path = pg_catalog; SET LOCAL row_security = off")?;
        let transaction = self.transaction.as_mut().ok_or_else(DatabaseError::lost)?;
        let secret = self.secret.as_deref();
        let result = work(transaction).map_err(|broken| match &broken {
            Broken::Statement(error) => DatabaseError::new(error, secret),
            Broken::Stream(error) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>());
                inner.map_or_else(DatabaseError::lost, |error| DatabaseError::new(error, secret))
            }
        });
        // A savepoint that is only rolled back to would still be open.
        let end = if result.is_ok() { "RELEASE guard" } else { "ROLLBACK TO guard; RELEASE guard" };
        match (self.run(end), result) {
            (Ok(()), result) => result,
            (Err(_), Err(error)) => Err(error),
            (Err(error), Ok(_)) => Err(error),
        }
    }

    /// Lets other sessions see what this transaction sees, until it ends. It may rest for as long as they read.
    pub fn export(&mut self) -> Result<String, DatabaseError> {
        self.run("SET LOCAL idle_in_transaction_session_timeout = 0")?;
        // A savepoint could not: what it sees may end before the transaction does.
        let transaction = self.transaction.as_mut().ok_or_else(DatabaseError::lost)?;
        let rows = transaction.query("SELECT pg_export_snapshot()", &[]);
        let rows = rows.map_err(|error| self.fault(&error))?;
        rows.first().and_then(|row| row.try_get(0).ok()).ok_or_else(DatabaseError::lost)
    }

    /// One statement that gives nothing back, without a guard.
    fn run(&mut self, sql: &str) -> Result<(), DatabaseError> {
        let transaction = self.transaction.as_mut().ok_or_else(DatabaseError::lost)?;
        let done = transaction.batch_execute(sql);
        done.map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &postgres::Error) -> DatabaseError {
        DatabaseError::new(error, self.secret.as_deref())
    }
}

/// What broke: a statement, or the stream of its result.
enum Broken {
    Statement(postgres::Error),
    Stream(std::io::Error),
}

impl From<postgres::Error> for Broken {
    fn from(error: postgres::Error) -> Self {
        Self::Statement(error)
    }
}

/// The password in a connection string, where it is one and has one.
pub fn password_of(connection: &str) -> Option<String> {
    let config = connection.parse::<Config>().ok()?;
    config.get_password().map(|password| String::from_utf8_lossy(password).into_owned())
}

/// A name as SQL takes it, whatever it holds.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it, whatever it holds.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// What every session of ours is told first.
fn pinned(limits: &Limits) -> String {
    format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; SET row_security = off; SET search_path = pg_catalog; \
         SET bytea_output = hex; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = postgres; SET TimeZone = 'UTC'; \
         SET extra_float_digits = 3; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; \
         SET quote_all_identifiers = off; SET xmlbinary = hex; SET lc_monetary = 'C'; SET jit = off; \
         SET max_parallel_workers_per_gather = 0; SET work_mem = '32MB'; SET application_name = 'cutter-observe'; \
         SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'",
        limits.statement.as_millis(),
        limits.lock.as_millis(),
        limits.idle.as_millis(),
    )
}

/// TLS that knows only these certificates and insists on the server's name.
fn client_config(file: &std::path::Path) -> Result<ClientConfig, Problem> {
    let name = file.display();
    let unreadable = || {
        Problem::failure(format!("the certificates in `{name}` cannot be read"))
            .help("`ca_file` names a PEM file with the certificate that signed the server's")
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|_| unreadable())? {
        roots.add(certificate.map_err(|_| unreadable())?).map_err(|_| unreadable())?;
    }
    if roots.is_empty() {
        return Err(unreadable());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|_| unreadable())?.with_root_certificates(roots).with_no_client_auth())
}

/// Whether a certificate could name this host.
fn can_be_verified(host: &str) -> bool {
    ServerName::try_from(host).is_ok()
}
