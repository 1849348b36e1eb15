//! `cutter verify`: checks statements and envelopes offline, and derives again what they claim.

use super::common::{BundleArguments, Format, OutputArguments, parse_time, system_time, unsupported};
use super::trust::TrustArguments;
use super::{Exit, Outcome, no_json};
use crate::attestation::envelope::{Envelope, PAYLOAD_TYPE};
use crate::attestation::grounds::{CaptureRecord, Vouched};
use crate::attestation::report::Report;
use crate::attestation::{DECISIONS_TYPE, DecisionPredicate, REPORT_TYPE, Statement, check, schema};
use crate::digest::Digest;
use crate::document::Decisions;
use crate::ledger::{Chain, DirectoryLedger, Head, Ledger as _};
use crate::problem::{Problem, Problems, Source};
use crate::signature::{ATTESTATION, EVIDENCE, Rejection, Revocations, Signer, verify};
use crate::time::Timestamp;
use crate::trust::{SignatureFile, TrustRoot, judge_bundle};
use crate::{files, render};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub struct Arguments {
    /// Statements with `FILE.sig` or `FILE.<name>.sig` beside them, or DSSE envelopes
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
    /// How many different signers each must have
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    threshold: u64,
    /// Judge signatures as of this time [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    verify_time: Option<Timestamp>,
    /// Decide every row again by this bundle, which must be signed
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// The configuration of that bundle
    #[arg(long, value_name = "FILE", default_value = "cutter.toml", requires = "policies")]
    config: PathBuf,
    /// The plan that it must be about
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The baseline that it must rest on
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// The final capture that it must rest on
    #[arg(long = "final", value_name = "FILE")]
    last: Option<PathBuf>,
    /// The files come one after the other in a chain, each naming the one before it
    #[arg(long)]
    chain: bool,
    /// The ledger in whose chain each must stand
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// The head of that ledger's chain, as it was published
    #[arg(long, value_name = "SHA256", value_parser = super::ledger::digest, requires_all = ["length", "ledger"])]
    head: Option<Digest>,
    /// The length that was published with it
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..), requires_all = ["head", "ledger"])]
    length: Option<u64>,
}

/// What was checked, version 1.
#[derive(Serialize)]
pub struct Verification {
    version: u32,
    /// When signatures are judged.
    time: String,
    files: Vec<Verified>,
}

/// What became of one file.
#[derive(Serialize)]
pub struct Verified {
    file: String,
    /// Sha-256 over the statement.
    sha256: String,
    /// The verdict that it states.
    verdict: String,
    /// The accepted signers, sorted.
    signers: Vec<String>,
    /// What was checked and holds.
    holds: Vec<String>,
    /// What does not hold, each with its field.
    faults: Vec<String>,
    /// What could not be checked.
    unchecked: Vec<String>,
}

