//! Attestations checked offline: signatures, subjects, chain, and that everything they state follows from their own grounds.

pub mod check;
mod given;
mod journal;
pub mod redecide;
mod stated;

pub use given::{LedgerView, PredicateType, StatementFile, Verified, Verifier};

use crate::approval::KnownKeys;
use crate::attestation::envelope::{Envelope, PAYLOAD_TYPE};
use crate::attestation::grounds::{CaptureRecord, Vouched};
use crate::attestation::report::{Report, ReportVerdict};
use crate::attestation::{DECISIONS_TYPE, DecisionPredicate, REPORT_TYPE, Statement, schema};
use crate::digest::Digest;
use crate::problem::{Problem, Problems, Source};
use crate::record::Decisions;
use crate::signature::{ATTESTATION, EVIDENCE, PLAN, Rejection, Signer, verify};
use crate::text::printable;
use redecide::redecide;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A statement's text, the signers that were accepted, and why others were not.
pub type Signed = (String, Vec<Signer>, Vec<String>);

impl Verifier {
    /// The statement of a file, with whoever signed it.
    pub fn signed(&self, file: &StatementFile) -> Result<Signed, Problems> {
        let source = &file.source;
        let is_envelope =
            serde_json::from_str::<Value>(source.text()).is_ok_and(|value| value.get("payloadType").is_some());
        let results: Vec<(String, Result<Signer, Rejection>)>;
        let text = if is_envelope {
            let envelope = Envelope::parse(source)?;
            if envelope.payload_type() != PAYLOAD_TYPE {
                let message = format!("`{}` holds `{}`", source.name(), printable(envelope.payload_type()));
                return Err(Problem::untrusted(message).help(format!("a statement is `{PAYLOAD_TYPE}`")).into());
            }
            let judged = envelope.verify(ATTESTATION, self.trust.signers(), &self.revocations, self.now);
            results = (1..).map(|number: u32| format!("signature {number}")).zip(judged).collect();
            let bytes = envelope.bytes().unwrap_or_default();
            String::from_utf8(bytes)
                .map_err(|_| Problem::untrusted(format!("the payload of `{}` is not UTF-8", source.name())))?
        } else {
            let judged = |(name, bytes): &(String, Vec<u8>)| {
                let text = source.text().as_bytes();
                (name.clone(), verify(ATTESTATION, text, bytes, self.trust.signers(), &self.revocations, self.now))
            };
            results = file.signatures.iter().map(judged).collect();
            source.text().to_owned()
        };
        let (mut signers, mut faults) = (Vec::new(), Vec::new());
        for (name, result) in results {
            match result {
                Ok(signer) => signers.push(signer),
                Err(rejection) => faults.push(format!("{name}: {}", rejection.detail())),
            }
        }
        Ok((text, signers, faults))
    }

