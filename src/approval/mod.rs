//! Approvals: signed documents that open gates for exactly one plan. Rust judges bytes, Cedar judges authority.

mod asking;
pub mod document;
pub mod judge;
mod keys;
mod reasons;
pub mod renewal;
pub mod request;
pub mod row;

pub use keys::KnownKeys;

use crate::policy::annotations::RejectCode;
use crate::problem::Source;
use std::collections::{BTreeMap, BTreeSet};

/// One document as it was found, with the signatures beside it.
#[derive(Clone, Debug)]
pub struct ApprovalFile {
    /// The document's exact text.
    pub source: Source,
    /// The content of `X.json.sig` and of every `X.json.<name>.sig`, by file name, sorted.
    pub signatures: Vec<(String, Vec<u8>)>,
    /// Why the document or a signature could not be read; such a document opens nothing.
    pub unreadable: Option<String>,
}

/// What became of one document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JudgedApproval {
    /// The file it stands in; empty where a gate has no document.
    pub file: String,
    /// The approval's id; empty where it could not be read.
    pub id: String,
    /// The gate it is for; empty where it could not be read.
    pub gate: String,
    /// Why it opens nothing, in the order of the codes; empty where it is accepted.
    pub faults: Vec<RejectReason>,
    /// The people whose yes was counted, sorted.
    pub signers: Vec<String>,
    /// Until when it says that it is valid, as it is written there.
    pub expires_at: Option<String>,
    /// Sha-256 of the document, in the form the ledger knows it by.
    pub digest: Option<crate::digest::Digest>,
}

/// One reason why a document opens nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RejectReason {
    /// For machines.
    pub code: RejectCode,
    /// For people.
    pub detail: String,
}

impl JudgedApproval {
    /// Whether it opens its gate.
    pub fn is_accepted(&self) -> bool {
        self.faults.is_empty()
    }
}

/// All documents judged, and what they open.
#[derive(Clone, Default, Debug)]
pub struct Approvals {
    /// Every document, then every gate that is needed and has none.
    pub judged: Vec<JudgedApproval>,
    /// The gates that are open.
    pub gates: BTreeSet<String>,
    /// Gates that are no longer open for single rows, since their approval was used for them.
    pub spent: BTreeMap<String, BTreeSet<String>>,
}

impl Approvals {
    /// The accepted document that opens a gate.
    pub fn for_gate(&self, gate: &str) -> Option<&JudgedApproval> {
        self.judged.iter().find(|judged| judged.gate == gate && judged.is_accepted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_that_opens_a_gate_is_of_that_gate_and_accepted() {
        let document = |id: &str, gate: &str, faults: &[RejectReason]| JudgedApproval {
            file: String::new(),
            id: id.to_owned(),
            gate: gate.to_owned(),
            faults: faults.to_vec(),
            signers: Vec::new(),
            expires_at: None,
            digest: None,
        };
        let unsigned = RejectReason { code: RejectCode::Unsigned, detail: String::new() };
        let judged = vec![
            document("accepted, of another", "OTHER", &[]),
            document("of it, rejected", "IT", &[unsigned]),
            document("of it", "IT", &[]),
        ];
        let approvals = Approvals { judged, ..Approvals::default() };
        let found = |gate: &str| approvals.for_gate(gate).map(|found| found.id.as_str());
        assert_eq!((found("IT"), found("OTHER"), found("NONE")), (Some("of it"), Some("accepted, of another"), None));
    }
}
