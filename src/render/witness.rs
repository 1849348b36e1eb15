//! The record of a witness for people; everything that was seen is shown.

use crate::evidence::RowStatus;
use crate::evidence::witness::WitnessRecord;
use crate::layout::Style;
use crate::layout::entries::{Entry, entries};
use crate::layout::lines::{Cell, Fit, Lines, Tone, head};
use std::collections::BTreeMap;

/// A record for terminals: what was seen and what was not, then what watched.
pub fn record(record: &WitnessRecord, style: Style) -> String {
    let opened = &record.opened;
    let mut totals: BTreeMap<(&str, &str), BTreeMap<&str, i64>> = BTreeMap::new();
    for seen in &record.seen {
        let counts = totals.entry((&seen.id, &seen.part)).or_default();
        seen.what.iter().for_each(|(what, count)| *counts.entry(what).or_default() += count);
    }
    let (result, tone) = match record.status() {
        RowStatus::Changed => ("SEEN", Tone::Bad),
        RowStatus::Unknown => ("UNKNOWN", Tone::Open),
        RowStatus::Unchanged | RowStatus::Tolerated => ("NOTHING SEEN", Tone::Good),
    };
    let text = head("witness", result, tone, &format!("{} to {}", opened.at, record.last_at), style);
    let seen: Vec<Entry> = totals
        .into_iter()
        .map(|((id, part), counts)| {
            let what = counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ");
            Entry::new("SEEN", Tone::Bad, id, [format!("{what} (by {part})")])
        })
        .collect();
    let mut foot = Lines::new([Fit::Whole, Fit::Whole, Fit::Words]);
    let mut named = |name: &str, tone: Tone, what: String| {
        foot.row([Cell::new(""), Cell::toned(name, tone), Cell::new(what)]);
    };
    for gap in record.gaps() {
        named("UNKNOWN", Tone::Open, gap);
    }
    for (relation, kind) in opened.relations.iter().filter(|(_, kind)| *kind != "logged") {
        named("unlogged", Tone::Open, format!("{relation}: {kind}"));
    }
    for part in &opened.parts {
        match &part.off {
            None => named("watched", Tone::Good, format!("{}; it cannot see {}", part.name, part.blind_to)),
            Some(reason) => {
                named("off", Tone::Open, format!("{}: {reason}; it would not see {}", part.name, part.blind_to))
            }
        }
    }
    named("database", Tone::Plain, format!("{} {} as {}", opened.database, opened.system_identifier, opened.role));
    named(
        "ended",
        Tone::Plain,
        match &record.closed {
            Some(closed) => format!("by {}", closed.reason),
            None => "abnormally".to_owned(),
        },
    );
    text + &entries(&seen, style) + &foot.text(style)
}