    /// Checks one statement in every way that was asked for.
    pub fn judge(
        &self,
        file: &str,
        text: &str,
        signers: Vec<Signer>,
        rejected: Vec<String>,
    ) -> Result<Verified, Problems> {
        let names: BTreeSet<String> = signers.into_iter().map(|signer| signer.principal).collect();
        let mut verified = Verified {
            file: file.to_owned(),
            sha256: Digest::of(text.as_bytes()),
            predicate_type: self.predicate_type.name(),
            verdict: ReportVerdict::Indeterminate,
            signers: names.iter().cloned().collect(),
            holds: Vec::new(),
            noted: Vec::new(),
            stated: Vec::new(),
            faults: Vec::new(),
            unchecked: Vec::new(),
            uses: BTreeMap::new(),
        };
        match names.len() as u64 >= self.threshold {
            true => verified.holds.push(format!("signed by {}", verified.signers.join(", "))),
            false => {
                let wanted = self.threshold;
                let got = names.len();
                verified.faults.push(format!("signatures: {got} accepted signers, and {wanted} are needed"));
                verified.faults.extend(rejected);
            }
        }
        let source = Source::new(file, text);
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let stated = value.get("predicateType").and_then(Value::as_str).unwrap_or_default();
        if let Some(other) = PredicateType::parse(stated).filter(|other| *other != self.predicate_type) {
            let (found, wanted) = (other.short(), self.predicate_type.short());
            let message = format!("`{file}` is of the type `{found}`, not `{wanted}`");
            let help = match other {
                PredicateType::Decisions => {
                    "it was made before a run and nothing was observed; --type decisions asks for it"
                }
                PredicateType::Report => "leave --type out for the report of a whole run",
            };
            return Err(Problem::untrusted(message).help(help).into());
        }
        match self.predicate_type {
            PredicateType::Decisions => {
                let statement = Statement::<DecisionPredicate>::parse(&source, DECISIONS_TYPE)?;
                verified.verdict = statement.predicate.decisions.verdict.into();
                verified.noted.push("it was made before a run: nothing was observed".to_owned());
                verified.faults.extend(check::decision_statement(&statement));
                self.compare_subjects(&statement.predicate.decisions, None, &mut verified);
                if self.bundle.is_some() {
                    verified
                        .unchecked
                        .push("a statement before a run holds no facts: its rows cannot be decided again".to_owned());
                }
            }
            PredicateType::Report => {
                let statement = Statement::<Report>::parse(&source, REPORT_TYPE)?;
                let faults = schema::faults(&value)?;
                if faults.is_empty() {
                    verified.holds.push("it fits the published JSON Schema".to_owned());
                }
                verified.faults.extend(faults);
                self.report(&statement, &mut verified)?;
            }
        }
        match self.expected {
            Some(expected) if expected != verified.verdict => {
                let (found, expected) = (verified.verdict.name(), expected.name());
                verified.faults.push(format!("predicate.verdict: it is {found}, and {expected} was expected"));
            }
            Some(expected) => verified.holds.push(format!("its verdict is {}, as expected", expected.name())),
            None => {}
        }
        if let Some(LedgerView { chain, .. }) = &self.ledger {
            match chain.digests.contains(&verified.sha256) {
                true => verified.holds.push("it is in the ledger's chain".to_owned()),
                false => verified.faults.push("the ledger's chain does not have it".to_owned()),
            }
        }
        let mut seen = BTreeSet::new();
        verified.faults.retain(|fault| seen.insert(fault.clone()));
        Ok(verified)
    }

    fn report(&self, statement: &Statement<Report>, verified: &mut Verified) -> Result<(), Problems> {
        let report = &statement.predicate;
        verified.verdict = report.verdict;
        verified.stated = stated::of(report, self);
        verified.uses = journal::uses(report);
        let differences = check::report(statement);
        if differences.is_empty() {
            verified.holds.push("every status and the verdict follow from its own evidence".to_owned());
        }
        verified.faults.extend(differences);
        for (name, record) in [("baseline", &report.grounds.baseline), ("final", &report.grounds.last)] {
            if let Some(record) = record {
                self.observer(name, record.vouched.as_ref(), record.text().as_deref(), verified);
            }
        }
        if let Some(witness) = &report.grounds.witness {
            self.observer("witness", witness.vouched.as_ref(), Some(&witness.text), verified);
        }
        self.plan(report, verified);
        if let Some(ledger) = &self.ledger {
            match journal::beside(report, verified.sha256, ledger) {
                faults if faults.is_empty() => verified.holds.push("what was done is what the ledger has".to_owned()),
                faults => verified.faults.extend(faults),
            }
        }
        self.compare_subjects(&report.decisions, Some(report), verified);
        match (&self.bundle, report.decisions.bundle.signer()) {
            (None, _) => verified.noted.push(
                "without --policies the bans, rules and rows are those of the bundle only as the signer claims"
                    .to_owned(),
            ),
            (Some((_, _, judged)), Some(stated)) if judged != stated => verified
                .faults
                .push(format!("predicate.decisions.bundle_signer: the bundle is signed by {judged}, not {stated}")),
            _ => {}
        }
        if let Some((bundle, config, _)) = &self.bundle {
            let known_keys = self.known_keys(report);
            let mut again = redecide(report, bundle, config, (&known_keys, &self.revocations))?;
            // What the report itself discloses has cost it its verdict already.
            again.differences.retain(|difference| {
                !report.grounds.journal.faults.contains(&format!("{}{difference}", redecide::DISCLOSED))
            });
            if again.differences.is_empty() {
                verified.holds.push(format!("{} rows, decided again by the bundle, come out the same", again.run));
            }
            verified.faults.extend(again.differences);
            for id in again.not_run {
                let text =
                    format!("`{id}` was decided by another bundle, or by facts that the statement does not hold");
                verified.unchecked.push(text);
            }
        }
        Ok(())
    }

