//! An attestation checked offline, as `cutter verify` does.

use super::{Bundle, Error, timestamp};
use crate::project;
use crate::trust::{self, SignatureFile, TrustRoot};
use crate::verification::{PredicateType, Verifier};
use std::path::Path;
use std::time::SystemTime;

/// What became of an attestation.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The verdict that it states, as results name it.
    pub verdict: &'static str,
    /// The signers that were accepted, sorted.
    pub signers: Vec<String>,
    /// What was checked and holds.
    pub holds: Vec<String>,
    /// What does not hold, each with its field; only without any is the attestation to be believed.
    pub faults: Vec<String>,
    /// What was asked for and could not be checked.
    pub unchecked: Vec<String>,
    /// What only the attester states.
    pub stated: Vec<String>,
}

impl Verified {
    /// Whether all that was asked for was checked and holds. It says nothing of the verdict.
    pub fn is_believed(&self) -> bool {
        self.faults.is_empty() && self.unchecked.is_empty()
    }
}

/// Checks the report of a run: signatures by the trust root, and everything it states derived again from what it carries.
///
/// With a bundle, which must be signed under the same trust root, every row is decided again. `now` is when signatures are judged. The trust
/// root is a file that only root can change; keys in `revoked_keys` beside it, or beside the machine's, count no more. Ledger and captures are not looked at.
pub fn verify(report: &Path, trust_root: &Path, bundle: Option<&Bundle>, now: SystemTime) -> Result<Verified, Error> {
    let trust = TrustRoot::read(trust_root)?;
    let revocations = trust::revoked(trust_root)?;
    let now = timestamp(now)?;
    let bundle = match bundle {
        Some(bundle) => {
            let signature = SignatureFile::beside(&bundle.folder)?;
            let signer = trust::judge_bundle(&trust, bundle.policies.listing(), &signature, &revocations, now)?;
            Some((bundle.policies.clone(), bundle.config.clone(), signer.principal))
        }
        None => None,
    };
    let verifier = Verifier {
        threshold: 1,
        subjects: Vec::new(),
        trust,
        revocations,
        now,
        bundle,
        ledger: None,
        is_chain: false,
        expected: None,
        predicate_type: PredicateType::Report,
    };
    let (text, signers, rejected) = verifier.signed(&project::read_statement(report)?)?;
    let judged = verifier.judge(&report.display().to_string(), &text, signers, rejected)?;
    Ok(Verified {
        verdict: judged.verdict.name(),
        signers: judged.signers,
        holds: judged.holds,
        faults: judged.faults,
        unchecked: judged.unchecked,
        stated: judged.stated,
    })
}
