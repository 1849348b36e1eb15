//! What two captures say together: a record that is written, read again and rendered. How it comes about is not said here.

use super::{Coverage, ObservationId};
use crate::settings::evidence::Level;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What two captures say together, version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The version of this form, 1.
    pub version: u32,
    /// The worst of the rows.
    pub status: RowStatus,
    /// When the baseline was begun.
    pub baseline_at: Timestamp,
    /// When the final capture was ended.
    pub final_at: Timestamp,
    /// Which database.
    pub database: String,
    /// The level that was asked for, and the one that both captures together reach.
    pub level: LevelReached,
    /// Whether no writing transaction completed in the whole cluster, and by what that is known.
    pub quiet: Quiet,
    /// How much of the database was watched, and what of its catalogs was not.
    #[serde(default)]
    pub coverage: Coverage,
    /// Who vouches for the captures, by the trust root.
    #[serde(default, skip_serializing_if = "Signers::is_empty")]
    pub signed: Signers,
    /// One row for each thing that was observed at either end, sorted by id.
    pub rows: Vec<ComparedRow>,
}

/// What was asked for and what was reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelReached {
    /// The lower of what both captures were asked for.
    pub requested: Level,
    /// What is proven; none where not even the counts are.
    pub reached: Option<Level>,
}

/// Whether the cluster was quiet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// Whether equal snapshots prove it.
    pub proven: bool,
    /// `pg_current_snapshot()` at the baseline.
    pub baseline: String,
    /// The same at the end of the final capture.
    #[serde(rename = "final")]
    pub last: String,
}

/// Who vouches for each piece of evidence; absent where it is not signed.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signers {
    /// For the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<SignedBy>,
    /// For the final capture.
    #[serde(rename = "final", default, skip_serializing_if = "Option::is_none")]
    pub last: Option<SignedBy>,
    /// For the record of the witness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<SignedBy>,
}

impl Signers {
    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Somebody whose signature was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBy {
    /// The name among the signers of the trust root.
    pub name: String,
    /// The fingerprint of the key.
    pub key: String,
    /// The entity that the trust root says this is; without it nobody knows whether it takes part in the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
}

/// What became of one observed thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RowStatus {
    /// It is the same, and nothing was done to it in between.
    Unchanged,
    /// It grew within its declared bound.
    Tolerated,
    /// It cannot be known.
    Unknown,
    /// It is not the same, or something was done to it and undone.
    Changed,
}

impl RowStatus {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "UNCHANGED",
            Self::Tolerated => "TOLERATED",
            Self::Unknown => "UNKNOWN",
            Self::Changed => "CHANGED",
        }
    }
}

/// One observed thing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparedRow {
    /// The observation's id.
    pub id: ObservationId,
    /// What became of it.
    pub status: RowStatus,
    /// What it came to at the baseline.
    pub baseline: String,
    /// What it came to at the end.
    #[serde(rename = "final")]
    pub last: String,
    /// Why the status is what it is.
    pub because: Vec<String>,
}

/// How a reason ends that rests on the counters of what lies beneath alone.
pub const BENEATH: &str = ", of what it is made of: put back, or it does not show";

/// How a reason ends that rests on transactions alone that were rolled back; their number stands before it.
pub const ROLLED_BACK: &str = " transactions were rolled back, and a call that ends in an error is not counted";

impl ComparedRow {
    /// How many transactions were rolled back, where it is unknown for nothing else; somebody may declare as many.
    pub fn rolled_back(&self) -> Option<i64> {
        match self.because.as_slice() {
            [why] if self.status == RowStatus::Unknown => why.strip_suffix(ROLLED_BACK)?.parse().ok(),
            _ => None,
        }
    }

    /// Whether it is unknown for nothing but counted writes beneath it, which somebody may declare.
    pub fn is_open_beneath(&self) -> bool {
        self.status == RowStatus::Unknown
            && !self.because.is_empty()
            && self.because.iter().all(|why| why.ends_with(BENEATH))
    }
}
