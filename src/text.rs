//! Text that may come from an adversary, made safe to show.

use regex::{Captures, Regex};
use std::fmt::Write as _;
use std::sync::LazyLock;

/// User text on one line, without anything that is not seen or that moves what is: it could forge a report.
///
/// Line ends and tabs become spaces. What Unicode puts into the categories Other (control, format, private use,
/// unassigned) and line or paragraph separator, or calls default ignorable, becomes U+FFFD: among it marks that reorder
/// text, zero-width letters, the soft hyphen and tags. Source: Unicode Standard Annex 44, Unicode Technical Report 36.
pub fn printable(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let replaced = |unseen: &Captures<'_>| match unseen.get(0).map_or("", |found| found.as_str()) {
        "\n" | "\r" | "\t" => " ",
        _ => "\u{fffd}",
    };
    match &*UNSEEN {
        Some(unseen) => unseen.replace_all(text, replaced).into_owned(),
        // Without the table of categories nothing but ASCII is known to be harmless.
        None => text.chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { '\u{fffd}' }).collect(),
    }
}

/// Whether the text can be the name of a file, or a part of it, wherever it is written: ASCII letters, digits, `-`, `_` and `.`, not first.
pub fn is_file_name(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    !text.is_empty() && !text.starts_with('.') && text.chars().all(is_plain)
}

/// Where the first group of the only match of a pattern stands; what is there twice, or not at all, is not known.
pub fn only_match(pattern: &str, text: &str) -> Result<std::ops::Range<usize>, &'static str> {
    let regex = Regex::new(pattern).map_err(|_| "the pattern is not a valid regular expression")?;
    let mut matches = regex.captures_iter(text);
    match (matches.next(), matches.next()) {
        (Some(found), None) => Ok(found.get(1).or_else(|| found.get(0)).map(|group| group.range()).unwrap_or_default()),
        (None, _) => Err("the pattern matches nowhere"),
        (Some(_), Some(_)) => Err("the pattern matches more than once"),
    }
}

/// The same for text of several lines, whose line ends stay.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// JSON in which what [`printable`] would replace is escaped instead, so that nothing is lost.
pub fn escaped_json(text: String) -> String {
    if printable_lines(&text) == text {
        return text;
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        let mut bytes = [0; 4];
        let seen: &str = letter.encode_utf8(&mut bytes);
        if letter == '\n' || printable(seen) == seen {
            escaped.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// What has no letter of its own, and three symbols that are blank: of Braille, of an object, and of music.
static UNSEEN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u{2800}\u{fffc}\u{1d159}]").ok());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_what_is_not_seen_as_escapes() {
        let text = "{\n  \"a\": \"\u{202e}\u{e0041}é名\"\n}".to_owned();
        let escaped = escaped_json(text.clone());
        assert_eq!(escaped, "{\n  \"a\": \"\\u202e\\udb40\\udc41é名\"\n}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&escaped), read(&text));
    }

    #[test]
    fn what_is_not_seen_or_moves_text_is_replaced() {
        for unseen in [
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{2060}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e000}',
            '\u{e0041}',
        ] {
            assert_eq!(printable(&format!("a{unseen}b")), "a\u{fffd}b", "U+{:04X}", u32::from(unseen));
        }
    }

    #[test]
    fn what_people_write_stays_and_lines_become_one() {
        assert_eq!(printable("Đã duyệt\tmột\r\ncông việc — “ok” 日本 🙂"), "Đã duyệt một  công việc — “ok” 日本 🙂");
    }
}
