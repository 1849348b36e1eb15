//! The terminal face of approvals: every document, its status, its reject code and why.

use super::{Style, grid, printable};
use crate::document::{ApprovalRow, ApprovalStatus};

/// Every document and every gate without one.
pub fn table(rows: &[ApprovalRow], accepted: usize, style: Style) -> String {
    let mut table = grid(Style { color: false, ..style }, &["gate", "document", "status", "why"]);
    for row in rows {
        let name = if row.file.is_empty() { "(none)" } else { row.file.as_str() };
        let status = match (row.status, row.code) {
            (ApprovalStatus::Accepted, _) => "accepted".to_owned(),
            (ApprovalStatus::Rejected, code) => {
                code.map_or("rejected".to_owned(), |code| format!("REJECTED {}", code.name()))
            }
        };
        let why = match row.status {
            ApprovalStatus::Accepted => format!("signed by {}", row.signers.join(", ")),
            ApprovalStatus::Rejected => row.details.join("; "),
        };
        table.add_row([printable(&row.gate), printable(&format!("{name} {}", row.id)), status, printable(&why)]);
    }
    format!("{table}\n{} documents or gates: {accepted} accepted, {} not\n", rows.len(), rows.len() - accepted)
}
