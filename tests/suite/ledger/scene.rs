//! Ledgers to test with, and the records that go into them.

use crate::support::postgres::Server;
use crate::support::world::World;
use cutter::db::DatabaseSettings;
use cutter::digest::Digest;
use cutter::ledger::{
    ApprovalUsed, DirectoryLedger, Event, JournalEntry, Ledger, LedgerId, PostgresLedger, RunStart, Use,
};
use cutter::record::Clock;
use cutter::settings::ledger::LedgerSettings;
use cutter::time::Timestamp;
use std::path::PathBuf;

/// Where a ledger lies, in a form that another process can be told.
#[derive(Clone)]
pub enum Place {
    Directory(PathBuf),
    Postgres(String),
}

impl Place {
    pub fn open(&self) -> Box<dyn Ledger> {
        match self {
            Self::Directory(path) => Box::new(DirectoryLedger::new(path)),
            Self::Postgres(connection) => Box::new(postgres(connection, None)),
        }
    }
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
    let server = Server::start();
    server.execute("CREATE ROLE owner LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE ON DATABASE postgres TO owner");
    let owner = postgres(&server.conninfo("owner", "postgres"), Some("runs"));
    owner.init(LedgerId::from_random(7)).unwrap();
    let place = Place::Postgres(server.conninfo("runs", "postgres"));
    (server, place)
}

pub fn postgres(connection: &str, role: Option<&str>) -> PostgresLedger {
    let database = DatabaseSettings { url_env: Some("URL".to_owned()), ..DatabaseSettings::default() };
    let settings = LedgerSettings { database, role: role.map(str::to_owned) };
    PostgresLedger::resolve(&settings, &|_| Some(connection.into())).unwrap()
}

pub fn one_use(approval: &str, action: &str, run: &str) -> Use {
    Use {
        approval: Digest::of(approval.as_bytes()),
        approval_id: approval.to_owned(),
        gate: "SG_1".to_owned(),
        action: action.to_owned(),
        run: run.to_owned(),
        time: time("2026-05-21T08:15:00.25Z"),
        principal: "Cutter::Agent::\"run-agent\"".to_owned(),
    }
}

pub fn start(run: &str) -> RunStart {
    RunStart { run: run.to_owned(), plan: Digest::of(b"plan"), time: time("2026-05-21T08:15:00Z") }
}

pub fn entry(run: &str, at: &str) -> JournalEntry {
    JournalEntry {
        time: time(at),
        clock: Clock::System,
        run: run.to_owned(),
        plan: Digest::of(b"plan"),
        action: "cut".to_owned(),
        event: Event::Finished,
        exit_status: Some(3),
        argv: vec!["tool".to_owned(), "a \"b\"\n".to_owned()],
        approvals: vec![ApprovalUsed { id: "ap-1".to_owned(), gate: "SG_1".to_owned(), sha256: Digest::of(b"ap-1") }],
        principal: "Cutter::Agent::\"run-agent\"".to_owned(),
        decision: None,
    }
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// Both stores, for what must hold in each.
pub fn each(check: impl Fn(&dyn Ledger)) {
    let (_world, place) = directory();
    check(&*place.open());
    let (_server, place) = server();
    check(&*place.open());
}
