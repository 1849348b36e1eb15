//! The stores of the model: how each is made anew, opened, and how its process is killed.

use super::{taken, wrong};
use crate::ledger::scene::{self, Place};
use crate::support::postgres::Server;
use crate::support::world::World;
use cutter::ledger::{Ledger, LedgerId, Started};
use proptest::prop_assert;
use proptest::test_runner::TestCaseError;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What is asked of a ledger and held against the model.
pub type Ask<'a> = &'a mut dyn FnMut(&dyn Ledger) -> Result<(), TestCaseError>;

/// What a sequence is tried in: a new ledger each time.
pub trait Store {
    /// The ledger, opened by a process that has just started.
    fn open(&self) -> Box<dyn Ledger>;
    /// Makes a ledger that nothing was asked of.
    fn renew(&self);
    /// Asks for a start, and is killed at its end.
    fn killed_at_the_end(&self, ask: Ask<'_>) -> Result<(), TestCaseError>;
    /// Is killed within a start.
    fn killed_within(&self, started: &Started) -> Result<(), TestCaseError>;
}

/// A folder, and what opens it.
pub struct Folder<'a> {
    world: World,
    opens: &'a dyn Fn(&Path) -> Box<dyn Ledger>,
}

impl<'a> Folder<'a> {
    pub fn new(opens: &'a dyn Fn(&Path) -> Box<dyn Ledger>) -> Self {
        Self { world: World::empty(), opens }
    }

    fn path(&self) -> PathBuf {
        self.world.path("ledger")
    }
}

impl Store for Folder<'_> {
    fn open(&self) -> Box<dyn Ledger> {
        (self.opens)(&self.path())
    }

    fn renew(&self) {
        let _ = fs::remove_dir_all(self.path());
        self.open().init(LedgerId::from_random(7)).unwrap();
    }

    fn killed_at_the_end(&self, ask: Ask<'_>) -> Result<(), TestCaseError> {
        let mark = fs::read(self.path().join("head")).unwrap_or_default();
        ask(&*self.open())?;
        fs::write(self.path().join("head"), mark).unwrap();
        Ok(())
    }

    fn killed_within(&self, _: &Started) -> Result<(), TestCaseError> {
        let mut file = fs::OpenOptions::new().append(true).open(self.path().join("records.ndjson")).unwrap();
        file.write_all(b"{\"sequence\":").unwrap();
        Ok(())
    }
}

/// A server, reached as the role of runs.
pub struct Shared {
    pub server: Server,
    pub place: Place,
}

impl Shared {
    /// The server ends every session of the role.
    fn end_sessions(&self) {
        self.server.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'runs'");
    }
}

impl Store for Shared {
    fn open(&self) -> Box<dyn Ledger> {
        self.place.open()
    }

    fn renew(&self) {
        self.server.execute("DROP SCHEMA cutter_ledger CASCADE");
        let owner = scene::postgres(&self.server.conninfo("owner", "postgres"), Some("runs"));
        owner.init(LedgerId::from_random(7)).unwrap();
    }

    fn killed_at_the_end(&self, ask: Ask<'_>) -> Result<(), TestCaseError> {
        ask(&*self.open())?;
        self.end_sessions();
        Ok(())
    }

    fn killed_within(&self, started: &Started) -> Result<(), TestCaseError> {
        let ledger = self.open();
        let mut held = ledger.hold(&started.run).map_err(wrong)?.ok_or_else(taken)?;
        self.end_sessions();
        // Whether it would have begun or not: nobody knows, and nothing lasts.
        prop_assert!(held.begin(started).is_err());
        Ok(())
    }
}
