//! Cedar text cut into words, strings and signs, to say where something stands that Cedar's own parser points past.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// A name or keyword, or a number.
    Word,
    /// A whole string literal, its quotes included.
    Text,
    /// A string literal that never ends.
    OpenText,
    /// One sign.
    Sign,
}

/// One token and its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

impl Token {
    /// The token as it is written.
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.span.clone()).unwrap_or_default()
    }
}

/// The tokens of a text; comments and blanks are left out.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if first == '"' {
            match text_length(rest) {
                Some(length) => (Some(TokenKind::Text), length),
                None => (Some(TokenKind::OpenText), rest.len()),
            }
        } else if is_word(first) {
            (Some(TokenKind::Word), rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()))
        } else {
            (Some(TokenKind::Sign), first.len_utf8())
        };
        tokens.extend(kind.map(|kind| Token { kind, span: at..at + length }));
        at += length;
    }
    tokens
}

/// The bytes of the annotation of this name in the text of one policy: `@gate("RELEASE")`.
pub fn annotation(text: &str, key: &str) -> Option<Range<usize>> {
    let tokens = tokens(text);
    let is_named = |pair: &[Token]| matches!(pair, [sign, name] if sign.of(text) == "@" && name.of(text) == key);
    let first = tokens.windows(2).position(is_named)?;
    let end = tokens.get(first + 4).filter(|end| end.of(text) == ")").or_else(|| tokens.get(first + 1))?;
    Some(tokens.get(first)?.span.start..end.span.end)
}

/// The length of the string literal that a text begins with; a backslash takes the meaning from what follows it.
fn text_length(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_what_strings_hold_are_no_tokens() {
        let text = "a // } \"\n\"b \\\" }\" \u{e9}2==\"";
        let found: Vec<&str> = tokens(text).iter().map(|token| token.of(text)).collect();
        assert_eq!(found, ["a", "\"b \\\" }\"", "\u{e9}2", "=", "=", "\""]);
    }
}
