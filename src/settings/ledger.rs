//! `[ledger]` of `cutter.toml`: where the shared ledger lies.

use crate::db::DatabaseSettings;
use serde::Deserialize;

/// `[ledger]` of `cutter.toml`: the shared ledger's own connection, since it may lie in another database.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// Where the parts of the connection stand.
    pub database: DatabaseSettings,
    /// The login role of runs, which gets the grants that they need and no other.
    pub role: Option<String>,
}
