//! The faces of a record. They translate; they never decide and never drop a row.

pub mod approvals;
pub mod attestation;
pub mod evidence;
pub mod explanation;
pub mod grants;
pub mod journal;
pub mod json;
pub mod markdown;
pub mod problems;
pub mod review;
pub mod table;
pub mod targets;
pub mod witness;

/// How the terminal wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Columns there are.
    pub width: u16,
    /// Whether colour is wanted.
    pub color: bool,
}

/// User text on one line, without control characters and marks that reorder text, which could forge a report.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            control if control.is_control() => '\u{fffd}',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// The id of an entity or action written as `Namespace::Type::"id"`, where the type is plain from what surrounds it.
pub fn short(uid: &str) -> &str {
    let after = uid.find("::\"").map_or(uid, |at| uid.get(at + 3..).unwrap_or(uid));
    after.strip_suffix('"').unwrap_or(after)
}
