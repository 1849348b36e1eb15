//! The journal as text, one JSON object a line: writing, reading, and saying what of it cannot be read.

use super::record::{Event, JournalRecord};
use crate::digest::Digest;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a journal holds.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Journal {
    /// The records that were asked for, in order.
    pub records: Vec<JournalRecord>,
    /// What cannot be read, of all runs, in order.
    pub damages: Vec<Damage>,
    /// The latest time of a record, of all runs.
    pub(super) latest: Option<Timestamp>,
    /// The highest number, of all runs; 0 where there is no record.
    pub(super) last_sequence: u64,
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
    /// Reads all lines and keeps the records of one run, or all.
    pub(super) fn parse(bytes: &[u8], run: Option<&str>) -> Self {
        let mut journal = Self::default();
        for (line, bytes) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            match bytes.strip_suffix(b"\n") {
                None => journal.damages.push(Damage { line, damage: "the line was never finished".to_owned() }),
                Some(bytes) => match serde_json::from_slice(bytes) {
                    Ok(record) => journal.push(line, record, run),
                    Err(error) => {
                        journal.damages.push(Damage { line, damage: format!("no record: {}", cause(&error)) })
                    }
                },
            }
        }
        journal
    }

    /// Whether an action of this plan ended well when it last ended.
    pub fn ended_well(&self, plan: Digest, action: &str) -> bool {
        let mut ends = self
            .records
            .iter()
            .map(|record| &record.entry)
            .filter(|entry| entry.action == action && entry.event == Event::Finished && entry.plan == plan);
        ends.next_back().is_some_and(|entry| entry.exit_status == Some(0))
    }

    /// Takes the record of a line, and the damage if its number is not the next; keeps it if it is of the run.
    pub(super) fn push(&mut self, line: u64, record: JournalRecord, run: Option<&str>) {
        let expected = self.last_sequence.saturating_add(1);
        if record.sequence != expected {
            let damage = format!("record {} stands where {expected} belongs", record.sequence);
            self.damages.push(Damage { line, damage });
        }
        self.last_sequence = self.last_sequence.max(record.sequence);
        self.latest = self.latest.max(Some(record.entry.time));
        if run.is_none_or(|run| record.entry.run == run) {
            self.records.push(record);
        }
    }
}

/// The latest time that a record of these lines bears.
///
/// From the end, where the latest stand: a line is read whole only if its time is later than what was found.
pub(super) fn latest_time(bytes: &[u8]) -> Option<Timestamp> {
    let mut latest = None;
    // What follows the last line break was never finished.
    for line in bytes.rsplit(|byte| *byte == b'\n').skip(1) {
        match serde_json::from_slice::<Dated>(line) {
            Ok(dated) if Timestamp::parse(&dated.time) <= latest => {}
            _ => latest = latest.max(serde_json::from_slice(line).ok().map(|record: JournalRecord| record.entry.time)),
        }
    }
    latest
}

/// The time of a line; whether all else of it is a record is not looked at.
#[derive(Deserialize)]
struct Dated {
    time: String,
}

/// What is wrong with a text, without its place in it.
pub(super) fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Event, JournalEntry};
    use crate::record::Clock;
    use proptest::prelude::*;

    fn record(sequence: u64, milliseconds: i64, run: &str) -> JournalRecord {
        let entry = JournalEntry {
            time: Timestamp::from_milliseconds(milliseconds).unwrap(),
            clock: Clock::System,
            run: run.to_owned(),
            plan: crate::digest::Digest::of(b"plan"),
            action: "cut".to_owned(),
            event: Event::Finished,
            exit_status: Some(0),
            argv: Vec::new(),
            approvals: Vec::new(),
            principal: String::new(),
            decision: None,
        };
        JournalRecord { sequence, entry }
    }

    proptest! {
        #[test]
        fn each_number_is_held_against_the_highest_of_all_before(
            lines in proptest::collection::vec(proptest::option::weighted(0.9, (0..9u64, 0..9i64, "[ab]")), 0..12),
            cut in any::<bool>(),
        ) {
            let (mut text, mut damages, mut read) = (String::new(), Vec::new(), Vec::<JournalRecord>::new());
            let late = record(1, 10, "a");
            for (line, found) in (1..).zip(&lines) {
                let Some((sequence, time, run)) = found else {
                    // A line that is no record, for one word too many.
                    text.push_str(&serde_json::to_string(&late).unwrap().replacen('{', "{\"more\":1,", 1));
                    text.push('\n');
                    damages.push(line);
                    continue;
                };
                let found = record(*sequence, *time, run);
                text.push_str(&(serde_json::to_string(&found).unwrap() + "\n"));
                if *sequence != read.iter().map(|record| record.sequence).max().unwrap_or(0) + 1 {
                    damages.push(line);
                }
                read.push(found);
            }
            if cut {
                text.push_str(&serde_json::to_string(&late).unwrap());
                damages.push(lines.len() as u64 + 1);
            }
            let journal = Journal::parse(text.as_bytes(), Some("a"));
            prop_assert_eq!(journal.damages.iter().map(|damage| damage.line).collect::<Vec<_>>(), damages);
            prop_assert_eq!(journal.last_sequence, read.iter().map(|record| record.sequence).max().unwrap_or(0));
            let latest = read.iter().map(|record| record.entry.time).max();
            prop_assert_eq!((journal.latest, latest_time(text.as_bytes())), (latest, latest));
            read.retain(|record| record.entry.run == "a");
            prop_assert_eq!(journal.records, read);
        }
    }
}
