//! Ledgers to test with, and the records that go into them.

use crate::support::postgres::{Options, Server};
use crate::support::world::World;
use cutter::digest::Digest;
use cutter::ledger::{
    ApprovalUsed, Begun, DirectoryLedger, Finished, Ledger, LedgerId, PostgresLedger, Record, Refused, SeenBundle,
    Started,
};
use cutter::problem::Problem;
use cutter::settings::database::DatabaseSettings;
use cutter::settings::ledger::LedgerSettings;
use cutter::time::Timestamp;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where a ledger lies, in a form that another process can be told.
#[derive(Clone)]
pub enum Place {
    Directory(PathBuf),
    Postgres(String),
}

impl Place {
    pub fn open(&self) -> Box<dyn Ledger> {
        match self {
            Self::Directory(path) => Box::new(folder(path)),
            Self::Postgres(connection) => Box::new(postgres(connection, None)),
        }
    }
}

/// The ledger in this folder, with the system's clock.
pub fn folder(path: impl Into<PathBuf>) -> DirectoryLedger {
    DirectoryLedger::new(path, || Timestamp::from_system(SystemTime::now()))
}

/// A ledger that lies in a new folder.
pub fn directory() -> (World, Place) {
    let world = World::empty();
    let place = Place::Directory(world.path(".cutter"));
    place.open().init(LedgerId::from_random(7)).unwrap();
    (world, place)
}

/// A ledger that a new server holds, reached as the role that only has the grants of runs.
pub fn server() -> (Server, Place) {
    // 64 workers have a connection each, and one more for the moment of the race; those that were left linger for a while.
    let server = Server::start_with(&Options::empty().setting("max_connections", "400"));
    server.execute("CREATE ROLE owner LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE ON DATABASE postgres TO owner");
    let owner = postgres(&server.conninfo("owner", "postgres"), Some("runs"));
    owner.init(LedgerId::from_random(7)).unwrap();
    let place = Place::Postgres(server.conninfo("runs", "postgres"));
    (server, place)
}

/// The user of the operating system whose server it is, as a signed configuration names it.
pub fn user_of(server: &Server) -> String {
    let socket = fs::metadata(server.socket_directory().join(format!(".s.PGSQL.{}", server.port()))).unwrap();
    let number = std::os::unix::fs::MetadataExt::uid(&socket).to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&number)).unwrap();
    line.split(':').next().unwrap().to_owned()
}

pub fn postgres(connection: &str, role: Option<&str>) -> PostgresLedger {
    resolve(connection, role).unwrap()
}

pub fn resolve(connection: &str, role: Option<&str>) -> Result<PostgresLedger, Problem> {
    let database = DatabaseSettings { url_env: Some("URL".to_owned()), ..DatabaseSettings::default() };
    let role = role.map(str::to_owned);
    let settings = LedgerSettings { database: Some(database), role, ..LedgerSettings::default() };
    PostgresLedger::resolve(&settings, &|_| Some(connection.into()))
}

/// The start of `action` in `run` by these approvals.
pub fn started(run: &str, action: &str, approvals: &[&str]) -> Started {
    let used =
        |id: &&str| ApprovalUsed { id: (*id).to_owned(), gate: "SG_1".to_owned(), sha256: Digest::of(id.as_bytes()) };
    Started {
        run: run.to_owned(),
        plan: Digest::of(b"plan"),
        action: action.to_owned(),
        principal: "Cutter::Agent::\"run-agent\"".to_owned(),
        argv: vec!["tool".to_owned(), "a \"b\"\n\u{1b}\u{e9}".to_owned()],
        transaction: Some("747".to_owned()),
        approvals: approvals.iter().map(used).collect(),
        decided_at: time("2026-05-21T08:15:00.25Z"),
        bundle: SeenBundle { version: 1, sha256: Digest::of(b"bundle") },
        repeatable: false,
        decision: serde_json::json!({"row": {"id": action, "numbers": [1, -2], "none": null}}),
    }
}

/// The end of the start of this number.
pub fn finished(started: &Started, number: u64, exit_status: Option<i32>) -> Finished {
    let (run, action) = (started.run.clone(), started.action.clone());
    Finished { run, action, started: number, exit_status, note: None, produced: BTreeMap::new(), output: None }
}

/// Begins; the run's place is given back.
pub fn begin(ledger: &dyn Ledger, started: &Started) -> Begun {
    ledger.hold(&started.run).unwrap().unwrap().begin(started).unwrap()
}

/// Begins and ends.
pub fn run(ledger: &dyn Ledger, started: &Started, exit_status: Option<i32>) -> u64 {
    let mut held = ledger.hold(&started.run).unwrap().unwrap();
    let Begun::Begun(number) = held.begin(started).unwrap() else { panic!("it did not begin") };
    held.finish(&finished(started, number, exit_status)).unwrap();
    number
}

pub fn refused(run: &str, reason: &str) -> Record {
    Record::Refused(Refused {
        run: run.to_owned(),
        plan: Digest::of(b"plan"),
        action: "cut".to_owned(),
        principal: "Cutter::Agent::\"run-agent\"".to_owned(),
        reason: reason.to_owned(),
    })
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// What an owner of the folder can do: the same records after `change`, chained again, and a mark that fits.
pub fn rewrite(folder: &Path, change: impl Fn(&str) -> String) {
    let path = folder.join("records.ndjson");
    let (mut previous, mut text, mut count) = ("0".repeat(64), String::new(), 0);
    for line in change(&fs::read_to_string(&path).unwrap()).lines() {
        let rest = &line[line.find("\",\"previous\"").unwrap()..];
        let after = &rest[rest.find(",\"sequence\"").unwrap()..];
        let rest = format!("\",\"previous\":\"{previous}\"{after}");
        previous = Digest::of(rest.as_bytes()).to_string();
        text.push_str(&format!("{{\"sha256\":\"{previous}{rest}\n"));
        count += 1;
    }
    // In place: another file would be a copy.
    OpenOptions::new().write(true).truncate(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    fs::write(folder.join("head"), format!("{count:020} {previous}\n")).unwrap();
}

/// Both stores, for what must hold in each.
pub fn each(check: impl Fn(&dyn Ledger)) {
    let (_world, place) = directory();
    check(&*place.open());
    let (_server, place) = server();
    check(&*place.open());
}
