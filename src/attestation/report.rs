//! The after-run report: what it states, how it is derived, and its verdict.

pub use super::rows::{
    Ban, BanTier, DoneOutcome, DoneRow, EvidenceRow, ForbiddenRow, ForbiddenStatus, ObservedRow, ObservedStatus,
    RowBasis, UsedApproval,
};
pub use super::said::{Contradiction, ContradictionKind, Disclosure, DisclosureKind};

use super::Tool;
use super::derive::{Derived, Input, derive};
use super::grounds::Grounds;
use crate::decision::Verdict;
use crate::problem::Problems;
use crate::record::Decisions;
use crate::settings::evidence::Level;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is stated after a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Report {
    /// What made it.
    pub tool: Tool,
    /// When it was made, RFC 3339, by the system's clock.
    pub time: Timestamp,
    /// What follows from all of it.
    pub verdict: ReportVerdict,
    /// The level of evidence that both captures together reach.
    pub level: Option<Level>,
    /// What was decided; rows that ran, as they were decided at the moment of use.
    pub decisions: Decisions,
    /// The time that was observed; none without two captures.
    pub window: Option<Window>,
    /// One row for each thing that was observed.
    pub non_mutation: Vec<ObservedRow>,
    /// One row for each ban of the bundle that is no rule for approvals, in the order of the files.
    pub forbidden: Vec<ForbiddenRow>,
    /// What was done, in the order of the journal.
    pub done: Vec<DoneRow>,
    /// Where evidence and decisions do not fit each other.
    pub contradictions: Vec<Contradiction>,
    /// What a reader must not overlook.
    pub disclosures: Vec<Disclosure>,
    /// Sha-256 over the ledger's last attestation; none for the first, or without a ledger.
    pub previous: Option<String>,
    /// Everything it is derived from.
    pub grounds: Grounds,
}

/// The parts of a report that are not derived.
#[derive(Clone, PartialEq, Debug)]
pub struct Parts {
    /// When it is made.
    pub now: Timestamp,
    /// What was decided.
    pub decisions: Decisions,
    /// Every ban that is a row, in the order of the files.
    pub bans: Vec<Ban>,
    /// What was done.
    pub done: Vec<DoneRow>,
    /// Everything else.
    pub grounds: Grounds,
}

impl Report {
    /// Derives a report that is the first of its chain, or says why the captures cannot be compared.
    pub fn derive(parts: Parts) -> Result<Self, Problems> {
        let Parts { now, decisions, bans, done, grounds } = parts;
        let input = Input { now, decisions: &decisions, bans: &bans, done: &done, grounds: &grounds };
        let Derived { verdict, level, window, non_mutation, forbidden, contradictions, disclosures } = derive(&input)?;
        Ok(Self {
            tool: Tool::this(),
            time: now,
            verdict,
            level,
            decisions,
            window,
            non_mutation,
            forbidden,
            done,
            contradictions,
            disclosures,
            previous: None,
            grounds,
        })
    }
}

/// The verdict of a report: that of the decisions, unless evidence says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReportVerdict {
    /// Every row is allowed, and nothing else was observed.
    Authorized,
    /// Approvals are there, but a named gap is open.
    Blocked,
    /// Approvals are missing and nothing is final.
    ReadyForSovereignApproval,
    /// A row is denied for good.
    Denied,
    /// Something could not be judged or was not measured.
    Indeterminate,
    /// Evidence contradicts the decisions.
    Contradicted,
}

impl From<Verdict> for ReportVerdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Authorized => Self::Authorized,
            Verdict::Blocked => Self::Blocked,
            Verdict::ReadyForSovereignApproval => Self::ReadyForSovereignApproval,
            Verdict::Denied => Self::Denied,
            Verdict::Indeterminate => Self::Indeterminate,
        }
    }
}

impl ReportVerdict {
    /// Every verdict, the worst last.
    pub const ALL: [Self; 6] = [
        Self::Authorized,
        Self::Blocked,
        Self::ReadyForSovereignApproval,
        Self::Denied,
        Self::Indeterminate,
        Self::Contradicted,
    ];

    /// The verdict as scripts and people see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorized => Verdict::Authorized.name(),
            Self::Blocked => Verdict::Blocked.name(),
            Self::ReadyForSovereignApproval => Verdict::ReadyForSovereignApproval.name(),
            Self::Denied => Verdict::Denied.name(),
            Self::Indeterminate => Verdict::Indeterminate.name(),
            Self::Contradicted => "CONTRADICTED",
        }
    }
}

/// The time between two captures.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Window {
    /// When the baseline was begun, RFC 3339.
    pub baseline_at: Timestamp,
    /// When the final capture was ended, RFC 3339.
    pub final_at: Timestamp,
    /// The cluster's own number and the database's name.
    pub database: String,
    /// Whether equal snapshots prove that no writing transaction completed in the whole cluster.
    pub quiet: bool,
    /// Who vouches for what was observed.
    pub basis: RowBasis,
}
