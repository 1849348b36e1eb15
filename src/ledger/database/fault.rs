//! Why a ledger in a database cannot be used, told in the words of the ledger.

use crate::db::DatabaseError;
use crate::problem::{Code, Coded as _, Problem};

/// Why a ledger in a database cannot be used.
pub enum LedgerError {
    Database(DatabaseError),
    Spoilt,
}

impl LedgerError {
    /// There is no ledger.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Database(error) if is_absence(error))
    }

    /// The failure of `what`.
    pub fn problem(self, what: &str) -> Problem {
        match self {
            Self::Database(error) => match error.sqlstate.as_deref() {
                Some("42501") => error.problem(what).help(
                    "the ledger's owner grants what runs need: `cutter ledger init --print --role ROLE` shows it",
                ),
                Some("CL001") => Problem::untrusted(format!("{what}: its server was restored or promoted"))
                    .help("look at what was lost; then its owner runs `cutter ledger accept-place`")
                    .coded(Code::LedgerUnusable),
                Some("CL003") => {
                    Problem::failure(format!("{what}: the attestation does not follow from the one before it"))
                        .help("attest with `cutter attest --attest FILE`")
                        .coded(Code::LedgerUnusable)
                }
                _ => error.problem(what).help("nothing that needs the ledger runs before this is fixed"),
            },
            Self::Spoilt => Problem::untrusted(format!("{what}: a part of it is not as cutter writes it"))
                .help("what it recorded counts as used; restore the table from a copy")
                .coded(Code::LedgerDamaged),
        }
    }
}

impl From<DatabaseError> for LedgerError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

/// There is no such function or schema.
pub fn is_absence(error: &DatabaseError) -> bool {
    matches!(error.sqlstate.as_deref(), Some("42883" | "42P01" | "3F000"))
}
