//! The faces of a whole run.

use super::table::label;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::runtime::{Event, EventKind, RowState, RunRecord, RunState};

/// For terminals: how it stands, each row, and what to do next.
pub fn table(record: &RunRecord, style: Style) -> String {
    let (state, tone) = stands(record.state);
    let done = record.rows.iter().filter(|row| row.state == RowState::Done).count();
    let counts = format!("{done} of {} rows done", record.rows.len());
    let mut text = flow(
        &[
            Cell::new("run"),
            Cell::toned(state, tone),
            Cell::new(&record.plan),
            Cell::new(&record.run),
            Cell::new(counts),
        ],
        8,
        style,
    );
    let mut lines = Lines::new([Fit::Whole, Fit::Middle, Fit::Words]);
    for row in &record.rows {
        let (word, tone) = mark(row.state);
        lines.row([label(word, tone), Cell::new(&row.id), Cell::toned(&row.what, Tone::Dim)]);
    }
    text.push_str(&lines.text(style));
    let mut next = Lines::new([Fit::Whole, Fit::Words]);
    if let Some(held) = &record.held {
        next.row([label("held", Tone::Bad), Cell::new(held)]);
    }
    for (index, file) in record.proposals.iter().enumerate() {
        next.row([label(if index == 0 { "sql" } else { "" }, Tone::Bold), Cell::new(file)]);
    }
    for (index, command) in record.next.iter().enumerate() {
        next.row([label(if index == 0 { "next" } else { "" }, Tone::Bold), Cell::new(command)]);
    }
    text + &next.text(style)
}

/// One event, for logs and terminals.
pub fn event(event: &Event, style: Style) -> String {
    let (word, tone) = match event.event {
        EventKind::Begins => ("..", Tone::Dim),
        EventKind::Waits => ("wait", Tone::Open),
        EventKind::Ended(state) => mark(state),
    };
    let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Whole, Fit::End]);
    lines.row([
        Cell::toned(event.time.to_string(), Tone::Dim),
        label(word, tone),
        Cell::new(&event.row),
        Cell::toned(&event.what, Tone::Dim),
    ]);
    lines.text(style)
}

fn stands(state: RunState) -> (&'static str, Tone) {
    match state {
        RunState::Completed => ("COMPLETED", Tone::Good),
        RunState::Stopped => ("STOPPED", Tone::Good),
        RunState::Paused => ("PAUSED", Tone::Open),
        RunState::Blocked => ("BLOCKED", Tone::Open),
        RunState::Denied => ("DENIED", Tone::Bad),
        RunState::Indeterminate => ("INDETERMINATE", Tone::Bad),
        RunState::Untrusted => ("UNTRUSTED", Tone::Bad),
        RunState::Hold => ("HOLD", Tone::Bad),
        RunState::Voided => ("VOIDED", Tone::Open),
        RunState::Rehearsed => ("REHEARSED", Tone::Good),
    }
}

fn mark(state: RowState) -> (&'static str, Tone) {
    match state {
        RowState::Open => ("open", Tone::Dim),
        RowState::Done => ("done", Tone::Good),
        RowState::Refused => ("no", Tone::Open),
        RowState::Failed => ("FAIL", Tone::Bad),
        RowState::Unknown => ("?", Tone::Bad),
    }
}
