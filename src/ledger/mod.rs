//! The ledger: where approvals are used up, rows begin once, votes are kept, and what was done is written down.
//!
//! It is one chain of records, each naming the digest of the one before it. One trait, two stores. Looking never writes; what
//! is written is on disk before the call returns. An approval is used up by the record of the start itself, so that no crash
//! leaves the one without the other.

mod chain;
#[cfg(feature = "postgres")]
mod database;
mod directory;
mod journal;
mod lines;
mod record;

pub use chain::{Chain, Published, previous};
#[cfg(feature = "postgres")]
pub use database::PostgresLedger;
pub use directory::DirectoryLedger;
pub use journal::{Conflict, Damage, Journal, Wanted};
pub use record::{
    ApprovalUsed, Attestation, Entry, Finished, LedgerId, ProgramOutput, Record, Refused, SeenBundle, Started,
    SwitchedOff, Voided, Vote,
};

use crate::digest::Digest;
use crate::problem::{Code, Coded as _, Problem};

/// A store of the chain.
pub trait Ledger {
    /// Its name in messages: a path, or `postgres`.
    fn name(&self) -> String;

    /// Its random id; `None` where there is no ledger. One that is not where it was made is an error.
    fn id(&self) -> Result<Option<LedgerId>, Problem>;

    /// Makes the ledger under this id, once; one that is there keeps its own.
    fn init(&self, id: LedgerId) -> Result<(), Problem>;

    /// Reads what is wanted; nothing where there is no ledger. What does not hold is told as damage, not as an error.
    fn read(&self, wanted: Wanted<'_>) -> Result<Journal, Problem>;

    /// The digest of the record of this number; every record before it is looked at where the store holds them in one file.
    fn digest_at(&self, number: u64) -> Result<Option<Digest>, Problem>;

    /// Keeps an attempt that came to nothing, the voiding of a run, or a vote.
    fn note(&self, record: &Record) -> Result<u64, Problem>;

    /// Keeps an attestation under its number, which is taken once, after the one whose digest it names.
    fn attest(&self, attestation: &Attestation) -> Result<Attested, Problem>;

    /// Takes the one place of a run: nobody else begins an action of it before this is dropped. It waits a while for whoever has it.
    fn hold(&self, run: &str) -> Result<Option<Box<dyn Held + '_>>, Problem>;
}

/// The one place of a run, and the session that has it.
pub trait Held {
    /// Begins an action and uses its approvals up, in one record, unless something stands against it.
    ///
    /// Only after [`Begun::Begun`] may the work begin.
    fn begin(&mut self, started: &Started) -> Result<Begun, Problem>;

    /// Writes down the end of an action of this run: of one that this began, or of one whose beginner is gone.
    fn finish(&mut self, finished: &Finished) -> Result<u64, Problem>;

    /// Has the place of another run, too, in the same session, which so ends nothing of its own that an observer would wait for; `false`
    /// where somebody else has it.
    fn also_hold(&mut self, run: &str) -> Result<bool, Problem>;

    /// Lets go of that one.
    fn let_go(&mut self) -> Result<(), Problem>;
}

/// Whether an action began.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Begun {
    /// By this call and by no other, with the record of this number.
    Begun(u64),
    /// Nothing was used up.
    Not(Box<Conflict>),
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

/// What is read of a ledger of the form before this one.
fn outdated(name: &str) -> Problem {
    Problem::failure(format!("the ledger at `{name}` has the form of version 1, which could be forged"))
        .help("move it away and make a new one with `cutter ledger init`; approvals name the new one's id")
        .coded(Code::LedgerUnusable)
}

/// What is said of a ledger that lies elsewhere than where it was made.
fn displaced(name: &str, made: &str, found: &str) -> Problem {
    Problem::untrusted(format!("the ledger at `{name}` is a copy: it was made at {made} and is now at {found}"))
        .help("use the original, in which what was used is used")
        .coded(Code::LedgerUnusable)
}

/// What is said of an end without a beginning.
fn never_began(finished: &Finished) -> Problem {
    Problem::failure(format!("record {} is not an open start of `{}`", finished.started, finished.action))
        .help("an action is ended once, by whoever has its run's place")
        .coded(Code::LedgerUnusable)
}
