//! A throwaway PostgreSQL for a test: its own server in its own directory, reached through a Unix socket only.
//! It dies with the `Server`, and also when the test process is killed. Only `Server::start_directus` knows a domain.

mod directory;
mod directus;
mod installation;
mod template;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use directory::Directory;
use installation::{Account, Installation};
use template::Template;

/// SQL that belongs to a template, and the database in which to run it.
#[derive(Clone, Copy, Hash)]
pub struct Script {
    pub database: &'static str,
    pub sql: &'static str,
}

/// What a server is made of: settings for `postgresql.conf`, and the SQL that its template has run.
#[derive(Clone)]
pub struct Options {
    settings: Vec<(String, String)>,
    scripts: &'static [Script],
    own_identity: bool,
    on_disk: bool,
}

impl Options {
    /// An empty cluster with `autovacuum` off.
    pub fn empty() -> Self {
        Self { settings: Vec::new(), scripts: &[], own_identity: false, on_disk: false }
    }

    /// A cluster whose database `directus` has the production shape of `tests/database`.
    pub fn directus() -> Self {
        Self { scripts: directus::SCRIPTS, ..Self::empty() }
    }

    /// Adds a line to `postgresql.conf`; the last one for a name holds, `ALTER SYSTEM` still outranks it.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs `initdb` for this server alone. Without it all servers share the system identifier of their template.
    pub fn own_identity(mut self) -> Self {
        self.own_identity = true;
        self
    }

    /// Keeps the data below the system's temporary directory even where there is memory for it.
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }
}

/// A running server. Dropping it kills the server at once and removes its directory.
pub struct Server {
    directory: Directory,
    database: &'static str,
    account: Option<Account>,
    postmaster: Option<Child>,
}

impl Server {
    /// Starts an empty server.
    pub fn start() -> Self {
        Self::start_with(&Options::empty())
    }

    /// Starts a server whose database `directus` has the production shape of `tests/database`.
    pub fn start_directus() -> Self {
        Self::start_with(&Options::directus())
    }

    /// Starts a server made to order.
    pub fn start_with(options: &Options) -> Self {
        let mut server = Self::reserve(options);
        if options.own_identity {
            server.create_cluster(options.scripts);
        } else {
            server.copy_template(options.scripts);
        }
        server.configure(&options.settings);
        server.launch();
        server
    }

    /// Connects to `database` as `user`. Everybody is trusted.
    pub fn connect(&self, user: &str, database: &str) -> Client {
        self.try_connect(user, database).unwrap_or_else(|error| panic!("cannot connect as `{user}`: {error:?}"))
    }

    /// Connects to `database` as `user`, where that may be refused.
    pub fn try_connect(&self, user: &str, database: &str) -> Result<Client, postgres::Error> {
        postgres::Config::new()
            .host_path(self.socket_directory())
            .port(self.port())
            .user(user)
            .dbname(database)
            .connect(NoTls)
    }

    /// Runs statements as superuser in the server's own database: that of its last script, else `postgres`.
    pub fn execute(&self, sql: &str) {
        let outcome = self.connect(SUPERUSER, self.database).batch_execute(sql);
        outcome.unwrap_or_else(|error| panic!("`{sql}` failed: {error:?}"));
    }

    /// Runs what `;;` separates, each in a session of its own.
    pub fn execute_each(&self, sql: &str) {
        sql.split(";;").for_each(|sql| self.execute(sql));
    }

    /// A connection string in libpq's `key=value` form.
    pub fn conninfo(&self, user: &str, database: &str) -> String {
        let host = self.socket_directory().display();
        format!("host='{host}' port={} user='{user}' dbname='{database}'", self.port())
    }

    /// The directory of the Unix socket.
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// The port, which only names the socket: nothing listens on TCP.
    pub fn port(&self) -> u16 {
        5432
    }

    /// The log of the server so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// A client program of the same installation, such as `pg_dump`, set to reach this server as its superuser.
    pub fn client(&self, name: &str) -> Command {
        let mut command = Command::new(Installation::find().binaries.join(name));
        command.env_clear().env("LC_ALL", "C");
        command.env("PGHOST", self.socket_directory()).env("PGPORT", self.port().to_string()).env("PGUSER", SUPERUSER);
        command
    }