/// Everything that the files are checked against, read once.
struct Against<'a> {
    arguments: &'a Arguments,
    trust: TrustRoot,
    revocations: Revocations,
    now: Timestamp,
    bundle: Option<(crate::policy::PolicyBundle, crate::config::Config)>,
    chain: Option<Chain>,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> Outcome {
        let against = self.against()?;
        let mut files = Vec::new();
        let mut before: Option<String> = None;
        for path in &self.files {
            let (text, signers, faults) = against.signed(path)?;
            let mut verified = against.judge(path, &text, signers, faults)?;
            let digest = Digest::of(text.as_bytes()).to_string();
            if self.chain
                && let Some(before) = before.replace(digest)
            {
                let named = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
                let named = named.pointer("/predicate/previous").and_then(serde_json::Value::as_str);
                match named == Some(before.as_str()) {
                    true => verified.holds.push("it names the file before it".to_owned()),
                    false => verified
                        .faults
                        .push("predicate.previous: it is not the digest of the file before it".to_owned()),
                }
            }
            files.push(verified);
        }
        let exit = if files.iter().any(|file| !file.faults.is_empty()) {
            Exit::Untrusted
        } else if files.iter().any(|file| !file.unchecked.is_empty()) {
            Exit::Unmeasured
        } else {
            Exit::Authorized
        };
        let verification = Verification { version: 1, time: against.now.to_string(), files };
        let text = match output.format {
            Format::Table => verification.text(),
            Format::Json => render::json::document(&verification).map_err(no_json)?,
            other => return Err(unsupported(other, "verify").into()),
        };
        Ok((text, exit))
    }

    /// Reads everything that the files are checked against.
    fn against(&self) -> Result<Against<'_>, Problems> {
        let mut problems = Problems::new();
        let trust = problems.absorb(self.trust.load());
        let revocations = problems.absorb(self.trust.revocations());
        let now = match self.verify_time {
            Some(time) => time,
            None => system_time()?,
        };
        let bundle = match &self.policies {
            Some(folder) => {
                let arguments = BundleArguments::of(folder, &self.config);
                problems
                    .absorb(arguments.load().map(|(bundle, config)| Some((bundle, config.unwrap_or_default()))))
                    .flatten()
            }
            None => None,
        };
        let chain = self.ledger.as_ref().and_then(|path| problems.absorb(self.read_chain(path)));
        let (Some(trust), Some(revocations), true) = (trust, revocations, problems.is_empty()) else {
            return Err(problems);
        };
        if let (Some(folder), Some((bundle, _))) = (&self.policies, &bundle) {
            judge_bundle(&trust, bundle.listing(), &SignatureFile::beside(folder)?, &revocations, now)?;
        }
        Ok(Against { arguments: self, trust, revocations, now, bundle, chain })
    }

    /// The chain of a ledger; one that does not hold is not checked against.
    fn read_chain(&self, path: &Path) -> Result<Chain, Problems> {
        let ledger = DirectoryLedger::new(path);
        let id = ledger.id()?.ok_or_else(|| Problem::failure(format!("there is no ledger at `{}`", path.display())))?;
        let chain = Chain::read(&id, &ledger.attestations()?);
        let published = self.head.zip(self.length).map(|(sha256, length)| Head { sha256, length });
        let missing = published.and_then(|published| chain.missing(&published));
        let mut problems = Problems::new();
        for fault in chain.faults.iter().chain(&missing) {
            problems.push(
                Problem::untrusted(format!("the chain of `{}` does not hold: {fault}", path.display()))
                    .help("compare the ledger with a copy that somebody else keeps"),
            );
        }
        problems.or(chain)
    }
}

/// A statement's text, the signers that were accepted, and why others were not.
type Signed = (String, Vec<Signer>, Vec<String>);

