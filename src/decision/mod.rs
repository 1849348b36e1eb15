//! The judgment: each row's decision and its basis, found by asking Cedar, and the verdict over all rows. Pure.

mod asking;
mod closed;
mod contexts;
mod held;
mod judge;
mod table;

pub(crate) use asking::{Answer, Slice, ask};
pub use closed::Closed;
pub use held::Held;
#[cfg(feature = "internals")]
pub use table::decide_each;
pub use table::{decide, decide_one, decide_rest};

use crate::facts::FactRead;
use cedar_policy::Context;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why a row is what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A permit covers it and no ban stands before it, without any approval.
    Permitted,
    /// It is allowed because an approval opened a gate.
    Approved,
    /// A ban stands before it that nothing lifts.
    Forbidden,
    /// No permit covers it.
    NotPermitted,
    /// It would be allowed if every gate it needs were opened and every gap closed; an approval is missing.
    ApprovalRequired,
    /// It would be allowed if every gap were closed.
    Precondition,
    /// Cedar allows it, but a row it comes after is denied.
    BlockedBy,
    /// Cedar allows it, but it names nothing that would run.
    NoWork,
    /// An evaluation failed, or two ways of asking disagree.
    Indeterminate,
}

impl Basis {
    /// The basis as people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Approved => "approved",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not permitted",
            Self::ApprovalRequired => "approval required",
            Self::Precondition => "precondition",
            Self::BlockedBy => "blocked by",
            Self::NoWork => "no work",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// Whether a row of this basis is allowed.
    pub fn allows(self) -> bool {
        matches!(self, Self::Permitted | Self::Approved)
    }
}

/// The state of a whole plan; a later one is worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every row is allowed.
    Authorized,
    /// Approvals are there, but a named gap is open.
    Blocked,
    /// Approvals are missing and nothing is final.
    ReadyForSovereignApproval,
    /// A row is denied for good.
    Denied,
    /// A row could not be judged.
    Indeterminate,
}

impl Verdict {
    /// The verdict as scripts and people see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorized => "AUTHORIZED",
            Self::Blocked => "BLOCKED",
            Self::ReadyForSovereignApproval => "READY_FOR_SOVEREIGN_APPROVAL",
            Self::Denied => "DENIED",
            Self::Indeterminate => "INDETERMINATE",
        }
    }

    /// What a plan of one row of this basis is worth.
    pub fn of(basis: Basis) -> Self {
        match basis {
            // What a blocked row is worth is counted at its blocker.
            Basis::Permitted | Basis::Approved | Basis::BlockedBy => Self::Authorized,
            Basis::Precondition => Self::Blocked,
            Basis::ApprovalRequired => Self::ReadyForSovereignApproval,
            Basis::Forbidden | Basis::NotPermitted | Basis::NoWork => Self::Denied,
            Basis::Indeterminate => Self::Indeterminate,
        }
    }
}

/// One row of the table of decisions.
#[derive(Clone, Debug)]
pub struct DecisionRow {
    /// Why it is what it is; [`Basis::allows`] is the decision.
    pub basis: Basis,
    /// The whole context of its request.
    pub context: Context,
    /// The policies that decided it, sorted.
    pub policies: Vec<String>,
    /// The one of them that is shown first: of the tier that decides, in the order of the files.
    pub decided_by: Option<String>,
    /// One line for people.
    pub reason: String,
    /// Gates that approvals must open, or, where it is approved, did open.
    pub needs: Vec<String>,
    /// The bans that approvals lifted, where it is approved, sorted.
    pub lifted: Vec<String>,
    /// Gaps that must be closed.
    pub gaps: Vec<String>,
    /// The rows before it that are denied, as indices into the table.
    pub blocked_by: Vec<usize>,
    /// Evaluation errors, sorted.
    pub errors: Vec<String>,
    /// Every fact that the policies read which can match it, whether or not it came to that, sorted.
    pub facts: Arc<Vec<FactRead>>,
    /// Preconditions that hold for it, where it is allowed.
    pub held: Vec<Held>,
    /// Whether it was decided at the moment of use.
    pub at_use: bool,
}

/// The decisions over a whole plan, in the plan's order.
#[derive(Clone, Debug)]
pub struct DecisionTable {
    /// One row for each of the plan's.
    pub rows: Vec<DecisionRow>,
    /// The worst of the rows.
    pub verdict: Verdict,
    /// Gaps that are open now.
    pub open_gaps: Vec<String>,
    /// Gaps that will be asked for at the moment of use, and that earlier rows of the run are to close.
    pub deferred_gaps: Vec<String>,
}
