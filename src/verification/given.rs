//! What statements are checked against, and what becomes of one.

use crate::attestation::report::ReportVerdict;
use crate::attestation::{DECISIONS_TYPE, REPORT_TYPE};
use crate::digest::Digest;
use crate::ledger::{Chain, Journal};
use crate::policy::PolicyBundle;
use crate::problem::Source;
use crate::settings::Config;
use crate::signature::Revocations;
use crate::time::Timestamp;
use crate::trust::TrustRoot;
use serde::Serialize;
use std::collections::BTreeMap;

/// A statement or an envelope as it was found, with the detached signatures beside it, by name.
#[derive(Debug)]
pub struct StatementFile {
    /// Its text.
    pub source: Source,
    /// The signatures beside it; an envelope has its own.
    pub signatures: Vec<(String, Vec<u8>)>,
}

/// Everything that statements are checked against, read once.
#[derive(Debug)]
pub struct Verifier {
    /// How many different signers each must have.
    pub threshold: u64,
    /// Files that each must be about: `plan`, `baseline` or `final`, the name it is reported under, and its digest.
    pub subjects: Vec<(&'static str, String, Digest)>,
    /// Who may sign attestations and evidence.
    pub trust: TrustRoot,
    /// Keys that lost the right to sign.
    pub revocations: Revocations,
    /// When signatures are judged.
    pub now: Timestamp,
    /// The bundle that decides every row again, with the name of its signer.
    pub bundle: Option<(PolicyBundle, Config, String)>,
    /// The ledger in whose chain each must stand.
    pub ledger: Option<LedgerView>,
    /// Whether the files come one after the other in a chain.
    pub is_chain: bool,
    /// The verdict that is expected of each.
    pub expected: Option<ReportVerdict>,
    /// The predicate type that is asked for.
    pub predicate_type: PredicateType,
}

/// What a ledger holds, read once.
#[derive(Debug)]
pub struct LedgerView {
    /// Its id.
    pub id: String,
    /// The chain of its attestations.
    pub chain: Chain,
    /// The records of all runs.
    pub journal: Journal,
}

/// The predicate types that are known.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum PredicateType {
    /// A whole run.
    #[default]
    Report,
    /// Decisions alone, before a run.
    Decisions,
}

impl PredicateType {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Report, Self::Decisions];

    /// Reads a type as people write it: by its short name, or in full.
    pub fn named(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::ALL.into_iter().find(|known| known.short() == text))
    }

    /// Reads a type as statements write it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == text)
    }

    /// The short name, for people.
    pub fn short(self) -> &'static str {
        match self {
            Self::Report => "attestation",
            Self::Decisions => "decisions",
        }
    }

    /// The type as statements write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Report => REPORT_TYPE,
            Self::Decisions => DECISIONS_TYPE,
        }
    }
}

/// What became of one statement.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The name of the file.
    pub file: String,
    /// Sha-256 over the statement.
    pub sha256: Digest,
    /// What is stated of a whole run, or of decisions alone.
    pub predicate_type: &'static str,
    /// The verdict that it states.
    pub verdict: ReportVerdict,
    /// The accepted signers, sorted.
    pub signers: Vec<String>,
    /// What was checked and holds.
    pub holds: Vec<String>,
    /// What a reader must know of what was not asked for.
    pub noted: Vec<String>,
    /// What only the attester states.
    pub stated: Vec<String>,
    /// What does not hold, each with its field.
    pub faults: Vec<String>,
    /// What could not be checked.
    pub unchecked: Vec<String>,
    /// The approvals that were used, each for which row, and by which record of which ledger.
    #[serde(skip)]
    pub uses: BTreeMap<(Digest, String), String>,
}
