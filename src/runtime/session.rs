//! What a session must be before anything is done in it: that of the role, on the primary that the plan is aimed at, with the guards on.

use crate::db::{Row, WritingTransaction};

/// Who acts, and where.
pub struct Who {
    /// The role.
    pub role: String,
    /// The cluster that the plan is aimed at, where it names one.
    pub database: Option<String>,
}

/// The session is that of the role, on the primary that the plan is aimed at, and no setting takes guards away; else why not.
pub fn check(transaction: &mut WritingTransaction, who: &Who) -> Result<(), String> {
    let rows = transaction.query(SESSION, &[]).map_err(|error| format!("its session cannot be looked at: {error}"))?;
    compare(&rows, who)
}

/// The same of what [`SESSION`] gave.
pub fn compare(rows: &[Row], who: &Who) -> Result<(), String> {
    let read = |index: usize| rows.first().and_then(|row| row.try_get::<_, String>(index).ok()).unwrap_or_default();
    for (index, what, wanted) in [
        (0, "the session is that of", who.role.as_str()),
        (1, "the login role is", who.role.as_str()),
        (2, "the server is in recovery:", "false"),
        (3, "`session_replication_role` is", "origin"),
    ] {
        if read(index) != wanted {
            return Err(format!("{what} `{}`, not `{wanted}`", read(index)));
        }
    }
    match who.database.as_ref().filter(|database| read(4) != **database) {
        Some(database) => Err(format!("the cluster is {}, and the plan is aimed at {database}", read(4))),
        None => Ok(()),
    }
}

/// What a session says of itself.
pub const SESSION: &str = "SELECT current_user::text, session_user::text, pg_is_in_recovery()::text,
    current_setting('session_replication_role'), (SELECT system_identifier::text FROM pg_control_system())";
