//! The faces of a record. They translate; they never decide and never drop a row.

pub mod approvals;
pub mod attestation;
pub mod entries;
pub mod evidence;
pub mod exec;
pub mod explanation;
pub mod grants;
pub mod journal;
pub mod json;
pub mod lines;
pub mod markdown;
pub mod problems;
pub mod review;
pub mod table;
pub mod targets;
pub mod witness;

pub use crate::text::printable;

use crate::problem::Source;
use crate::text::printable_lines;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

/// How the terminal wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Columns there are.
    pub width: u16,
    /// Whether colour is wanted.
    pub color: bool,
}

/// The id of an entity or action written as `Namespace::Type::"id"`, where the type is plain from what surrounds it.
pub fn short(uid: &str) -> &str {
    let after = uid.find("::\"").map_or(uid, |at| uid.get(at + 3..).unwrap_or(uid));
    after.strip_suffix('"').unwrap_or(after)
}

/// An empty table with this head, as wide and as colourful as the terminal wants it.
fn grid(style: Style, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width).set_header(header.to_vec());
    if style.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

/// A cell in this colour, where colour is wanted.
fn colored(text: &str, color: Color, style: Style) -> Cell {
    let cell = Cell::new(text);
    if style.color { cell.fg(color) } else { cell }
}

/// Source text that is safe to show, and where in it the bytes of this span are.
fn shown(source: &Source, span: std::ops::Range<usize>) -> (String, std::ops::Range<usize>) {
    let up_to = |at: usize| printable_lines(source.text().get(..at).unwrap_or_default()).len();
    (printable_lines(source.text()), up_to(span.start)..up_to(span.end))
}
