//! The faces of a journal; what of it cannot be read is shown in each of them.

use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::layout::{Style, short};
use crate::ledger::{Damage, Event, Journal, JournalEntry, JournalRecord, LedgerId};
use serde::Serialize;

/// For terminals: each run as a heading, each event on a line of its own, damages last.
pub fn table(journal: &Journal, style: Style) -> String {
    let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Whole, Fit::Middle, Fit::Middle, Fit::Middle]);
    let mut run = None;
    let mut headings = Vec::new();
    for (index, JournalRecord { sequence, entry }) in journal.records.iter().enumerate() {
        if run != Some(&entry.run) {
            run = Some(&entry.run);
            headings.push((index, &entry.run));
        }
        let (event, tone) = event(entry);
        let approvals: Vec<String> = entry.approvals.iter().map(|used| format!("{} {}", used.gate, used.id)).collect();
        lines.row([
            Cell::toned(format!("{sequence:>4}"), Tone::Dim),
            Cell::new(entry.time.to_cedar()),
            Cell::toned(event, tone),
            Cell::new(&entry.action),
            Cell::new(format!("by {}", short(&entry.principal))),
            Cell::new(approvals.join(", ")),
        ]);
    }
    let records = match journal.records.len() {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    };
    let damages = match journal.damages.len() {
        0 => Cell::new(""),
        count => Cell::toned(format!("DAMAGED in {count}"), Tone::Bad),
    };
    let mut text = flow(&[Cell::new("log"), Cell::new(records), damages], 0, style);
    let mut works = Lines::new([Fit::Whole, Fit::End]);
    for JournalRecord { entry, .. } in &journal.records {
        works.row([Cell::new("    "), Cell::toned(entry.work().unwrap_or_default(), Tone::Dim)]);
    }
    let works = works.text(style);
    let mut works = journal.records.iter().zip(works.lines());
    let mut headings = headings.into_iter().peekable();
    for (index, line) in lines.text(style).lines().enumerate() {
        if let Some((_, run)) = headings.next_if(|(at, _)| *at == index) {
            text.push_str(&flow(&[Cell::new("run"), Cell::new(run)], 0, style));
        }
        text.push_str(line);
        text.push('\n');
        if let Some((_, work)) = works.next().filter(|(record, _)| record.entry.work().is_some()) {
            text.push_str(&format!("{work}\n"));
        }
    }
    let mut damaged = Lines::new([Fit::Whole, Fit::Words]);
    for Damage { line, damage } in &journal.damages {
        damaged.row([Cell::toned("DAMAGED", Tone::Bad), Cell::new(format!("line {line}: {damage}"))]);
    }
    text + &damaged.text(style)
}

/// What happened, and whether it is fine.
fn event(entry: &JournalEntry) -> (String, Tone) {
    match (entry.event, entry.exit_status) {
        (Event::Started, _) => ("started".to_owned(), Tone::Plain),
        (Event::Finished, Some(0)) => ("exit 0".to_owned(), Tone::Good),
        (Event::Finished, Some(status)) => (format!("exit {status}"), Tone::Bad),
        (Event::Finished, None) => ("signal".to_owned(), Tone::Bad),
    }
}

/// One versioned document.
pub fn json(id: &LedgerId, journal: &Journal) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        ledger: &'a LedgerId,
        records: &'a [JournalRecord],
        damages: &'a [Damage],
    }
    super::json::document(&Document { version: 1, ledger: id, records: &journal.records, damages: &journal.damages })
}

/// One record a line as the ledger keeps it, then one damage a line.
pub fn lines(journal: &Journal) -> Result<String, serde_json::Error> {
    let records = journal.records.iter().map(|record| Ok(serde_json::to_string(record)? + "\n"));
    let damages = journal.damages.iter().map(|damage| Ok(serde_json::to_string(damage)? + "\n"));
    records.chain(damages).collect()
}
