//! What a command gives: a text and an exit code, or problems.

use crate::decision::Verdict;
use crate::problem::{Blame, Problem, Problems};

/// What a script may conclude from a run of `cutter`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked is allowed, holds or matches.
    Authorized = 0,
    /// Cutter itself could not do its work.
    Failure = 1,
    /// At least one action is denied for good.
    Denied = 2,
    /// An input is malformed or does not validate.
    Invalid = 3,
    /// A proof has a counterexample, or a finding or difference exceeds what was asked.
    Refuted = 4,
    /// Approvals are missing and nothing is final.
    Ready = 5,
    /// Evidence contradicts: a mutation was seen.
    Contradicted = 6,
    /// Something could not be judged or observed.
    Unmeasured = 7,
    /// A signature, a digest or the clock does not verify.
    Untrusted = 8,
    /// Approvals are there, but a named gap is open.
    Blocked = 9,
    /// An allowed command ran and failed.
    Effect = 10,
    /// Wrong command line.
    Usage = 64,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a command gives: text for standard output, and how it went.
pub type CommandResult = Result<(String, Exit), Problems>;

/// A record that has no JSON form; it does not happen, and is said if it does.
pub fn no_json(error: serde_json::Error) -> Problem {
    Problem::failure(format!("the result has no JSON form: {error}"))
}

/// The exit code of problems: by whose fault it is.
pub fn of_problems(problems: &Problems) -> Exit {
    match problems.fault() {
        Blame::Failure => Exit::Failure,
        Blame::Invalid => Exit::Invalid,
        Blame::Untrusted => Exit::Untrusted,
    }
}

/// The exit code of a verdict.
pub fn of_verdict(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Authorized => Exit::Authorized,
        Verdict::Blocked => Exit::Blocked,
        Verdict::ReadyForSovereignApproval => Exit::Ready,
        Verdict::Denied => Exit::Denied,
        Verdict::Indeterminate => Exit::Unmeasured,
    }
}
