//! The rows of a report's tables, each with what supports it.

use crate::digest::Digest;
use crate::evidence::ObservationId;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of one observed thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ObservedStatus {
    /// It is the same, and nothing was done to it in between.
    Unchanged,
    /// It grew within its declared bound.
    Tolerated,
    /// It changed exactly as actions that were allowed and done declare.
    Expected,
    /// It changed, and an action that was allowed and done declares that without a bound: what was done is not measured.
    ExpectedUnbounded,
    /// It cannot be known.
    Unknown,
    /// It changed, and nothing that was allowed explains it.
    Changed,
}

impl ObservedStatus {
    /// The status as people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "UNCHANGED",
            Self::Tolerated => "TOLERATED",
            Self::Expected => "EXPECTED",
            Self::ExpectedUnbounded => "EXPECTED_UNBOUNDED",
            Self::Unknown => "UNKNOWN",
            Self::Changed => "CHANGED",
        }
    }
}

/// One observed thing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ObservedRow {
    /// The observation's id.
    pub id: ObservationId,
    /// What became of it.
    pub status: ObservedStatus,
    /// What it came to at the baseline.
    pub baseline: String,
    /// What it came to at the end.
    #[serde(rename = "final")]
    pub last: String,
    /// Why the status is what it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// The actions whose declared effect it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explained_by: Vec<String>,
}

/// What a row of the forbidden-action table is made from: one ban of the bundle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ban {
    /// The policy's `@id`.
    pub id: String,
    /// Its `@title`.
    pub title: String,
    /// `absolute`, `approval` or `precondition`.
    pub tier: BanTier,
    /// The gate that lifts it, or the gap that closes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
    /// Its `@evidence`.
    pub observations: Vec<String>,
    /// Its `@presupposes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presupposes: Option<String>,
}

/// What can lift a ban.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BanTier {
    /// Nothing.
    Absolute,
    /// An approval.
    Approval,
    /// A closed gap.
    Precondition,
}

/// One row of the forbidden-action table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ForbiddenRow {
    /// The ban.
    #[serde(flatten)]
    pub ban: Ban,
    /// Whether it was done.
    pub status: ForbiddenStatus,
    /// What the status rests on.
    pub basis: RowBasis,
    /// The rows of the plan that intended it and were denied by it; none where nobody did.
    pub intended: Vec<String>,
    /// The rows of the plan that were done while an approval lifted it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifted: Vec<String>,
    /// Each observation that can confirm or refute it, with what became of it.
    pub evidence: Vec<EvidenceRow>,
    /// Why, in one line.
    pub because: String,
}

/// One observation that supports a row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct EvidenceRow {
    /// As `@evidence` names it.
    pub observation: String,
    /// What became of it.
    pub status: ObservedStatus,
    /// What it came to at the end.
    #[serde(rename = "final")]
    pub last: String,
}

/// Whether something forbidden was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ForbiddenStatus {
    /// Observations that could show it do not, whether or not somebody intended it.
    NotDone,
    /// Only the plan and the run say so: nothing could show it.
    NotAttempted,
    /// A precondition that was checked by measured facts before what it could have barred was done.
    Held,
    /// What would have had to be done before was not done.
    NotApplicable,
    /// It was done.
    Done,
    /// It was done, and an approval had lifted the ban.
    DoneWithApproval,
    /// Its observation was not made, or cannot show it.
    Unknown,
}

impl ForbiddenStatus {
    /// Whether nothing of it needs to be looked at.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::NotDone | Self::NotAttempted | Self::Held | Self::NotApplicable)
    }

    /// The status as people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotDone => "NOT DONE",
            Self::NotAttempted => "NOT ATTEMPTED",
            Self::Held => "HELD",
            Self::NotApplicable => "N/A",
            Self::Done => "DONE",
            Self::DoneWithApproval => "DONE WITH APPROVAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a status rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowBasis {
    /// Captures signed by an observer who is not a party to the run, or facts that were measured at the moment of use.
    Measured,
    /// It follows from other rows.
    Derived,
    /// The word of the run itself: unsigned captures, or nothing that can be observed.
    SelfReported,
    /// Nothing.
    Absent,
}

impl RowBasis {
    /// The basis as people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Derived => "derived",
            Self::SelfReported => "self-reported",
            Self::Absent => "absent",
        }
    }
}

/// One action that began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct DoneRow {
    /// The row of the plan.
    pub id: String,
    /// Who did it.
    pub principal: String,
    /// When it began, RFC 3339.
    pub started_at: Timestamp,
    /// When it ended; none where that is not recorded.
    pub finished_at: Option<Timestamp>,
    /// The numbers of its records in the ledger: of its beginning, and of its end where that is recorded.
    pub records: Vec<u64>,
    /// How it ended.
    pub outcome: DoneOutcome,
    /// What the command ended with.
    pub exit_status: Option<i32>,
    /// What ran, in one line; absent where the record of its start does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
    /// The approvals used up for it.
    pub approvals: Vec<UsedApproval>,
    /// Sha-256 of the bundle that judged it at the moment of use.
    pub policies_sha256: Option<Digest>,
    /// Sha-256 of the facts it was judged by.
    pub facts_sha256: Option<Digest>,
    /// What it declares to change: counters and by how much, by observation; no counter means any change.
    pub expects: BTreeMap<String, BTreeMap<String, i64>>,
}

/// How an action ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoneOutcome {
    /// Its command ended with 0.
    Finished,
    /// Its command failed.
    Failed,
    /// Its end is not recorded.
    Interrupted,
}

/// An approval that an action used up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct UsedApproval {
    /// Its own id.
    pub id: String,
    /// The gate it opened.
    pub gate: String,
    /// Sha-256 over its exact bytes.
    pub sha256: Digest,
}
