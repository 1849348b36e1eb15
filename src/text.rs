//! Text that may come from an adversary, made safe to show. Imports nothing.

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
