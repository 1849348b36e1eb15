//! The face of a witness's record; everything that was seen is shown.

use super::{Style, colored, grid, printable};
use crate::evidence::witness::WitnessRecord;
use comfy_table::{Cell, Color};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A record for terminals: what watched, and what each part saw in all.
pub fn record(record: &WitnessRecord, style: Style) -> String {
    let opened = &record.opened;
    let mut parts = grid(style, &["part", "watched", "cannot see"]);
    for part in &opened.parts {
        let (watched, color) = match &part.off {
            None => ("yes".to_owned(), Color::Green),
            Some(reason) => (format!("no: {reason}"), Color::Yellow),
        };
        let watched = colored(&printable(&watched), color, style);
        parts.add_row([Cell::new(printable(&part.name)), watched, Cell::new(printable(&part.blind_to))]);
    }
    let mut totals: BTreeMap<(&str, &str), BTreeMap<&str, i64>> = BTreeMap::new();
    for seen in &record.seen {
        let counts = totals.entry((&seen.id, &seen.part)).or_default();
        seen.what.iter().for_each(|(what, count)| *counts.entry(what).or_default() += count);
    }
    let mut text = format!(
        "database  {} {} as {}\nwatched   {} to {}\n{parts}\n",
        printable(&opened.system_identifier),
        printable(&opened.database),
        printable(&opened.role),
        printable(&opened.at),
        printable(&record.last_at),
    );
    if !totals.is_empty() {
        let mut seen = grid(style, &["observation", "seen by", "what"]);
        for ((id, part), counts) in totals {
            let what = counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ");
            seen.add_row([
                Cell::new(printable(id)),
                Cell::new(printable(part)),
                colored(&printable(&what), Color::Red, style),
            ]);
        }
        let _ = writeln!(text, "{seen}");
    }
    for (relation, kind) in opened.relations.iter().filter(|(_, kind)| *kind != "logged") {
        let _ = writeln!(text, "unlogged  {}: {}", printable(relation), printable(kind));
    }
    for gap in record.gaps() {
        let _ = writeln!(text, "UNKNOWN   {}", printable(&gap));
    }
    let _ = match &record.closed {
        Some(closed) => writeln!(text, "ended     by {}", printable(&closed.reason)),
        None => writeln!(text, "ended     not in order"),
    };
    text
}
