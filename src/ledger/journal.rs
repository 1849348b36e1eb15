//! The journal as text, one JSON object a line: writing, reading, and saying what of it cannot be read.

use super::record::JournalRecord;
use crate::time::Timestamp;
use serde::Serialize;

/// What a journal holds.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Journal {
    /// The records that were asked for, in order.
    pub records: Vec<JournalRecord>,
    /// What cannot be read, of all runs, in order.
    pub damages: Vec<Damage>,
}

/// A place of the journal that cannot be read or does not follow from the one before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// The line of the file, or the number in the table, from 1.
    pub line: u64,
    /// One phrase, lower case.
    pub damage: String,
}

impl Journal {
    /// Reads all lines.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut journal = Self::default();
        for (line, bytes) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            match bytes.strip_suffix(b"\n") {
                None => journal.damages.push(Damage { line, damage: "the line was never finished".to_owned() }),
                Some(bytes) => match serde_json::from_slice(bytes) {
                    Ok(record) => journal.push(line, record),
                    Err(error) => {
                        journal.damages.push(Damage { line, damage: format!("no record: {}", cause(&error)) })
                    }
                },
            }
        }
        journal
    }

    /// Adds the record of a line, and the damage if its number is not the next.
    pub(super) fn push(&mut self, line: u64, record: JournalRecord) {
        let expected = self.last_sequence().saturating_add(1);
        if record.sequence != expected {
            let damage = format!("record {} stands where {expected} belongs", record.sequence);
            self.damages.push(Damage { line, damage });
        }
        self.records.push(record);
    }

    /// The highest number; 0 where there is no record.
    pub(super) fn last_sequence(&self) -> u64 {
        self.records.iter().map(|record| record.sequence).max().unwrap_or(0)
    }

    /// The latest time of a record.
    pub(super) fn last_time(&self) -> Option<Timestamp> {
        self.records.iter().map(|record| record.entry.time).max()
    }

    /// The same with the records of one run only.
    pub(super) fn of_run(mut self, run: Option<&str>) -> Self {
        self.records.retain(|record| run.is_none_or(|run| record.entry.run == run));
        self
    }
}

/// What is wrong with a text, without its place in it.
pub(super) fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_owned()
}
