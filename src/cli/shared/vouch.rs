//! Who vouches for a plan and for evidence: the signatures beside their files, by the trust root.

use super::inputs::InputArguments;
use crate::attestation::grounds::{PlanSigned, Vouched};
use crate::authorization::Inputs;
use crate::problem::{Code, Coded as _, Problems, Source};
use crate::signature::{PLAN, verify};
use crate::trust::{SignatureFile, judge_evidence};
use std::path::Path;

/// Who signed the plan; without a trust root, or without a signature that it accepts, nobody did.
pub fn plan(arguments: &InputArguments, inputs: &Inputs) -> Result<Option<PlanSigned>, Problems> {
    if arguments.plan.as_os_str() == "-" || !arguments.trust.is_there() {
        return Ok(None);
    }
    let beside = SignatureFile::beside(&arguments.plan)?;
    let Some(bytes) = beside.bytes() else { return Ok(None) };
    let (trust, text) = (arguments.trust.load()?, inputs.plan.source.text().as_bytes());
    let signed = verify(PLAN, text, bytes, trust.signers(), &inputs.revocations, inputs.now);
    let signature = String::from_utf8_lossy(bytes).into_owned();
    Ok(signed.ok().map(|signer| PlanSigned { signature, signer: signer.principal }))
}

/// Who vouches for evidence; without a trust root nobody does.
pub fn evidence(
    arguments: &InputArguments,
    inputs: &Inputs,
    path: &Path,
    source: &Source,
) -> Result<Option<Vouched>, Problems> {
    let signature = SignatureFile::beside(path)?;
    let Some(bytes) = signature.bytes().filter(|_| arguments.trust.is_there()) else { return Ok(None) };
    let text = source.text().as_bytes();
    let by = judge_evidence(&arguments.trust.load()?, text, &signature, &inputs.revocations, inputs.now)
        .coded(Code::EvidenceUntrusted)?;
    Ok(by.map(|by| Vouched {
        signature: String::from_utf8_lossy(bytes).into_owned(),
        signer: by.signer.principal,
        observer: by.entity.map(|entity| entity.to_string()),
    }))
}
