//! The terminal forms of approvals: what became of every document, and what was requested.

use super::table::{commands, label, until};
use crate::approval::document::ApprovalDocument;
use crate::approval::renewal::Renewal;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::record::{ApprovalRow, ApprovalStatus};

/// Documents that were judged for a plan at a moment.
pub struct Judged<'a> {
    /// Every document and every gate without one.
    pub rows: &'a [ApprovalRow],
    /// How many gates the plan needs.
    pub needed: usize,
    /// How many of them open.
    pub open: usize,
    /// The plan's name.
    pub plan: &'a str,
    /// When, RFC 3339.
    pub now: &'a str,
}

/// Whether every needed gate opens, then one line a document or gate, and what to run next.
pub fn table(judged: &Judged<'_>, next: &[String], style: Style) -> String {
    let (words, tone) = match (judged.needed, judged.open) {
        (0, _) => ("no approval is needed".to_owned(), Tone::Good),
        (needed, open) if needed == open => (format!("all {needed} needed gates open"), Tone::Good),
        (needed, open) => (format!("{open} of {needed} needed gates open"), Tone::Open),
    };
    let mut text = flow(&[Cell::new("approval"), Cell::toned(words, tone), Cell::new(judged.plan)], 10, style);
    let mut lines = Lines::new([Fit::Middle, Fit::Whole, Fit::Middle, Fit::Words]);
    for row in judged.rows {
        let (status, tone, why) = match (row.status, row.code) {
            (ApprovalStatus::Accepted, _) => (
                "accepted".to_owned(),
                Tone::Good,
                format!("{}{}", row.signers.join(", "), until(row.expires_at.as_deref(), judged.now)),
            ),
            (ApprovalStatus::Rejected, _) if row.file.is_empty() => ("missing".to_owned(), Tone::Open, String::new()),
            (ApprovalStatus::Rejected, code) => {
                let code = code.map(|code| format!(" {}", code.name())).unwrap_or_default();
                (format!("REJECTED{code}"), Tone::Bad, row.details.join("; "))
            }
        };
        lines.row([Cell::new(&row.gate), Cell::toned(status, tone), Cell::new(&row.file), Cell::new(why)]);
    }
    text.push_str(&lines.text(style));
    text + &commands(next).text(style)
}

/// Documents that were written, one line each.
pub struct Requested<'a> {
    /// Each with the file it stands in.
    pub written: &'a [(String, &'a ApprovalDocument)],
    /// The documents that lay there before.
    pub renewals: &'a [Renewal],
    /// What no approval can lift.
    pub remaining: &'a [String],
    /// The plan's name.
    pub plan: &'a str,
    /// When, RFC 3339.
    pub now: &'a str,
}

/// What was written, what a person writes into it, what no approval lifts, and what to run next.
pub fn requested(requested: &Requested<'_>, next: &[String], style: Style) -> String {
    let words = match requested.written.len() {
        0 if !requested.renewals.is_empty() => "nothing changed, nothing is written".to_owned(),
        0 => "no approval is needed".to_owned(),
        1 => "1 document written".to_owned(),
        many => format!("{many} documents written"),
    };
    let heading = [Cell::new("approval request"), Cell::new(words), Cell::new(requested.plan)];
    let mut text = flow(&heading, 8, style);
    let mut lines = Lines::new([Fit::Whole, Fit::Middle, Fit::Whole, Fit::End]);
    for (file, document) in requested.written {
        let rows = document.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>().join(", ");
        let end = until(Some(&document.expires_at), requested.now);
        let rows = format!("{} rows: {rows}", document.rows.len());
        lines.row([label("wrote", Tone::Plain), Cell::new(file), Cell::new(end.trim_start()), Cell::new(rows)]);
    }
    text.push_str(&lines.text(style));
    let mut lines = Lines::new([Fit::Whole, Fit::Words]);
    for old in requested.renewals {
        let same = ["nothing changed since it was written: it stays".to_owned()];
        let changes = if old.changes.is_empty() { &same[..] } else { &old.changes };
        for (index, change) in changes.iter().enumerate() {
            let gate = if index == 0 { format!("{}: ", old.gate) } else { String::new() };
            lines.row([label(if index == 0 { "was" } else { "" }, Tone::Open), Cell::new(format!("{gate}{change}"))]);
        }
    }
    if !requested.written.is_empty() {
        let all = "`\"allowance\": \"explicit\"` and a reason into each, and checks the times";
        lines.row([label("person", Tone::Plain), Cell::new(format!("writes {all}"))]);
    }
    for (file, _) in requested.written.iter().filter(|(_, document)| document.reference.is_some()) {
        let what = format!("writes the review's decision into {file}");
        lines.row([label("", Tone::Plain), Cell::new(what)]);
    }
    for line in requested.remaining {
        lines.row([label("never", Tone::Open), Cell::new(line)]);
    }
    text.push_str(&lines.text(style));
    text + &commands(next).text(style)
}
