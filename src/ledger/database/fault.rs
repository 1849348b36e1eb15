//! Why a ledger in a database cannot be used, told in the words of the ledger.

use crate::db::DatabaseError;
use crate::problem::{Code, Coded as _, Problem};

/// Why a ledger in a database cannot be used.
pub enum LedgerError {
    Database(DatabaseError),
    Spoilt(&'static str),
    Refused(Problem),
}

impl LedgerError {
    /// There is no ledger.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Database(error) if is_absence(error))
    }

    /// The failure of `what`.
    pub fn problem(self, what: &str) -> Problem {
        match self {
            Self::Database(error) => {
                let help = match error.sqlstate.as_deref() {
                    Some("42501") => {
                        "the ledger's owner grants what runs need: `cutter ledger init --print --role ROLE` shows it"
                    }
                    _ => "nothing that needs the ledger runs before this is mended",
                };
                error.problem(what).help(help)
            }
            Self::Spoilt(part) => Problem::failure(format!("{what}: {part} is not as cutter writes it"))
                .help("what it recorded counts as used; restore the table from a copy")
                .coded(Code::LedgerDamaged),
            Self::Refused(problem) => problem,
        }
    }
}

impl From<DatabaseError> for LedgerError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

/// There is no such table or schema.
pub fn is_absence(error: &DatabaseError) -> bool {
    matches!(error.sqlstate.as_deref(), Some("42P01" | "3F000"))
}

/// Looking failed.
pub fn looking(error: DatabaseError) -> Problem {
    LedgerError::from(error).problem("the ledger cannot be read")
}

/// The connection is the ledger's own, and so is its section of `cutter.toml`.
pub fn in_own_words(mut problem: Problem) -> Problem {
    problem.message = problem.message.replace("`[database]`", "`[ledger.database]`");
    problem.help = problem.help.map(|help| help.replace("`[database]`", "`[ledger.database]`"));
    problem
}
