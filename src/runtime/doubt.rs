//! What became of a transaction whose beginner is gone, by the word of its own server.

use super::session::{SESSION, Who, compare};
use crate::db::{Access, DatabaseError, WritingSession};
use crate::problem::Problem;
use std::time::{Duration, Instant};

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// All of it lasts.
    Committed,
    /// Nothing of it lasts.
    Aborted,
    /// The server does not know any more, or never knew it.
    Unknown,
}

/// Asks for the transaction of this id as the role that began it, where that did. One that still goes on has lost its client: it is
/// ended first.
pub fn fate(access: &Access, id: &str, who: &Who) -> Result<Fate, Problem> {
    const WHAT: &str = "the outcome of a transaction cannot be read";
    let failed = |error: DatabaseError| error.problem(WHAT);
    let mut session = access.open_writing()?;
    // Another server has a transaction of the same number.
    compare(&session.query(SESSION, &[]).map_err(failed)?, who)
        .map_err(|why| Problem::failure(format!("{WHAT}: {why}")).help("ask the server that the run was at work on"))?;
    let began = Instant::now();
    loop {
        match status(&mut session, id).map_err(failed)?.as_deref() {
            Some("committed") => return Ok(Fate::Committed),
            Some("aborted") => return Ok(Fate::Aborted),
            Some(_) if began.elapsed() < LONGEST => {
                session.query(END, &[&id]).map_err(failed)?;
                std::thread::sleep(Duration::from_millis(50));
            }
            _ => return Ok(Fate::Unknown),
        }
    }
}

/// The server's word; nothing where the id is too old, or of the future, as it is on another server.
fn status(session: &mut WritingSession, id: &str) -> Result<Option<String>, DatabaseError> {
    match session.query("SELECT pg_xact_status($1::text::xid8)", &[&id]) {
        Ok(rows) => Ok(rows.first().and_then(|row| row.try_get(0).ok()).flatten()),
        Err(error) if error.sqlstate.as_deref() == Some("22023") => Ok(None),
        Err(error) => Err(error),
    }
}

/// A session shows the lower half of the id only.
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_xid::text::bigint = $1::text::bigint % 4294967296 AND usename = current_user";

const LONGEST: Duration = Duration::from_secs(10);
