//! What a ledger keeps: records of one chain, each with its number and the ledger's own time; read strictly.

use crate::digest::Digest;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A ledger's random id, 32 lower-case hexadecimal digits; every approval names it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerId(String);

impl LedgerId {
    /// An id of 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// Reads an id; anything but 32 lower-case hexadecimal digits is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        (plain && text.len() == 32).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for LedgerId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| "an id has 32 lower-case hexadecimal digits".to_owned())
    }
}

impl From<LedgerId> for String {
    fn from(id: LedgerId) -> Self {
        id.0
    }
}

/// One record of the chain: what it says, and what the ledger itself says of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Entry {
    /// Its number; they run from 1 without a gap.
    pub sequence: u64,
    /// When, by the ledger's own clock.
    pub time: Timestamp,
    /// By whom: a login role, or the number of a user.
    pub by: String,
    /// What it says.
    pub record: Record,
}

/// What a record says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The ledger was made; the first of all.
    Made(Made),
    /// A person accepted that the ledger goes on in another place.
    Moved(Moved),
    /// An action is about to begin; with this record its approvals are used up.
    Started(Box<Started>),
    /// An action ended.
    Finished(Finished),
    /// An action was to begin, and did not.
    Refused(Refused),
    /// A run is over, whatever it has done: nothing of it begins any more.
    Voided(Voided),
    /// A switch was turned off by its declaration alone.
    SwitchedOff(SwitchedOff),
    /// An approval or a rejection of an approval document.
    Vote(Vote),
    /// A bundle newer than all before it.
    NewerBundle(SeenBundle),
    /// A statement of the chain of attestations.
    Attestation(Attestation),
}

impl Record {
    /// What the record is found by beside its number: the run, or the digest of the approval.
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::Started(started) => Some(started.run.clone()),
            Self::Finished(finished) => Some(finished.run.clone()),
            Self::Refused(refused) => Some(refused.run.clone()),
            Self::Voided(voided) => Some(voided.run.clone()),
            Self::SwitchedOff(off) => Some(off.run.clone()),
            Self::Vote(vote) => Some(vote.approval.to_string()),
            Self::Made(_) | Self::Moved(_) | Self::NewerBundle(_) | Self::Attestation(_) => None,
        }
    }
}

/// The making of a ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Made {
    /// The version of the form.
    pub version: u32,
    /// The ledger's id.
    pub ledger: LedgerId,
    /// Where it lies: a copy lies somewhere else.
    pub place: String,
}

/// A new place of the same ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Moved {
    /// Where it lies from here on.
    pub place: String,
}

/// An action that is about to begin.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Started {
    /// The run.
    pub run: String,
    /// Sha-256 over the exact bytes of the plan.
    #[serde(rename = "plan_sha256")]
    pub plan: Digest,
    /// The action's name in the plan.
    pub action: String,
    /// By whom.
    pub principal: String,
    /// The exact command.
    pub argv: Vec<String>,
    /// The id of the one transaction in which the work is done, where it is; its server says later what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The approvals that it uses up.
    pub approvals: Vec<ApprovalUsed>,
    /// When it was decided, by the clock of whoever decided.
    #[serde(with = "milliseconds")]
    pub decided_at: Timestamp,
    /// The bundle that decided.
    pub bundle: SeenBundle,
    /// Whether it may begin again in the same run.
    pub repeatable: bool,
    /// The decision, a document of its own.
    pub decision: Value,
}

/// The end of an action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Finished {
    /// The run.
    pub run: String,
    /// The action's name in the plan.
    pub action: String,
    /// The number of the record with which it began.
    pub started: u64,
    /// What the work ended with, 0 where it went well; `None` where it did not end by itself, or `note` says why that is not known.
    #[serde(deserialize_with = "Option::deserialize")]
    pub exit_status: Option<i32>,
    /// What else is to be said of the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The facts of the run that it brought about, by their paths, in Cedar's JSON form.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub produced: BTreeMap<String, Value>,
    /// What a program wrote, where all of it was looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ProgramOutput>,
}

/// What a program wrote, and which secrets were looked for and found in it. The text itself is not kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ProgramOutput {
    /// Sha-256 over all of it.
    pub sha256: Digest,
    /// How many bytes.
    pub length: u64,
    /// The environment variables whose values were looked for.
    pub variables: Vec<String>,
    /// How many well-known shapes of secrets were looked for.
    pub shapes: u64,
    /// What was found, and how many times; never the value.
    pub found: BTreeMap<String, u64>,
}

/// An attempt that came to nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Refused {
    /// The run.
    pub run: String,
    /// Sha-256 over the exact bytes of the plan.
    #[serde(rename = "plan_sha256")]
    pub plan: Digest,
    /// The action's name in the plan.
    pub action: String,
    /// By whom.
    pub principal: String,
    /// Why, in one line.
    pub reason: String,
}

/// The end of a run by somebody's word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Voided {
    /// The run.
    pub run: String,
    /// Sha-256 over the exact bytes of the plan.
    #[serde(rename = "plan_sha256")]
    pub plan: Digest,
    /// Why, in one line.
    pub reason: String,
}

/// A switch that was turned off by its declaration alone: written down afterwards, by whoever came to write.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct SwitchedOff {
    /// The run.
    pub run: String,
    /// Sha-256 over the exact bytes of the plan.
    #[serde(rename = "plan_sha256")]
    pub plan: Digest,
    /// The action's name in the plan.
    pub action: String,
    /// The switch.
    pub flag: String,
    /// Its declared off value.
    pub value: String,
    /// When and by which user, and why it is not the record of an ordinary start.
    pub note: String,
}

impl SwitchedOff {
    /// What is off and how that came.
    pub fn words(&self) -> String {
        format!("{} is {}; {}", self.flag, self.value, self.note)
    }
}

/// An approval or a rejection of an approval document; who said it follows from the signature alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Vote {
    /// Sha-256 over the exact bytes of the approval.
    #[serde(rename = "approval_sha256")]
    pub approval: Digest,
    /// The signature, armored.
    pub signature: String,
}

/// A bundle that was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct SeenBundle {
    /// Its version, as `cutter.toml` has it.
    pub version: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// A statement of the chain of attestations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Attestation {
    /// Its number among the attestations, from 1.
    pub number: u64,
    /// Its exact text.
    pub statement: String,
}

/// An approval that an action used up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ApprovalUsed {
    /// Its own id.
    pub id: String,
    /// The gate it opened.
    pub gate: String,
    /// Sha-256 over its exact bytes.
    pub sha256: Digest,
}

/// Times with all three digits of their milliseconds, as a server writes them, too.
mod milliseconds {
    use super::{Deserialize as _, Timestamp};
    use serde::{Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_cedar())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::exact_time(&text)
            .ok_or_else(|| D::Error::custom("a time has three digits of milliseconds and ends in `Z`"))
    }
}

/// Reads the one form in which records write times.
pub(super) fn exact_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).filter(|time| time.to_cedar() == text)
}

/// The form of ledgers that is written, and the only one that is read.
pub const VERSION: u32 = 2;
