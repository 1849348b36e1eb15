//! The chain as text: one JSON object a line, whose first field is the sha-256 over all that follows it, the digest of the line before
//! included. So each line shows by itself whether it was edited, and by its neighbour whether it belongs there.

use super::chain::Head;
use super::journal::{Damage, Journal, Wanted};
use super::record::{Entry, Made, Record, exact_time};
use crate::digest::Digest;
use crate::problem::Problem;
use crate::time::Timestamp;
use regex::bytes::Regex;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::ops::Range;

/// One line, taken apart; what its record says is not read yet.
pub(super) struct Line<'a> {
    sha256: Digest,
    previous: &'a str,
    sequence: u64,
    time: Timestamp,
    by: &'a str,
    record: &'a str,
}

impl<'a> Line<'a> {
    /// Takes a line apart, or says in one phrase why it is none.
    fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let (sha256, rest) = text.strip_prefix(OPENING).and_then(|rest| rest.split_at_checked(64)).ok_or(NO_RECORD)?;
        let sha256 = Digest::parse(sha256).ok_or(NO_RECORD)?;
        if Digest::of(rest.as_bytes()) != sha256 {
            return Err("it is not what was written");
        }
        Self::fields(sha256, rest).ok_or(NO_RECORD)
    }

    fn fields(sha256: Digest, rest: &'a str) -> Option<Self> {
        let (previous, rest) = rest.strip_prefix("\",\"previous\":\"")?.split_once('"')?;
        let (sequence, rest) = rest.strip_prefix(",\"sequence\":")?.split_once(",\"time\":\"")?;
        let (time, rest) = rest.split_once("\",\"by\":")?;
        let (by, rest) = rest.split_once(",\"record\":")?;
        let (sequence, time) = (sequence.parse().ok()?, exact_time(time)?);
        Some(Self { sha256, previous, sequence, time, by, record: rest.strip_suffix('}')? })
    }

    fn entry(&self) -> Result<Entry, serde_json::Error> {
        let (sequence, time) = (self.sequence, self.time);
        Ok(Entry { sequence, time, by: serde_json::from_str(self.by)?, record: serde_json::from_str(self.record)? })
    }
}

/// Writes the line after `last`, with its line break; gives the new end, too.
pub(super) fn compose(
    last: Option<Head>,
    time: Timestamp,
    by: &str,
    record: &Record,
) -> Result<(String, Head), Problem> {
    let json = |error| Problem::failure(format!("a record has no JSON form: {error}"));
    let length = last.map_or(0, |last| last.length).saturating_add(1);
    let previous = last.map_or_else(|| NOTHING.to_owned(), |last| last.sha256.to_string());
    let (by, record) = (serde_json::to_string(by).map_err(json)?, serde_json::to_string(record).map_err(json)?);
    let rest = format!(
        "\",\"previous\":\"{previous}\",\"sequence\":{length},\"time\":\"{}\",\"by\":{by},\"record\":{record}}}",
        time.to_cedar()
    );
    let sha256 = Digest::of(rest.as_bytes());
    Ok((format!("{OPENING}{sha256}{rest}\n"), Head { sha256, length }))
}

/// Lines that were taken in order and checked as they came.
#[derive(Clone, Default, Debug)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where each whole line lies.
    places: Vec<Range<usize>>,
    damages: Vec<Damage>,
    head: Option<Head>,
    last_time: Option<Timestamp>,
    /// Whether only some lines of the chain come, so that a line need not name the one before it.
    partial: bool,
    /// What was looked for, up to which byte, and in which lines it was found: a line that was taken stays what it is.
    searched: RefCell<BTreeMap<String, (usize, Vec<usize>)>>,
}

impl Lines {
    /// For some lines of a chain.
    pub(super) fn partial() -> Self {
        Self { partial: true, ..Self::default() }
    }

