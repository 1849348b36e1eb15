//! Sessions that may write: the ledger's, and those of effects. What they commit is on the server's disk when the commit returns.

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

    /// Begins a transaction, for which the session is from here on; every statement sees what was committed before it.
    pub fn begin(mut self) -> Result<WritingTransaction, DatabaseError> {
        self.run("BEGIN")?;
        Ok(WritingTransaction { session: self })
    }

    /// Several statements without parameters.
    pub fn run(&mut self, sql: &str) -> Result<(), DatabaseError> {
        self.client.batch_execute(sql).map_err(|error| DatabaseError::new(&error, self.secret.as_deref()))
    }
}

/// One transaction that may write; dropped without a commit, it leaves nothing behind.
pub struct WritingTransaction {
    session: WritingSession,
}

impl WritingTransaction {
    /// The rows of one statement.
    pub fn query(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
        self.session.query(sql, parameters)
    }

    /// The rows of one statement whose parameters are all texts.
    pub fn query_with_texts(&mut self, sql: &str, texts: &[Option<&str>]) -> Result<Vec<Row>, DatabaseError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        self.query(sql, &parameters)
    }

    /// Its id, by which the server says later what became of it ([`pg_xact_status`]).
    ///
    /// [`pg_xact_status`]: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
    pub fn id(&mut self) -> Result<String, DatabaseError> {
        let rows = self.query("SELECT pg_current_xact_id()::text", &[])?;
        rows.first().and_then(|row| row.try_get(0).ok()).ok_or_else(DatabaseError::lost)
    }

    /// Has done by now what constraints and triggers put off until the commit.
    pub fn run_deferred(&mut self) -> Result<(), DatabaseError> {
        self.session.run("SET CONSTRAINTS ALL IMMEDIATE")
    }

    /// Ends it without anything of it lasting, once what is looked at only at a commit has been looked at, too.
    pub fn roll_back(mut self) -> Result<(), DatabaseError> {
        self.run_deferred()?;
        self.session.run("ROLLBACK")
    }

    /// Makes all of it last, and gives the session back.
    pub fn commit(mut self) -> Result<WritingSession, DatabaseError> {
        self.session.run("COMMIT")?;
        Ok(self.session)
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
