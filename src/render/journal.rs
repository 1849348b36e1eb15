//! The faces of a journal; what of it cannot be read is shown in each of them.

use super::{Style, grid, printable, short};
use crate::ledger::{Damage, Event, Journal, JournalRecord, LedgerId};
use serde::Serialize;

/// For terminals.
pub fn table(journal: &Journal, style: Style) -> String {
    let header = ["no", "time", "run and action", "event", "by", "approvals"];
    let mut table = grid(Style { color: false, ..style }, &header);
    for JournalRecord { sequence, entry } in &journal.records {
        let event = match (entry.event, entry.exit_status) {
            (Event::Finished, Some(status)) => format!("finished\nexit {status}"),
            (Event::Finished, None) => "finished\nby a signal".to_owned(),
            (Event::Started, _) => "started".to_owned(),
        };
        let approvals: Vec<String> =
            entry.approvals.iter().map(|used| printable(&format!("{} {}", used.gate, used.id))).collect();
        table.add_row([
            sequence.to_string(),
            entry.time.to_string(),
            format!("{}\n{}", printable(&entry.run), printable(&entry.action)),
            event,
            printable(short(&entry.principal)),
            approvals.join("\n"),
        ]);
    }
    let mut text = format!("{table}\nrecords   {}\n", journal.records.len());
    for Damage { line, damage } in &journal.damages {
        text.push_str(&format!("damaged   line {line}: {}\n", printable(damage)));
    }
    text
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
