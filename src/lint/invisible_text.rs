//! Text that is not seen, or that moves what is.
//!
//! ## What it finds
//!
//! Letters in a policy, an invariant or a schema that no editor shows or that reorder what stands beside them: marks of
//! direction, zero-width letters, tags, control characters; in names, strings and comments alike.
//!
//! ## Why it matters
//!
//! Who reviews reads one text, and Cedar another.
//!
//! ## Examples
//!
//! ```text
//! finding: `@title("...")` with U+202E in it
//! none:    letters of whatever language
//! ```

use crate::findings::rule::{Rule, rule};
use crate::findings::{Finding, Place};
use crate::subject::Subject;
use crate::text::printable;

/// The rule.
pub const RULE: Rule = rule!("L17", "invisible-text", Error, "invisible_text.rs");

/// Looks at every letter of every file.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for source in super::texts(subject) {
        let unseen = source.text().char_indices().filter(|(_, letter)| is_unseen(*letter));
        let unseen: Vec<(usize, char)> = unseen.collect();
        let Some((at, letter)) = unseen.first().copied() else { continue };
        let more = match unseen.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more such letters in the file"),
        };
        let message = format!("it has U+{:04X}, which is not seen or moves what is{more}", u32::from(letter));
        findings.push(
            Finding::new(&RULE, super::about(subject, &source, at), message)
                .at(Place::new(&source, at..at + letter.len_utf8()))
                .help("remove it"),
        );
    }
}

fn is_unseen(letter: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = letter.encode_utf8(&mut bytes);
    // Line ends and tabs are seen by what they do.
    !letter.is_ascii_graphic() && !matches!(letter, ' ' | '\n' | '\r' | '\t') && printable(text) != text
}