    /// Shuts the server down in order, and starts it again on the same data.
    pub fn restart(&mut self) {
        self.shut_down();
        self.launch();
    }

    /// A directory with a watchdog, and no cluster in it yet.
    fn reserve(options: &Options) -> Self {
        let directory = Directory::create(options.on_disk);
        let database = options.scripts.last().map_or("postgres", |script| script.database);
        let path = directory.path();
        let is_root = must(path, fs::metadata(path)).uid() == 0;
        let account = is_root.then(Account::unprivileged);
        if let Some(account) = account {
            must(path, chown(path, Some(account.user), Some(account.group)));
        }
        Self { directory, database, account, postmaster: None }
    }

    fn copy_template(&self, scripts: &'static [Script]) {
        Template::of(scripts).copy_to(&self.data(), self.account);
    }

    fn create_cluster(&mut self, scripts: &[Script]) {
        let mut initdb = self.command("initdb");
        initdb.args(INITDB).arg("--pgdata").arg(self.data());
        let output = must(Path::new("initdb"), initdb.output());
        assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        if scripts.is_empty() {
            return;
        }
        self.configure(&[]);
        self.launch();
        for script in scripts {
            let outcome = self.connect(SUPERUSER, script.database).batch_execute(script.sql);
            let first_line = script.sql.lines().next().unwrap_or_default();
            outcome.unwrap_or_else(|error| panic!("`{first_line}` failed: {error:?}"));
        }
        self.shut_down();
    }

    /// Writes `postgresql.conf` again, so that it holds what is said here and nothing else.
    fn configure(&self, settings: &[(String, String)]) {
        let socket_directory = self.directory.path().display().to_string();
        let base = [("unix_socket_directories", socket_directory.as_str())];
        let base = base.iter().chain(SETTINGS).map(|&(name, value)| (name, value));
        let text: String = base
            .chain(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
            .collect();
        let path = self.data().join("postgresql.conf");
        must(&path, fs::write(&path, text));
    }

    fn launch(&mut self) {
        let log_path = self.directory.path().join("log");
        let log = must(&log_path, File::options().create(true).append(true).open(&log_path));
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.postmaster = Some(must(Path::new("postgres"), command.spawn()));

        let started = Instant::now();
        while !self.is_ready() {
            let exited = self.postmaster.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            assert!(!exited && started.elapsed() < PATIENCE, "PostgreSQL did not start: {}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn is_ready(&self) -> bool {
        let status = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        status.lines().nth(7).is_some_and(|line| line.trim() == "ready")
    }

    fn shut_down(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        let asked = Command::new("sh").args(["-c", "kill -INT \"$0\"", &postmaster.id().to_string()]).status();
        assert!(
            asked.is_ok_and(|status| status.success()),
            "PostgreSQL was gone before it was shut down: {}",
            self.log()
        );
        must(Path::new("postgres"), postmaster.wait());
    }

    /// A server program, run as an ordinary user in the process group that outlives this process.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(Installation::find().binaries.join(name));
        command.current_dir(self.directory.path()).env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        command.process_group(self.directory.process_group());
        if let Some(account) = self.account {
            command.uid(account.user).gid(account.group);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.directory.release();
        if let Some(mut postmaster) = self.postmaster.take() {
            let _ = postmaster.wait();
        }
    }
}

fn must<T>(path: &Path, outcome: io::Result<T>) -> T {
    outcome.unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

/// What the tests use: named here, it is not dead code in the benchmark, which takes this module as well and uses little of it.
const _: () = {
    let _ = (Options::empty, Options::directus, Options::setting, Options::own_identity, Options::on_disk);
    let _ = (Server::start, Server::start_directus, Server::start_with, Server::restart, Server::log);
    let _ =
        (Server::connect, Server::try_connect, Server::execute, Server::execute_each, Server::conninfo, Server::client);
};

const SUPERUSER: &str = "postgres";
const INITDB: &[&str] = &["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing here survives a crash of the machine, and shared memory lives in the directory that is removed.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("autovacuum", "off"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("dynamic_shared_memory_type", "mmap"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];
