//! The faces of a journal; what of it does not hold is shown in each of them.

use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::layout::{Style, short};
use crate::ledger::{Damage, Entry, Journal, LedgerId, Record};
use crate::record::UseDecision;
use serde::{Deserialize as _, Serialize};

/// For terminals: each run as a heading, each record on a line of its own, damages last.
pub fn table(journal: &Journal, style: Style) -> String {
    let records = match journal.entries.len() {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    };
    let damages = match journal.damages.len() {
        0 => Cell::new(""),
        count => Cell::toned(format!("DAMAGED in {count}"), Tone::Bad),
    };
    flow(&[Cell::new("log"), Cell::new(records), damages], 0, style) + &rows(journal, style)
}

/// The same without its first line: what came after what was shown before.
pub fn rows(journal: &Journal, style: Style) -> String {
    let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Whole, Fit::Middle, Fit::Middle, Fit::Middle]);
    let mut run: Option<String> = None;
    let mut headings = Vec::new();
    for (index, Entry { sequence, time, by, record }) in journal.entries.iter().enumerate() {
        let of = match record {
            Record::Started(_)
            | Record::Finished(_)
            | Record::Refused(_)
            | Record::Voided(_)
            | Record::SwitchedOff(_) => record.subject(),
            _ => None,
        };
        if of.is_some() && of != run {
            headings.push((index, of.clone().unwrap_or_default()));
            run = of;
        }
        let (event, tone, action, more) = told(record);
        lines.row([
            Cell::toned(format!("{sequence:>4}"), Tone::Dim),
            Cell::new(time.to_cedar()),
            Cell::toned(event, tone),
            Cell::new(action),
            Cell::new(format!("by {}", who(record).unwrap_or_else(|| by.clone()))),
            Cell::new(more),
        ]);
    }
    let mut text = String::new();
    let mut works = Lines::new([Fit::Whole, Fit::End]);
    for entry in &journal.entries {
        works.row([Cell::new("    "), Cell::toned(work(&entry.record).unwrap_or_default(), Tone::Dim)]);
    }
    let works = works.text(style);
    let mut works = journal.entries.iter().zip(works.lines());
    let mut headings = headings.into_iter().peekable();
    for (index, line) in lines.text(style).lines().enumerate() {
        if let Some((_, run)) = headings.next_if(|(at, _)| *at == index) {
            text.push_str(&flow(&[Cell::new("run"), Cell::new(run)], 0, style));
        }
        text.push_str(line);
        text.push('\n');
        if let Some((_, work)) = works.next().filter(|(entry, _)| work(&entry.record).is_some()) {
            text.push_str(&format!("{work}\n"));
        }
    }
    let mut damaged = Lines::new([Fit::Whole, Fit::Words]);
    for Damage { line, damage } in &journal.damages {
        damaged.row([Cell::toned("DAMAGED", Tone::Bad), Cell::new(format!("line {line}: {damage}"))]);
    }
    text + &damaged.text(style)
}

/// What happened and whether it is fine, to what, and what else there is to say.
fn told(record: &Record) -> (String, Tone, String, String) {
    match record {
        Record::Made(made) => ("made".to_owned(), Tone::Plain, String::new(), format!("ledger {}", made.ledger)),
        Record::Moved(moved) => ("moved".to_owned(), Tone::Open, String::new(), moved.place.clone()),
        Record::Started(started) => {
            let approvals = started.approvals.iter().map(|used| format!("{} {}", used.gate, used.id));
            ("started".to_owned(), Tone::Plain, started.action.clone(), approvals.collect::<Vec<_>>().join(", "))
        }
        Record::Finished(finished) => {
            let (event, tone) = match (&finished.note, finished.exit_status) {
                (_, Some(0)) => ("exit 0".to_owned(), Tone::Good),
                (_, Some(status)) => (format!("exit {status}"), Tone::Bad),
                (None, None) => ("signal".to_owned(), Tone::Bad),
                (Some(_), None) => ("no result".to_owned(), Tone::Bad),
            };
            let found = finished.output.iter().flat_map(|output| &output.found);
            let found = found.map(|(what, count)| format!("it wrote {what}, {count} times"));
            let said: Vec<String> = finished.note.iter().cloned().chain(found).collect();
            (event, tone, finished.action.clone(), said.join("; "))
        }
        Record::Refused(refused) => ("refused".to_owned(), Tone::Bad, refused.action.clone(), refused.reason.clone()),
        Record::SwitchedOff(off) => ("off".to_owned(), Tone::Open, off.action.clone(), off.words()),
        Record::Voided(voided) => ("voided".to_owned(), Tone::Open, String::new(), voided.reason.clone()),
        Record::Vote(vote) => {
            ("vote".to_owned(), Tone::Plain, String::new(), format!("approval sha256 {}", vote.approval.short()))
        }
        Record::NewerBundle(bundle) => {
            let what = format!("version {}, sha256 {}", bundle.version, bundle.sha256.short());
            ("bundle".to_owned(), Tone::Plain, String::new(), what)
        }
        Record::Attestation(attestation) => {
            ("attested".to_owned(), Tone::Plain, String::new(), format!("attestation {}", attestation.number))
        }
    }
}

/// What it ran, in one line; only where it begins.
fn work(record: &Record) -> Option<String> {
    let Record::Started(started) = record else { return None };
    Some(UseDecision::deserialize(&started.decision).ok()?.row.work?.line())
}

/// The principal, where the record names one.
fn who(record: &Record) -> Option<String> {
    match record {
        Record::Started(started) => Some(short(&started.principal).to_string()),
        Record::Refused(refused) => Some(short(&refused.principal).to_string()),
        _ => None,
    }
}

/// One versioned document.
pub fn json(id: &LedgerId, journal: &Journal) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        ledger: &'a LedgerId,
        records: &'a [Entry],
        damages: &'a [Damage],
    }
    super::json::document(&Document { version: 2, ledger: id, records: &journal.entries, damages: &journal.damages })
}

/// One record a line, then one damage a line.
pub fn lines(journal: &Journal) -> Result<String, serde_json::Error> {
    let records = journal.entries.iter().map(|entry| Ok(serde_json::to_string(entry)? + "\n"));
    let damages = journal.damages.iter().map(|damage| Ok(serde_json::to_string(damage)? + "\n"));
    records.chain(damages).collect()
}
