//! Text that is not seen, or that moves what is.
//!
//! ## What it finds
//!
//! Letters in a policy, an invariant or a schema that no editor shows or that reorder what stands beside them: marks of
//! direction, zero-width letters, tags, control characters; in names, strings and comments alike. A carriage return without a line
//! feed is one of them: it ends a comment for Cedar, and for nobody who reads. In the strings of conditions and scopes also blanks
//! that look like the usual one and equal it nowhere.
//!
//! ## Why it matters
//!
//! Who reviews reads one text, and Cedar another.
//!
//! ## Examples
//!
//! ```text
//! finding: `@title("...")` with U+202E in it
//! finding: what joins or varies letters and is none (U+200C, U+200D, U+FE0F), which no report shows
//! none:    letters of whatever language
//! ```

use crate::cedar::tokens::{TokenKind, tokens};
use crate::findings::rule::{Rule, rule};
use crate::findings::{Finding, Place};
use crate::subject::Subject;
use crate::text::printable;

/// The rule.
pub const RULE: Rule = rule!("L17", "invisible-text", Error, "invisible_text.rs");

/// Looks at every letter of every file.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for source in super::texts(subject) {
        let all = source.text().char_indices();
        let ends_line = |at: usize| source.text().get(at + 1..).is_some_and(|rest| rest.starts_with('\n'));
        let is_found = |(at, letter): &(usize, char)| match letter {
            '\r' => !ends_line(*at),
            letter => is_unseen(*letter),
        };
        let mut unseen: Vec<(usize, char)> = all.filter(is_found).collect();
        unseen.extend(odd_blanks(source.text()));
        unseen.sort_unstable();
        let Some((at, letter)) = unseen.first().copied() else { continue };
        let more = match unseen.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more such letters in the file"),
        };
        let message = format!("it has U+{:04X}, which is invisible or reorders text{more}", u32::from(letter));
        findings.push(
            Finding::new(&RULE, super::about(subject, &source, at), message)
                .at(Place::new(&source, at..at + letter.len_utf8()))
                .help("remove it"),
        );
    }
}

/// Blanks other than the usual one in strings that are compared: those of annotations are prose.
fn odd_blanks(text: &str) -> Vec<(usize, char)> {
    let tokens = tokens(text);
    let before =
        |at: usize, back: usize| at.checked_sub(back).and_then(|at| tokens.get(at)).map(|token| token.of(text));
    let strings = tokens.iter().enumerate().filter(|(at, token)| {
        token.kind == TokenKind::Text && !(before(*at, 1) == Some("(") && before(*at, 3) == Some("@"))
    });
    let blanks = strings.flat_map(|(_, token)| {
        let odd = |(_, letter): &(usize, char)| *letter != ' ' && (letter.is_whitespace() || *letter == '\u{2800}');
        token.of(text).char_indices().filter(odd).map(|(at, letter)| (token.span.start + at, letter))
    });
    blanks.filter(|(_, letter)| !matches!(letter, '\n' | '\r' | '\t' | '\u{3000}') && !is_unseen(*letter)).collect()
}

fn is_unseen(letter: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = letter.encode_utf8(&mut bytes);
    // Line ends and tabs are seen by what they do.
    !letter.is_ascii_graphic() && !matches!(letter, ' ' | '\n' | '\r' | '\t') && printable(text) != text
}