impl Against<'_> {
    /// The statement of a file, with whoever signed it.
    fn signed(&self, path: &Path) -> Result<Signed, Problems> {
        let source = files::read(path)?;
        let is_envelope = serde_json::from_str::<serde_json::Value>(source.text())
            .is_ok_and(|value| value.get("payloadType").is_some());
        let results: Vec<(String, Result<Signer, Rejection>)>;
        let text = if is_envelope {
            let envelope = Envelope::parse(&source)?;
            if envelope.payload_type() != PAYLOAD_TYPE {
                let message = format!("`{}` holds `{}`", path.display(), render::printable(envelope.payload_type()));
                return Err(Problem::untrusted(message).help(format!("a statement is `{PAYLOAD_TYPE}`")).into());
            }
            let judged = envelope.verify(ATTESTATION, self.trust.signers(), &self.revocations, self.now);
            results = (1..).map(|number: u32| format!("signature {number}")).zip(judged).collect();
            let bytes = envelope.bytes().unwrap_or_default();
            String::from_utf8(bytes)
                .map_err(|_| Problem::untrusted(format!("the payload of `{}` is not UTF-8", path.display())))?
        } else {
            let signatures = files::read_signatures(path)?;
            results = signatures
                .into_iter()
                .map(|(name, bytes)| {
                    let text = source.text().as_bytes();
                    (name, verify(ATTESTATION, text, &bytes, self.trust.signers(), &self.revocations, self.now))
                })
                .collect();
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
    fn judge(
        &self,
        path: &Path,
        text: &str,
        signers: Vec<Signer>,
        rejected: Vec<String>,
    ) -> Result<Verified, Problems> {
        let names: BTreeSet<String> = signers.into_iter().map(|signer| signer.principal).collect();
        let mut verified = Verified {
            file: path.display().to_string(),
            sha256: Digest::of(text.as_bytes()).to_string(),
            verdict: String::new(),
            signers: names.iter().cloned().collect(),
            holds: Vec::new(),
            faults: Vec::new(),
            unchecked: Vec::new(),
        };
        match names.len() as u64 >= self.arguments.threshold {
            true => verified.holds.push(format!("signed by {}", verified.signers.join(", "))),
            false => {
                let wanted = self.arguments.threshold;
                let got = names.len();
                verified.faults.push(format!("signatures: {got} accepted signers, and {wanted} are needed"));
                verified.faults.extend(rejected);
            }
        }
        let source = Source::new(path.display().to_string(), text);
        let predicate_type = serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|value| value.get("predicateType")?.as_str().map(str::to_owned));
        if predicate_type.as_deref() == Some(DECISIONS_TYPE) {
            let statement = Statement::<DecisionPredicate>::parse(&source, DECISIONS_TYPE)?;
            verified.verdict = statement.predicate.decisions.verdict.name().to_owned();
            verified.faults.extend(check::decision_statement(&statement));
            self.subjects(&statement.predicate.decisions, None, &mut verified)?;
            if self.bundle.is_some() {
                verified
                    .unchecked
                    .push("a statement before a run holds no facts: its rows cannot be decided again".to_owned());
            }
        } else {
            let statement = Statement::<Report>::parse(&source, REPORT_TYPE)?;
            let faults = schema::faults(&serde_json::from_str(text).unwrap_or_default())?;
            if faults.is_empty() {
                verified.holds.push("it fits the published JSON Schema".to_owned());
            }
            verified.faults.extend(faults);
            self.report(&statement, &mut verified)?;
        }
        if let Some(chain) = &self.chain {
            match chain.digests.iter().any(|digest| digest.to_string() == verified.sha256) {
                true => verified.holds.push("it stands in the ledger's chain".to_owned()),
                false => verified.faults.push("the ledger's chain does not have it".to_owned()),
            }
        }
        Ok(verified)
    }

    fn report(&self, statement: &Statement<Report>, verified: &mut Verified) -> Result<(), Problems> {
        let report = &statement.predicate;
        verified.verdict = report.verdict.name().to_owned();
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
        self.subjects(&report.decisions, Some(report), verified)?;
        if let Some((bundle, config)) = &self.bundle {
            let again = check::redecide(report, bundle, config)?;
            if again.differences.is_empty() {
                verified.holds.push(format!("{} rows, decided again by the bundle, come out the same", again.run));
            }
            verified.faults.extend(again.differences);
            for id in again.not_run {
                verified.unchecked.push(format!("`{id}` was decided by facts that the statement does not hold"));
            }
        }
        Ok(())
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
    fn subjects(
        &self,
        decisions: &Decisions,
        report: Option<&Report>,
        verified: &mut Verified,
    ) -> Result<(), Problems> {
        let of = |record: &Option<CaptureRecord>| record.as_ref().map(|record| record.sha256.clone());
        let captures = report.map(|report| (of(&report.grounds.baseline), of(&report.grounds.last)));
        let (baseline, last) = captures.unwrap_or_default();
        for (name, path, stated) in [
            ("plan", &self.arguments.plan, Some(decisions.plan.sha256.clone())),
            ("baseline", &self.arguments.baseline, baseline),
            ("final", &self.arguments.last, last),
        ] {
            let Some(path) = path else { continue };
            let found = Digest::of(&files::read_bytes(path)?).to_string();
            match stated.as_ref() == Some(&found) {
                true => verified.holds.push(format!("{name}: it is `{}`", path.display())),
                false => {
                    verified.faults.push(format!("subject {name}: it is not `{}`, sha256 {found}", path.display()))
                }
            }
        }
        Ok(())
    }
}

impl Verification {
    fn text(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            let lines = |name: &str, lines: &[String]| -> String {
                lines.iter().map(|line| format!("{name:<10}{}\n", render::printable(line))).collect()
            };
            text.push_str(&format!("file      {}\nsha256    {}\n", render::printable(&file.file), file.sha256));
            text.push_str(&lines("holds", &file.holds));
            text.push_str(&lines("unchecked", &file.unchecked));
            text.push_str(&lines("FAULT", &file.faults));
            let state = if file.faults.is_empty() { file.verdict.as_str() } else { "not to be believed" };
            text.push_str(&format!("verdict   {state}\n"));
        }
        text
    }
}
