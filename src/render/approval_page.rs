//! An approval as the approver reads it: what is asked for, row by row, and the digest of the bytes that would be signed.

use super::table::label;
use super::work;
use crate::approval::document::ApprovalDocument;
use crate::approval::row::{ApprovedRow, cedar_text};
use crate::digest::Digest;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::problem::Source;

/// All of a document; nothing of it is cut.
pub fn page(document: &ApprovalDocument, source: &Source, style: Style) -> String {
    let rows = format!("rows: {}", document.rows.len());
    let heading = [Cell::new("approval"), Cell::new(&document.gate), Cell::new(rows), Cell::new(source.name())];
    let mut text = flow(&heading, 8, style);
    let mut lines = Lines::new([Fit::Whole, Fit::Words]);
    let mut say = |name: &str, what: String| lines.row([label(name, Tone::Plain), Cell::new(what)]);
    let words = |text: &str, empty: &str| if text.is_empty() { empty.to_owned() } else { text.to_owned() };
    say("run", format!("{}, in the ledger {}", document.run, document.ledger));
    let target: Vec<String> = document.target.0.iter().map(|(name, value)| format!("{name} {value}")).collect();
    say("target", target.join(", "));
    say("valid", format!("from {} until {}", document.issued_at, document.expires_at));
    say("allows", words(&document.allowance, "nothing yet: `allowance` is empty"));
    say("reason", words(&document.reason, "none yet"));
    if let Some(reference) = &document.reference {
        say("refers", words(reference, "to nothing yet: `reference` is empty"));
    }
    say("bound", format!("to the plan of sha256 {}", document.plan_sha256));
    say("", format!("to the policies of sha256 {}", document.policies_sha256));
    if let Some(baseline) = &document.baseline_sha256 {
        say("", format!("to the evidence of sha256 {baseline}"));
    }
    for row in &document.rows {
        lines.row([label("row", Tone::Plain), Cell::toned(&row.id, Tone::Open)]);
        for line in of_row(row) {
            lines.row([label("", Tone::Plain), Cell::new(line)]);
        }
    }
    text += &lines.text(style);
    let sha256 = Digest::of(source.text().as_bytes()).to_string();
    text + &flow(&[label("sha256", Tone::Plain), Cell::new(sha256)], 8, style)
}

/// Who, what, on what, with which parameters; then the work.
fn of_row(row: &ApprovedRow) -> Vec<String> {
    let mut lines = vec![format!("{} does {} on {}", row.principal, row.action, row.resource)];
    lines.extend(row.parameters.iter().map(|(name, value)| format!("with {name} = {}", cedar_text(value))));
    lines.extend(work::details(row.work.as_ref()));
    lines
}
