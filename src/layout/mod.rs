//! The layout of what people read: aligned lines, tables, colour, and text made safe to show. It knows no record.

pub mod entries;
pub mod lines;

pub use crate::text::{escaped_json, printable, printable_lines};

use crate::problem::Source;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use lines::Tone;

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
pub fn grid(style: Style, header: &[&str]) -> Table {
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

/// A cell of a table in this tone, where colour is wanted.
pub fn colored(text: &str, tone: Tone, style: Style) -> Cell {
    let cell = Cell::new(text);
    match (style.color, tone) {
        (true, Tone::Good) => cell.fg(Color::Green),
        (true, Tone::Bad) => cell.fg(Color::Red),
        (true, Tone::Open) => cell.fg(Color::Yellow),
        _ => cell,
    }
}

/// Source text that is safe to show, and where in it the bytes of this span are.
pub fn shown(source: &Source, span: std::ops::Range<usize>) -> (String, std::ops::Range<usize>) {
    let up_to = |at: usize| printable_lines(source.text().get(..at).unwrap_or_default()).len();
    (printable_lines(source.text()), up_to(span.start)..up_to(span.end))
}

/// User text that cannot end a cell, start markup or run HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in printable(text).chars() {
        match letter {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => escaped.extend(['\\', letter]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            other => escaped.push(other),
        }
    }
    escaped
}
