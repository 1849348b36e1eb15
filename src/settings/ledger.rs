//! `[ledger]` of `cutter.toml`: where the ledger of every run lies, and how far clocks may differ.

use super::database::DatabaseSettings;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[ledger]` of `cutter.toml`. It is signed with the bundle, so that no run chooses its ledger.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// The folder of the ledger, where it is one.
    pub path: Option<PathBuf>,
    /// Where the parts of the connection stand, where it lies in PostgreSQL; its own, since that may be another server.
    pub database: Option<DatabaseSettings>,
    /// The login role of runs, which may call what they need and has no other right.
    pub role: Option<String>,
    /// The user of the operating system whose socket it is, where a run reaches the server by a socket; `postgres` where nothing is
    /// said.
    pub server_user: Option<String>,
    /// By how much the clock of a run may differ from the ledger's; 10 where nothing is said.
    pub clock_skew_seconds: Option<u32>,
    /// The file that keeps what was turned off while the ledger was away; `cutter-spool.ndjson` where nothing is said.
    pub spool: Option<PathBuf>,
    /// Within what time of its decision an action must begin; 5 where nothing is said.
    pub start_within_seconds: Option<u32>,
}

impl LedgerSettings {
    /// The file that keeps what was turned off while the ledger was away.
    pub fn spool(&self) -> &Path {
        self.spool.as_deref().unwrap_or(Path::new("cutter-spool.ndjson"))
    }

    /// By how much the clock of a run may differ from the ledger's.
    pub fn clock_skew(&self) -> Duration {
        Duration::from_secs(self.clock_skew_seconds.unwrap_or(10).into())
    }

    /// Within what time of its decision an action must begin.
    pub fn start_within(&self) -> Duration {
        Duration::from_secs(self.start_within_seconds.unwrap_or(5).into())
    }
}
