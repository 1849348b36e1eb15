//! What a ledger keeps: its id, uses, starts of runs, and journal records; read strictly, written as JSON of version 1.

use crate::digest::Digest;
use crate::record::{Clock, UseDecision};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
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

/// One use of an approval, for one action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Use {
    /// Sha-256 over the exact bytes of the approval.
    #[serde(rename = "approval_sha256")]
    pub approval: Digest,
    /// The approval's own id.
    pub approval_id: String,
    /// The gate it opened.
    pub gate: String,
    /// The action's name in the plan.
    pub action: String,
    /// The run.
    pub run: String,
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub principal: String,
}

/// The start of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct RunStart {
    /// The run's id.
    pub run: String,
    /// Sha-256 over the exact bytes of the plan.
    #[serde(rename = "plan_sha256")]
    pub plan: Digest,
    /// When.
    pub time: Timestamp,
}

/// What the journal says of one action, before it has a number.
#[derive(Clone, PartialEq, Debug)]
pub struct JournalEntry {
    /// When.
    pub time: Timestamp,
    /// Where the time comes from.
    pub clock: Clock,
    /// The run.
    pub run: String,
    /// Sha-256 over the exact bytes of the plan.
    pub plan: Digest,
    /// The action's name in the plan.
    pub action: String,
    /// What happened.
    pub event: Event,
    /// What the command ended with; `None` before it ended, or where a signal ended it.
    pub exit_status: Option<i32>,
    /// The exact command.
    pub argv: Vec<String>,
    /// The approvals used up for it.
    pub approvals: Vec<ApprovalUsed>,
    /// By whom.
    pub principal: String,
    /// The decision by which it began; only where it begins.
    pub decision: Option<Box<UseDecision>>,
}

impl JournalEntry {
    /// What it ran, in one line; only where it begins.
    pub fn work(&self) -> Option<String> {
        Some(self.decision.as_ref()?.row.work.as_ref()?.line())
    }
}

/// What happened to an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It is about to begin.
    Started,
    /// It ended.
    Finished,
}

impl Event {
    /// The event as records write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Finished => "finished",
        }
    }
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

/// One record of the journal. Numbers run from 1 without a gap.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Line", into = "Line")]
pub struct JournalRecord {
    /// Its number.
    pub sequence: u64,
    /// What it says.
    pub entry: JournalEntry,
}

/// A record as it is written, one object.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Line {
    version: u32,
    sequence: u64,
    time: Timestamp,
    clock: Clock,
    run: String,
    plan_sha256: Digest,
    action: String,
    event: Event,
    // Written even where there is none, and therefore also asked for.
    #[serde(deserialize_with = "Option::deserialize")]
    exit_status: Option<i32>,
    argv: Vec<String>,
    approvals: Vec<ApprovalUsed>,
    principal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Box<UseDecision>>,
}

impl TryFrom<Line> for JournalRecord {
    type Error = String;
    fn try_from(line: Line) -> Result<Self, String> {
        let Line { version, sequence, time, clock, run, plan_sha256: plan, action, event, .. } = line;
        let Line { exit_status, argv, approvals, principal, decision, .. } = line;
        if version != VERSION {
            return Err(format!("version {version} is not known"));
        }
        let entry =
            JournalEntry { time, clock, run, plan, action, event, exit_status, argv, approvals, principal, decision };
        Ok(Self { sequence, entry })
    }
}

impl From<JournalRecord> for Line {
    fn from(JournalRecord { sequence, entry }: JournalRecord) -> Self {
        let JournalEntry { time, clock, run, plan, action, event, exit_status, .. } = entry;
        let JournalEntry { argv, approvals, principal, decision, .. } = entry;
        let (version, plan_sha256) = (VERSION, plan);
        Self {
            version,
            sequence,
            time,
            clock,
            run,
            plan_sha256,
            action,
            event,
            exit_status,
            argv,
            approvals,
            principal,
            decision,
        }
    }
}

/// The form of records that is written, and the only one that is read.
pub const VERSION: u32 = 1;