    /// Whose keys are, by the trust root and by the plan's own signature.
    fn known_keys(&self, report: &Report) -> KnownKeys {
        let signed = report.grounds.plan_signed.as_ref().map(|signed| signed.signature.as_bytes());
        let author = report.decisions.plan.author.parse();
        author.map(|author| KnownKeys::new(self.trust.bound_keys(), &author, signed)).unwrap_or_default()
    }

    /// Whoever is said to have signed the plan must have, and be its author.
    fn plan(&self, report: &Report, verified: &mut Verified) {
        let Some(stated) = &report.grounds.plan_signed else { return };
        let field = "predicate.grounds.plan_signed";
        let (text, signature) = (report.grounds.plan.as_bytes(), stated.signature.as_bytes());
        match verify(PLAN, text, signature, self.trust.signers(), &self.revocations, self.now) {
            Ok(signer) => {
                let author = self.trust.entity_of_signer(&signer.principal).map(ToString::to_string);
                if signer.principal == stated.signer && author.as_ref() == Some(&report.decisions.plan.author) {
                    verified.holds.push(format!("plan: it was signed by {}, its author", stated.signer));
                } else {
                    verified.faults.push(format!("{field}.signer: it is not the plan's author who signed it"));
                }
            }
            Err(rejection) => verified.faults.push(format!("{field}.signature: {}", rejection.detail())),
        }
    }

    /// Whoever is said to vouch for evidence must have signed it.
    fn observer(&self, name: &str, vouched: Option<&Vouched>, text: Option<&str>, verified: &mut Verified) {
        let (Some(vouched), Some(text)) = (vouched, text) else { return };
        let field = format!("predicate.grounds.{name}.vouched");
        let signature = vouched.signature.as_bytes();
        let signers = self.trust.signers();
        match verify(EVIDENCE, text.as_bytes(), signature, signers, &self.revocations, self.now) {
            Ok(signer) => {
                let entity = self.trust.entity_of_signer(&signer.principal).map(ToString::to_string);
                if (&signer.principal, &entity) == (&vouched.signer, &vouched.observer) {
                    verified.holds.push(format!("{name}: it was signed by {}", vouched.signer));
                } else {
                    verified.faults.push(format!("{field}: its signer is not the one that it names"));
                }
            }
            Err(rejection) => verified.faults.push(format!("{field}.signature: {}", rejection.detail())),
        }
    }

    /// Files that were given must be those that the statement is about.
    fn compare_subjects(&self, decisions: &Decisions, report: Option<&Report>, verified: &mut Verified) {
        let of = |record: &Option<CaptureRecord>| record.as_ref().map(|record| record.sha256);
        let captures = report.map(|report| (of(&report.grounds.baseline), of(&report.grounds.last)));
        let (baseline, last) = captures.unwrap_or_default();
        for (name, path, found) in &self.subjects {
            let stated = match *name {
                "plan" => Some(&decisions.plan.sha256),
                "baseline" => baseline.as_ref(),
                _ => last.as_ref(),
            };
            match stated == Some(found) {
                true => verified.holds.push(format!("{name}: it is `{path}`")),
                false => verified.faults.push(format!("subject {name}: it is not `{path}`, sha256 {found}")),
            }
        }
    }
}
