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
            (None, rest.find(['\n', '\r']).unwrap_or(rest.len()))
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

/// Where a text stands next among these tokens of another, at or behind a byte: never in a comment or inside a string.
pub fn next(tokens: &[Token], text: &str, from: usize, wanted: &str) -> Option<usize> {
    let later = tokens.get(tokens.partition_point(|token| token.span.start < from)..)?;
    let mut starts = later.iter().map(|token| token.span.start);
    starts.find(|start| text.get(*start..).is_some_and(|rest| rest.starts_with(wanted)))
}

/// The bytes of the annotation of this name in the text of one policy: `@gate("RELEASE")`.
pub fn annotation(text: &str, key: &str) -> Option<Range<usize>> {
    let tokens = tokens(text);
    let is_named = |pair: &[Token]| matches!(pair, [sign, name] if sign.of(text) == "@" && name.of(text) == key);
    let first = tokens.windows(2).position(is_named)?;
    let end = tokens.get(first + 4).filter(|end| end.of(text) == ")").or_else(|| tokens.get(first + 1))?;
    Some(tokens.get(first)?.span.start..end.span.end)
}

/// The bytes of the declaration of this action in the text of a schema, annotations included.
pub fn declaration(text: &str, action: &str) -> Option<Range<usize>> {
    let tokens = tokens(text);
    let word = |at: usize| tokens.get(at).map_or("", |token| token.of(text));
    // An attribute of that name is followed by a colon.
    let begins = |at: &usize| word(*at) == "action" && !matches!(word(at + 1), ":" | "?");
    let start = (0..tokens.len()).filter(begins).find(|start| {
        let mut names =
            (start + 1..tokens.len()).map(word).take_while(|name| !matches!(*name, "in" | "appliesTo" | ";"));
        names.any(|name| name.trim_matches('"') == action)
    })?;
    let end = (start..tokens.len()).find(|at| word(*at) == ";").unwrap_or(start);
    let is_annotated = |start: usize, length: usize| start.checked_sub(length).is_some_and(|at| word(at) == "@");
    let mut first = start;
    while let Some(length) = [5, 2].into_iter().find(|length| is_annotated(first, *length)) {
        first -= length;
    }
    Some(tokens.get(first)?.span.start..tokens.get(end)?.span.end)
}

/// Where a schema names the attribute that this path ends in, as far as the records around it tell.
pub fn attribute(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let tokens = tokens(text);
    let word = |at: usize| tokens.get(at).map_or("", |token| token.of(text));
    // Two colons join the parts of a type's name.
    let is_one_colon = |at: usize| word(at) == ":" && word(at + 1) != ":";
    let (mut around, mut last, mut best) = (Vec::new(), None, None);
    for (at, token) in tokens.iter().enumerate() {
        let name = token.of(text).trim_matches('"');
        match name {
            "{" => around.push(last.take()),
            "}" => drop(around.pop()),
            "," | ";" => last = None,
            _ if token.kind != TokenKind::Sign
                && word(at.wrapping_sub(1)) != ":"
                && is_one_colon(at + 1 + usize::from(word(at + 1) == "?")) =>
            {
                last = Some(name);
                let chain: Vec<&str> = around.iter().copied().flatten().chain([name]).collect();
                if path.ends_with(&chain) && best.as_ref().is_none_or(|(length, _)| *length < chain.len()) {
                    best = Some((chain.len(), token.span.clone()));
                }
            }
            _ => {}
        }
    }
    best.map(|(_, at)| at)
}

/// What stands between the quotes of a string literal with its escapes read; what is no escape stays.
pub fn unescaped(inner: &str) -> String {
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut letters = after.chars();
        let kind = letters.next();
        let digits = match kind {
            Some('u') => letters.as_str().strip_prefix('{').and_then(|digits| digits.split_once('}')),
            Some('x') => letters.as_str().split_at_checked(2),
            _ => None,
        };
        let coded = digits.and_then(|(code, left)| Some((char::from_u32(u32::from_str_radix(code, 16).ok()?)?, left)));
        let (letter, left) = match (coded, kind) {
            (Some(coded), _) => coded,
            (None, Some('n')) => ('\n', letters.as_str()),
            (None, Some('t')) => ('\t', letters.as_str()),
            (None, Some('r')) => ('\r', letters.as_str()),
            (None, Some('0')) => ('\0', letters.as_str()),
            (None, Some(other)) => (other, letters.as_str()),
            (None, None) => ('\\', ""),
        };
        plain.push(letter);
        rest = left;
    }
    plain + rest
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

    #[test]
    fn a_text_is_found_where_it_is_no_comment() {
        let text = "// a(b);\rc; // d\n\"a(b);\" a(b);";
        let all = tokens(text);
        assert_eq!(next(&all, text, 0, "a(b);"), text.rfind("a(b);"));
        assert_eq!((next(&all, text, 0, "c;"), next(&all, text, 0, "d")), (text.find("c;"), None));
        assert_eq!(next(&all, text, text.len() - 4, "a(b);"), None);
    }

    #[test]
    fn an_attribute_stands_in_the_records_of_its_path() {
        let text = "type A = { key: { test_passed: Bool }, tests: { \"passed\"?: N::Long }, end?: { passed: Bool } };";
        let of = |path: &[&str]| attribute(text, path).map(|at| at.start);
        assert_eq!(of(&["facts", "tests", "passed"]), text.find("\"passed"));
        assert_eq!(of(&["facts", "end", "passed"]), text.rfind("passed"));
        assert_eq!((of(&["facts", "key"]), of(&["key", "passed"])), (text.find("key"), None));
    }

    #[test]
    fn escapes_are_read_as_what_they_stand_for() {
        assert_eq!(unescaped(r#"\u{67}\x68p\"\\ \u{zz}\n\x6"#), "ghp\"\\ u{zz}\nx6");
        assert_eq!(unescaped("a\\"), "a\\");
    }

    #[test]
    fn a_declaration_begins_with_its_annotations_and_ends_with_its_semicolon() {
        let text = "type T = { action: Long };\n@a(\"action b;\") @c action b, \"d e\" in [f]; action f;";
        let of = |name| declaration(text, name).map(|span| &text[span]);
        assert_eq!(of("b"), Some("@a(\"action b;\") @c action b, \"d e\" in [f];"));
        assert_eq!((of("d e"), of("f"), of("Long")), (of("b"), Some("action f;"), None));
    }
}
