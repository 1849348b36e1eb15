//! The record of a witness: lines that are only ever added, so that a killed one loses nothing it has seen.

use super::ObservationId;
use crate::digest::Digest;
use crate::evidence::RowStatus;
use crate::json;
use crate::problem::{Problem, Problems, Source};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of the record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first: everything is being watched from here on.
    Opened(Opened),
    /// Something happened.
    Seen(Seen),
    /// The witness is alive, and what the snapshot is.
    Beat(Beat),
    /// A part stopped seeing.
    Blind(Blind),
    /// The last of a witness that ended as it was told to.
    Closed(Closed),
}

/// How a witness began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The version of this form, 1.
    pub version: u32,
    /// When everything was being watched, RFC 3339; this and every other time is the server's own.
    pub at: Timestamp,
    /// Sha-256 over the configuration that says what to observe.
    pub config_sha256: Digest,
    /// The cluster's own number.
    pub system_identifier: String,
    /// The database's name.
    pub database: String,
    /// The role that watches.
    pub role: String,
    /// When the server was started.
    pub server_started_at: String,
    /// `pg_current_snapshot()` when everything was being watched.
    pub snapshot: String,
    /// The relations, each `logged`, or why the log does not tell of it.
    pub relations: BTreeMap<String, String>,
    /// The parts, each with what it cannot see.
    pub parts: Vec<PartRecord>,
}

/// One way of seeing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRecord {
    /// `counters`, `headers`, `wal` or `slot`.
    pub name: String,
    /// Why it does not watch, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off: Option<String>,
    /// What it cannot see even where it watches.
    pub blind_to: String,
}

/// Something that happened to one thing between two looks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The look before.
    pub from: Timestamp,
    /// The look that saw it.
    pub to: Timestamp,
    /// The part that saw it.
    pub part: String,
    /// The observation it is about: `relation:...`, `function:...` or `table:pg_...` for a catalog.
    pub id: ObservationId,
    /// How often what was done.
    pub what: BTreeMap<String, i64>,
}

/// A sign of life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// When.
    pub at: Timestamp,
    /// `pg_current_snapshot()` then.
    pub snapshot: String,
}

/// A part that stopped seeing; the whole witness where none is named.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blind {
    /// When.
    pub at: Timestamp,
    /// The part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Why, in a phrase.
    pub reason: String,
}

/// How a witness ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// When everything had been looked at for the last time.
    pub at: Timestamp,
    /// `pg_current_snapshot()` before that look.
    pub snapshot: String,
    /// What ended it.
    pub reason: String,
    /// Whether counters had time to arrive before the last look.
    pub settled: bool,
}

/// A whole record, however it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WitnessRecord {
    /// How it began.
    pub opened: Opened,
    /// What happened, in the order of the looks.
    pub seen: Vec<Seen>,
    /// What was not seen any more.
    pub blind: Vec<Blind>,
    /// The last sign of life.
    pub last_at: Timestamp,
    /// How it ended; none where it was killed.
    pub closed: Option<Closed>,
}

impl WitnessRecord {
    /// Reads a record. One that breaks off is read as far as it goes; a line in its middle that is none is an error.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        let invalid = |number: usize, cause: &str| {
            Problems::from(
                Problem::invalid(format!("`{}` is not a record of a witness: line {number} {cause}", source.name()))
                    .help("`cutter evidence witness --record FILE` writes records"),
            )
        };
        let whole = source.text().rfind('\n').map_or("", |end| source.text().get(..end).unwrap_or_default());
        let mut lines = Vec::new();
        for (index, text) in whole.split('\n').enumerate() {
            let own = Source::new(source.name(), text);
            let value = json::parse(&own).map_err(|_| invalid(index + 1, "is not valid JSON"))?;
            let line: Line = serde_json::from_value(json::to_serde(&value)).map_err(|error| {
                invalid(index + 1, &format!("has another form: {}", error.to_string().to_lowercase()))
            })?;
            lines.push(line);
        }
        let mut lines = lines.into_iter();
        let Some(Line::Opened(opened)) = lines.next() else { return Err(invalid(1, "does not open it")) };
        if opened.version != 1 {
            return Err(invalid(1, "is not of version 1"));
        }
        let last_at = opened.at;
        let mut record = Self { opened, seen: Vec::new(), blind: Vec::new(), last_at, closed: None };
        for (index, line) in lines.enumerate() {
            if record.closed.is_some() {
                return Err(invalid(index + 2, "comes after the last"));
            }
            match line {
                Line::Opened(_) => return Err(invalid(index + 2, "opens it again")),
                Line::Seen(seen) => {
                    record.last_at.clone_from(&seen.to);
                    record.seen.push(seen);
                }
                Line::Beat(beat) => record.last_at = beat.at,
                Line::Blind(blind) => {
                    record.last_at.clone_from(&blind.at);
                    record.blind.push(blind);
                }
                Line::Closed(closed) => {
                    record.last_at.clone_from(&closed.at);
                    record.closed = Some(closed);
                }
            }
        }
        Ok(record)
    }

    /// Why it has not seen all that it set out to see; nothing where it has.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps: Vec<String> = self
            .blind
            .iter()
            .map(|blind| match &blind.part {
                Some(part) => format!("{part} saw nothing more from {} on: {}", blind.at, blind.reason),
                None => format!("the witness saw nothing more from {} on: {}", blind.at, blind.reason),
            })
            .collect();
        if self.closed.is_none() && gaps.is_empty() {
            gaps.push(format!("the witness broke off after {}", self.last_at));
        }
        gaps
    }

    /// What it comes to: nothing happened only where something saw all of it.
    pub fn status(&self) -> RowStatus {
        // Of a catalog only that rows were written is seen, not whose.
        let is_watched = |id: &str| id.starts_with("relation:") || id.starts_with("function:");
        let is_complete = self.opened.relations.keys().all(|name| self.is_complete_for(name));
        if self.seen.iter().any(|seen| is_watched(&seen.id)) {
            RowStatus::Changed
        } else if self.gaps().is_empty() && self.seen.is_empty() && is_complete {
            RowStatus::Unchanged
        } else {
            RowStatus::Unknown
        }
    }

    /// Whether a part that sees every change of a logged table watched.
    pub fn is_complete_for(&self, relation: &str) -> bool {
        let is_logged = self.opened.relations.get(relation).is_some_and(|kind| kind == LOGGED);
        let complete = |part: &&PartRecord| part.off.is_none() && COMPLETE.contains(&part.name.as_str());
        is_logged && self.opened.parts.iter().any(|part| complete(&part))
    }
}

/// A relation whose changes are in the server's log.
pub const LOGGED: &str = "logged";

/// The parts that see every change of a logged table.
const COMPLETE: &[&str] = &["wal", "slot"];
