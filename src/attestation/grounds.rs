//! What a report stands on: texts, captures and rules, all of it in the statement, so that a reader can derive it again.

pub use super::kept::{FactSet, KeptText, keep_facts};

use crate::approval::ApprovalFile;
use crate::digest::Digest;
use crate::evidence::Capture;
use crate::problem::Source;
use crate::settings::evidence::{EvidenceSettings, Level, RelationSettings, Toleration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything a report is derived from, beside the decisions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Grounds {
    /// The exact text of the plan.
    pub plan: String,
    /// The signature over the plan and the name of its signer, where the trust root vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_signed: Option<PlanSigned>,
    /// The facts of all decisions, each set once, sorted by digest.
    pub facts: Vec<FactSet>,
    /// The texts of the facts, each once, sorted by digest.
    pub texts: Vec<KeptText>,
    /// The approval documents, each with the signatures beside it, as they were found.
    pub approvals: Vec<ApprovalSource>,
    /// What was observed before the run.
    pub baseline: Option<CaptureRecord>,
    /// What was observed after it.
    #[serde(rename = "final")]
    pub last: Option<CaptureRecord>,
    /// What a witness recorded in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<WitnessSource>,
    /// By which rules the two are compared.
    pub rules: Rules,
    /// Where what was done is taken from.
    pub journal: JournalRecordSource,
    /// What was looked for in outputs and logs.
    pub secrets: SecretScan,
}

/// An approval document and its signatures.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ApprovalSource {
    /// The file it stands in.
    pub file: String,
    /// Its exact text.
    pub text: String,
    /// The SSH signatures, by file name.
    pub signatures: Vec<Text>,
    /// Why the document or a signature could not be read; such a document opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl ApprovalSource {
    /// A document as it was found.
    pub fn new(found: &ApprovalFile) -> Self {
        // What is not UTF-8 is no signature, whatever stands in its place.
        let text = |(name, bytes): &(String, Vec<u8>)| Text {
            name: name.clone(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        };
        Self {
            file: found.source.name().to_owned(),
            text: found.source.text().to_owned(),
            signatures: found.signatures.iter().map(text).collect(),
            unreadable: found.unreadable.clone(),
        }
    }

    /// The document as it was found.
    pub fn found(&self) -> ApprovalFile {
        let signatures = self.signatures.iter();
        ApprovalFile {
            source: Source::new(self.file.clone(), self.text.clone()),
            signatures: signatures.map(|one| (one.name.clone(), one.text.clone().into_bytes())).collect(),
            unreadable: self.unreadable.clone(),
        }
    }
}

/// Who signed a plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct PlanSigned {
    /// The SSH signature, in namespace `cutter-plan`.
    pub signature: String,
    /// The name of its signer in the trust root.
    pub signer: String,
}

/// A text under the name that a digest lists it by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Text {
    /// Its name.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A capture, whole, and who vouches for it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct CaptureRecord {
    /// Sha-256 over the exact bytes of its file.
    pub sha256: Digest,
    /// Who vouches for it, where somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<Vouched>,
    /// What was observed.
    pub capture: Capture,
}

/// The record of a witness, whole, and who vouches for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct WitnessSource {
    /// Sha-256 over the exact bytes of its file.
    pub sha256: Digest,
    /// Who vouches for it, where somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<Vouched>,
    /// All of it.
    pub text: String,
}

/// A signature over evidence that the trust root accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Vouched {
    /// The SSH signature, in namespace `cutter-evidence`.
    pub signature: String,
    /// The name of its signer in the trust root.
    pub signer: String,
    /// The entity that the trust root says the signer is; without it nobody knows whether it takes part in the run.
    pub observer: Option<String>,
}

impl CaptureRecord {
    /// The exact bytes of the capture's file: it is written in one way only.
    pub fn text(&self) -> Option<String> {
        serde_json::to_string_pretty(&self.capture).ok().map(|text| text + "\n")
    }

    /// Whether the digest is that of the capture.
    pub fn holds(&self) -> bool {
        self.text().is_some_and(|text| Digest::of(text.as_bytes()) == self.sha256)
    }
}

/// The rules of `cutter.toml` by which captures are compared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Rules {
    /// Sha-256 over `cutter.toml`, where there is one.
    pub config_sha256: Option<Digest>,
    /// How much is asked for.
    pub level: Level,
    /// The relations that are watched.
    pub relations: Vec<String>,
    /// A baseline older than this is none, in seconds.
    pub oldest_seconds: u64,
    /// Growth that is expected, with its bound.
    pub tolerate: Vec<Toleration>,
    /// The value at which a switch must stand at the end, by observation.
    pub resting: BTreeMap<String, String>,
}

impl Rules {
    /// The rules of a configuration of this digest.
    pub fn of(settings: &EvidenceSettings, config_sha256: Option<Digest>) -> Self {
        let resting = settings.flags.iter();
        let resting = resting.filter_map(|(name, flag)| Some((format!("flag:{name}"), flag.rest.clone()?)));
        Self {
            config_sha256,
            level: settings.level,
            relations: settings.relations.keys().cloned().collect(),
            oldest_seconds: settings.oldest_seconds,
            tolerate: settings.tolerate.clone(),
            resting: resting.collect(),
        }
    }

    /// The settings that a comparison by these rules needs.
    pub fn settings(&self) -> EvidenceSettings {
        let relations = self.relations.iter().map(|name| (name.clone(), RelationSettings::default()));
        EvidenceSettings {
            level: self.level,
            relations: relations.collect(),
            oldest_seconds: self.oldest_seconds,
            tolerate: self.tolerate.clone(),
            ..EvidenceSettings::default()
        }
    }
}

/// Where what was done is taken from.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct JournalRecordSource {
    /// The ledger's id, where there is one.
    pub ledger: Option<String>,
    /// The records of this run, as the ledger has them; their facts stand once, in `facts`.
    pub records: Vec<Value>,
    /// What of it cannot be read or does not fit the plan.
    pub faults: Vec<String>,
    /// What was used up elsewhere of the approvals that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<SpentApproval>,
}

/// One use of an approval that is none of this run's rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct SpentApproval {
    /// Sha-256 over the document.
    pub sha256: Digest,
    /// The row that it was used for.
    pub action: String,
}

/// What was looked for in outputs and logs.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct SecretScan {
    /// The environment variables whose values were looked for, sorted.
    pub variables: Vec<String>,
    /// Those among them that were not set, so that their values could not be looked for.
    pub unset: Vec<String>,
    /// How many well-known shapes of secrets were looked for.
    pub shapes: u64,
    /// What was read, beside the statement and the journal: logs, by name and sha-256.
    pub logs: Vec<LogRecord>,
}

/// A log that was read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct LogRecord {
    /// Its name as it was given.
    pub name: String,
    /// Sha-256 over its bytes.
    pub sha256: Digest,
}
