//! What is told of a whole run: each event as it comes, and all of it at the end.

use crate::time::Timestamp;
use serde::Serialize;

/// How far a row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// Its turn has not come.
    Open,
    /// It ended well.
    Done,
    /// It was to begin, and did not.
    Refused,
    /// It began, and did not end well.
    Failed,
    /// It began, and how it ended is not known.
    Unknown,
}

/// Something that happened on the way; one line of `--events`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// The run.
    pub run: String,
    /// The row.
    pub row: String,
    /// What happened to it.
    pub event: EventKind,
    /// What there is to say of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
}

/// What can happen to a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It is looked at, and begins if it may.
    Begins,
    /// Somebody else is to do it.
    Waits,
    /// It got so far.
    Ended(RowState),
}

/// How a run stands when `cutter run` ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// Every row is done.
    Completed,
    /// It went as far as it was asked to.
    Stopped,
    /// Approvals are missing for what comes next.
    Paused,
    /// A named gap is open, or somebody else is at work.
    Blocked,
    /// A row is denied for good.
    Denied,
    /// A row could not be judged.
    Indeterminate,
    /// A signature, a digest or the clock does not verify.
    Untrusted,
    /// A row failed, or is in doubt, or cutter was told to stop: the switches are off, and a person decides.
    Hold,
    /// It is over by somebody's word.
    Voided,
    /// Nothing was done: it was only tried out.
    Rehearsed,
}

/// A run, as it stands; version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunRecord {
    /// The version of this form.
    pub version: u32,
    /// How it stands.
    pub state: RunState,
    /// The run.
    pub run: String,
    /// The plan's name.
    pub plan: String,
    /// Why it is held though its rows ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Each row in the plan's order.
    pub rows: Vec<RowRecord>,
    /// Files with what could make good what was done, where it is held; for a person, the latest row's first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<String>,
    /// What to do next: commands, exact.
    pub next: Vec<String>,
}

/// A row, as it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RowRecord {
    /// Its name in the plan.
    pub id: String,
    /// How far it is.
    pub state: RowState,
    /// The stable code of what stood against it, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What there is to say of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
}