    /// Takes bytes up to the last line break among them; what follows it was never finished.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in bytes.get(..end).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(line);
            self.places.push(start..self.bytes.len().saturating_sub(1));
            let number = self.places.len() as u64;
            match Line::parse(line.strip_suffix(b"\n").unwrap_or(line)) {
                Ok(line) => {
                    let (sequence, sha256) = (line.sequence, line.sha256);
                    let time = line.time;
                    if let Some(damage) = self.misplaced(&line) {
                        self.damages.push(Damage { line: number, damage });
                    }
                    self.head = Some(Head { sha256, length: sequence });
                    self.last_time = self.last_time.max(Some(time));
                }
                Err(damage) => self.damages.push(Damage { line: number, damage: damage.to_owned() }),
            }
        }
    }

    fn misplaced(&self, line: &Line<'_>) -> Option<String> {
        let last = self.head.map_or(0, |head| head.length);
        let expected = last.saturating_add(1);
        if self.partial {
            return (line.sequence <= last).then(|| format!("record {} comes after {last}", line.sequence));
        }
        if line.sequence != expected {
            return Some(format!("record {} is where {expected} belongs", line.sequence));
        }
        let before = self.head.map_or_else(|| NOTHING.to_owned(), |head| head.sha256.to_string());
        (line.previous != before).then(|| format!("record {expected} does not follow from the one before it"))
    }

    /// Whether a file begins with all that was taken; its next byte is the first that was not.
    pub(super) fn begin(&self, file: &mut File) -> io::Result<bool> {
        file.rewind()?;
        let mut part = vec![0; self.bytes.len().min(1 << 20)];
        for taken in self.bytes.chunks(1 << 20) {
            let part = part.get_mut(..taken.len()).unwrap_or_default();
            match file.read_exact(part) {
                Ok(()) if part == taken => {}
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// How many bytes were taken.
    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The end of what was taken.
    pub(super) fn head(&self) -> Option<Head> {
        self.head
    }

    /// How many lines were taken.
    pub(super) fn count(&self) -> u64 {
        self.places.len() as u64
    }

    /// The making of the ledger, where the first line tells of it.
    pub(super) fn made(&self) -> Option<Made> {
        let first = self.bytes.get(self.places.first()?.clone())?;
        match Line::parse(first).ok()?.entry().ok()?.record {
            Record::Made(made) => Some(made),
            _ => None,
        }
    }

    /// The digest of the line of this number.
    pub(super) fn digest_at(&self, number: u64) -> Option<Digest> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        Line::parse(self.bytes.get(self.places.get(at)?.clone())?).ok().map(|line| line.sha256)
    }

    /// The records that are wanted, read; and every damage.
    pub(super) fn journal(&self, wanted: Wanted<'_>) -> Journal {
        let mut journal =
            Journal { damages: self.damages.clone(), head: self.head, last_time: self.last_time, ..Journal::default() };
        for index in self.lines_with(wanted) {
            let number = index as u64 + 1;
            let place = self.places.get(index).cloned().unwrap_or_default();
            let Some(Ok(text)) = self.bytes.get(place).map(std::str::from_utf8) else { continue };
            let Some(rest) = text.get(OPENING.len() + 64..) else { continue };
            // Whether the digest is right was looked at when the line was taken.
            let Some(line) = Digest::parse(text.get(OPENING.len()..OPENING.len() + 64).unwrap_or_default())
                .and_then(|sha256| Line::fields(sha256, rest))
            else {
                continue;
            };
            match line.entry() {
                Ok(entry) => {
                    if let Record::Made(made) = &entry.record {
                        journal.id.get_or_insert_with(|| made.ledger.clone());
                    }
                    if wanted.holds(&entry.record) {
                        journal.entries.push(entry);
                    }
                }
                Err(error) => {
                    journal.damages.push(Damage { line: number, damage: format!("{NO_RECORD}: {}", cause(&error)) })
                }
            }
        }
        journal.damages.sort_by_key(|damage| damage.line);
        journal
    }

    /// The lines that may hold what is wanted; all of them where nothing is known to look for.
    fn lines_with(&self, wanted: Wanted<'_>) -> Vec<usize> {
        let needles = wanted.needles().map(|needles| {
            let needles: Vec<String> = needles.iter().map(|needle| regex::escape(needle)).collect();
            needles.join("|")
        });
        let pattern = needles.and_then(|needles| Some((Regex::new(&needles).ok()?, needles)));
        let Some((pattern, needles)) = pattern else { return (0..self.places.len()).collect() };
        let mut searched = self.searched.borrow_mut();
        let (upto, found) = searched.entry(needles).or_default();
        let mut from = *upto;
        // One search over all of it: a line is looked up only where something is found.
        while let Some(hit) = pattern.find_at(&self.bytes, from) {
            let index = self.places.partition_point(|place| place.end < hit.start());
            let Some(place) = self.places.get(index) else { break };
            from = place.end + 1;
            found.push(index);
        }
        *upto = self.bytes.len();
        found.clone()
    }
}

/// What is wrong with a text, without its place in it.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_owned()
}

const OPENING: &str = "{\"sha256\":\"";

const NO_RECORD: &str = "it is not a record in this format";

/// What the first line names in place of a line before it.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::super::record::{Finished, LedgerId, VERSION};
    use super::*;

    fn chain(length: u64) -> Vec<String> {
        let (mut lines, mut head) = (Vec::new(), None);
        for number in 0..length {
            let record = match number {
                0 => {
                    Record::Made(Made { version: VERSION, ledger: LedgerId::from_random(7), place: "here".to_owned() })
                }
                _ => Record::Finished(Finished {
                    run: format!("r-{number}"),
                    action: "cut".to_owned(),
                    started: number,
                    exit_status: Some(3),
                    note: None,
                    produced: BTreeMap::new(),
                    output: None,
                }),
            };
            let time = Timestamp::from_milliseconds(1_000_000 + i64::try_from(number).unwrap()).unwrap();
            let (line, next) = compose(head, time, "0", &record).unwrap();
            lines.push(line);
            head = Some(next);
        }
        lines
    }

    fn damages(lines: &[String]) -> usize {
        let mut taken = Lines::default();
        taken.take(lines.concat().as_bytes());
        taken.journal(Wanted::All).damages.len()
    }

    #[test]
    fn every_edited_cut_duplicated_or_foreign_line_is_found() {
        let whole = chain(20);
        assert_eq!(damages(&whole), 0);
        let foreign = chain(21).pop().unwrap();
        for at in 0..20 {
            let mut edits = vec![whole.clone(); 5];
            let middle = whole[at].len() / 2;
            edits[0][at].replace_range(middle..=middle, "~");
            edits[1][at].truncate(middle);
            edits[1][at].push('\n');
            edits[2].insert(at, whole[at].clone());
            edits[3].insert(at, foreign.clone());
            edits[4].swap(at, (at + 1) % 20);
            for (kind, lines) in edits.iter().enumerate() {
                assert!(damages(lines) > 0, "line {at}, kind {kind}");
            }
        }
        // The end alone shows nothing; the head does.
        for at in 0..19 {
            let mut cut = whole.clone();
            cut.remove(at);
            assert!(damages(&cut) > 0, "without {at}");
        }
    }

    #[test]
    fn what_was_never_finished_is_not_taken() {
        let whole = chain(3).concat();
        let mut lines = Lines::default();
        lines.take(&whole.as_bytes()[..whole.len() - 9]);
        assert_eq!(lines.count(), 2);
        assert!(lines.journal(Wanted::All).damages.is_empty());
    }
}
