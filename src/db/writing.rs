//! Sessions that may write: the ledger's, and nobody else's. What they commit is on the server's disk when the commit returns.

use super::{Access, DatabaseError, Limits};
use crate::problem::Problem;
use postgres::{Client, Row, types::ToSql};
use std::time::Duration;

impl Access {
    /// Opens a session that may write.
    pub fn open_writing(&self) -> Result<WritingSession, Problem> {
        Ok(WritingSession { client: self.connect(&pinned(&self.limits))?, secret: self.secret.clone() })
    }
}

/// A connection that may write.
pub struct WritingSession {
    client: Client,
    secret: Option<String>,
}

impl WritingSession {
    /// The rows of one statement, which is committed where no transaction was begun.
    pub fn query(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
        self.client.query(sql, parameters).map_err(|error| DatabaseError::new(&error, self.secret.as_deref()))
    }

    /// Several statements without parameters.
    pub fn run(&mut self, sql: &str) -> Result<(), DatabaseError> {
        self.client.batch_execute(sql).map_err(|error| DatabaseError::new(&error, self.secret.as_deref()))
    }
}

/// What every writing session is told first. A commit that the server has not made durable is no commit.
fn pinned(limits: &Limits) -> String {
    format!(
        "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'; \
         SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET row_security = off; SET search_path = pg_catalog; SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; \
         SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; \
         SET application_name = 'cutter-ledger'; \
         SELECT set_config('synchronous_commit', 'on', false) \
           WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        limits.statement.as_millis(),
        limits.lock.max(LONGEST_WAIT).as_millis(),
        limits.idle.as_millis(),
    )
}

/// Writers queue for the end of the chain, a few milliseconds each.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
