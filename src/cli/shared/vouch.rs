//! Evidence as reports hold it, and who vouches for it and for a plan: the signatures beside their files, by the trust root.

use super::connection;
use super::inputs::InputArguments;
use crate::attestation::grounds::{CaptureRecord, PlanSigned, Vouched, WitnessSource};
use crate::authorization::Inputs;
use crate::digest::Digest;
use crate::evidence::Capture;
use crate::evidence::witness::WitnessRecord;
use crate::files;
use crate::plan::RunPlan;
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::signature::{PLAN, Revocations, verify};
use crate::time::Timestamp;
use crate::trust::{SignatureFile, judge_evidence};
use std::path::Path;

/// Who signed the plan; without a trust root, or without a signature that it accepts, nobody did.
pub fn plan(
    arguments: &InputArguments,
    plan: &RunPlan,
    revocations: &Revocations,
    now: Timestamp,
) -> Result<Option<PlanSigned>, Problems> {
    if arguments.plan.as_os_str() == "-" || !arguments.trust.is_there() {
        return Ok(None);
    }
    let beside = SignatureFile::beside(&arguments.plan)?;
    let Some(bytes) = beside.bytes() else { return Ok(None) };
    let (trust, text) = (arguments.trust.load()?, plan.source.text().as_bytes());
    let signed = verify(PLAN, text, bytes, trust.signers(), revocations, now);
    let signature = String::from_utf8_lossy(bytes).into_owned();
    Ok(signed.ok().map(|signer| PlanSigned { signature, signer: signer.principal }))
}

/// A capture, of the plan's own database, and who vouches for it.
pub fn capture(arguments: &InputArguments, inputs: &Inputs, path: &Path) -> Result<CaptureRecord, Problems> {
    let source = files::read(path)?;
    let capture = Capture::parse(&source).coded(Code::EvidenceInvalid)?;
    let target = inputs.plan.target.0.get("database").map(String::as_str);
    let name = connection::database_name(&inputs.config).ok();
    if let Some(what) = capture.off_target(target, name.as_deref()) {
        return Err(Problem::invalid(format!("`{}` {what}", path.display()))
            .help("capture the database that the plan is aimed at")
            .coded(Code::EvidenceInvalid)
            .into());
    }
    let sha256 = Digest::of(source.text().as_bytes());
    Ok(CaptureRecord { sha256, vouched: evidence(arguments, inputs, path, &source)?, capture })
}

/// What a witness recorded, and who vouches for it.
pub fn witness(arguments: &InputArguments, inputs: &Inputs, path: &Path) -> Result<WitnessSource, Problems> {
    let source = files::read(path)?;
    WitnessRecord::parse(&source).coded(Code::EvidenceInvalid)?;
    let sha256 = Digest::of(source.text().as_bytes());
    Ok(WitnessSource { sha256, vouched: evidence(arguments, inputs, path, &source)?, text: source.text().to_owned() })
}

/// Who vouches for evidence; without a trust root nobody does.
fn evidence(
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
