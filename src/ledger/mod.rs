//! The ledger: where approvals are used up, runs begin once, and what was done is written down. One trait, two stores.
//! Looking never writes. A use is on disk before `consume` returns, so that no crash gives it back.

mod chain;
mod database;
mod directory;
mod journal;
mod record;

pub use chain::{Chain, Head, previous};
pub use database::PostgresLedger;
pub use directory::DirectoryLedger;
pub use journal::{Damage, Journal};
pub use record::{ApprovalUsed, Event, JournalEntry, JournalRecord, LedgerId, RunStart, Use};

use crate::digest::Digest;
use crate::problem::{Code, Coded as _, Problem};
use crate::time::Timestamp;

/// A store of uses, runs and the journal.
pub trait Ledger {
    /// Its name in messages: a path, or `postgres`.
    fn name(&self) -> String;

    /// Its random id; `None` where there is no ledger.
    fn id(&self) -> Result<Option<LedgerId>, Problem>;

    /// Makes the ledger under this id, once; one that is there keeps its own.
    fn init(&self, id: LedgerId) -> Result<(), Problem>;

    /// Every use of an approval, by the action's name; none where there is no ledger.
    fn uses(&self, approval: Digest) -> Result<Vec<Use>, Problem>;

    /// The use of an approval for one action, if there was one. A record that cannot be read is an error, never `None`.
    fn used(&self, approval: Digest, action: &str) -> Result<Option<Use>, Problem>;

    /// Whether an approval was used for one action.
    fn is_consumed(&self, approval: Digest, action: &str) -> Result<bool, Problem> {
        Ok(self.used(approval, action)?.is_some())
    }

    /// Uses approvals up, each for one action, and has that on disk before it returns.
    ///
    /// Only after [`Consumption::Consumed`] may the work begin: after anything else, an error included, some of the
    /// approvals may be used up, and stay so.
    fn consume(&self, uses: &[Use]) -> Result<Consumption, Problem>;

    /// Begins a run; an id begins once, whatever became of it.
    fn start_run(&self, start: &RunStart) -> Result<RunStarted, Problem>;

    /// How a run began, if it did.
    fn run(&self, run: &str) -> Result<Option<RunStart>, Problem>;

    /// Writes a record at the end of the journal and has it on disk before it returns; gives its number, from 1.
    fn append(&self, entry: &JournalEntry) -> Result<u64, Problem>;

    /// The records of one run or of all, in order, and what of the whole journal cannot be read.
    fn journal(&self, run: Option<&str>) -> Result<Journal, Problem>;

    /// The latest time that a record of the journal bears.
    fn last_time(&self) -> Result<Option<Timestamp>, Problem>;

    /// [`Self::journal`] and [`Self::last_time`] at once, for a store that reads the whole journal for either.
    fn journal_and_last_time(&self, run: Option<&str>) -> Result<(Journal, Option<Timestamp>), Problem> {
        let last = self.last_time()?;
        Ok((self.journal(run)?, last))
    }

    /// The last attestation of the chain; `None` where there is none.
    fn attestation_head(&self) -> Result<Option<Head>, Problem>;

    /// Keeps an attestation under this number, which is taken once, and has it on disk before it returns.
    fn append_attestation(&self, number: u64, statement: &str) -> Result<Attested, Problem>;

    /// Every attestation with its number, in order; what cannot be read is an error.
    fn attestations(&self) -> Result<Vec<(u64, String)>, Problem>;
}

/// Whether an attestation was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Attested {
    /// By this call.
    Appended,
    /// Another has that number.
    Taken,
}

/// Whether approvals were used up.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Consumption {
    /// All of them, by this call and by no other.
    Consumed,
    /// Not all: the first one found, as it was used before.
    AlreadyConsumed(Box<Use>),
}

/// Whether a run began.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum RunStarted {
    /// By this call and by no other.
    Started,
    /// It began before.
    AlreadyStarted(Box<RunStart>),
}

/// Uses in the one order in which every store takes them, so that two that meet do not each hold what the other needs.
fn ordered(uses: &[Use]) -> Result<Vec<&Use>, Problem> {
    let mut uses: Vec<&Use> = uses.iter().collect();
    uses.sort_by(|a, b| key(a).cmp(&key(b)));
    match uses.windows(2).find_map(|pair| match pair {
        [a, b] if key(a) == key(b) => Some(*a),
        _ => None,
    }) {
        None => Ok(uses),
        Some(twice) => Err(Problem::failure(format!(
            "approval `{}` would be used twice for action `{}` at once",
            twice.approval_id, twice.action
        ))),
    }
}

fn key(one: &Use) -> (Digest, &str) {
    (one.approval, &one.action)
}

/// What somebody who needs a ledger finds where there is none.
pub(crate) fn missing(name: &str) -> Problem {
    Problem::failure(format!("there is no ledger at `{name}`"))
        .help(format!("`cutter ledger init --ledger {name}` makes one, whose id every approval names"))
        .coded(Code::LedgerMissing)
}

/// What `init` finds where there is a ledger.
fn already_made(name: &str, id: &LedgerId) -> Problem {
    Problem::failure(format!("there is a ledger at `{name}` already, with id `{id}`"))
        .help("it keeps its id; approvals name it, and a new one would make them void")
        .coded(Code::LedgerExists)
}
