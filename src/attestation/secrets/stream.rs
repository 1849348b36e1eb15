//! Secrets in what a program writes: looked for as it comes, masked where it is shown, counted by kind. Memory stays flat.

use super::Secrets;
use crate::digest::Digest;
use regex::bytes::Regex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What goes through it is masked line by line; a line that does not end is masked in long pieces.
///
/// Lines of nothing but digits, as base64 and hexadecimal are broken into, are held until the one after them. A value of several lines is
/// found and counted, and its first lines were shown by then. What is longer than a piece is found in its parts only.
pub struct Filter {
    searches: Vec<Search>,
    /// What came and was not given on yet.
    held: Vec<u8>,
    /// The end of what was given on, as far as a value of several lines may have begun in it.
    behind: Vec<u8>,
    most_behind: usize,
    given: u64,
    hasher: Sha256,
    length: u64,
}

/// One kind of secret.
struct Search {
    what: String,
    pattern: Regex,
    found: u64,
    /// Where the last one that was counted ends.
    until: u64,
}

/// What went through a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Sha-256 over all of it, as it came.
    pub sha256: Digest,
    /// How many bytes.
    pub length: u64,
    /// What was found in it and how many times, never the value.
    pub found: BTreeMap<String, u64>,
}

impl Secrets {
    /// A filter for the output of one program.
    pub fn filter(&self) -> Filter {
        let values = self.values.iter().map(|(name, sought)| (format!("the value of `{name}`"), &sought.search));
        let shapes = self.shapes.iter().map(|(what, shape)| ((*what).to_owned(), shape));
        let search = |(what, pattern): (String, &Regex)| Search { what, pattern: pattern.clone(), found: 0, until: 0 };
        let searches = values.chain(shapes).map(search).collect();
        let most_behind = self.values.values().map(|sought| sought.lines).max().unwrap_or_default();
        Filter {
            searches,
            held: Vec::new(),
            behind: Vec::new(),
            most_behind,
            given: 0,
            hasher: Sha256::new(),
            length: 0,
        }
    }
}

impl Filter {
    /// Takes what came, and gives what can be shown by now.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.hasher.update(bytes);
        self.length = self.length.saturating_add(bytes.len() as u64);
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => self.give(self.ready(before + at + 1)),
            None if self.held.len() > 2 * PIECE => self.give(self.held.len() - PIECE),
            None => Vec::new(),
        }
    }

    /// How much of these whole lines can be given: what may be continued by the next line is not.
    fn ready(&self, lines: usize) -> usize {
        let text = self.held.get(..lines).unwrap_or_default();
        let digits = text.split_inclusive(|byte| *byte == b'\n').rev().take_while(|line| is_of_digits(line));
        let held: usize = digits.map(<[u8]>::len).sum();
        if held > PIECE { lines } else { lines - held }
    }

    /// Gives what is still held.
    pub fn rest(&mut self) -> Vec<u8> {
        self.give(self.held.len())
    }

    /// How many secrets were found so far.
    pub fn found(&self) -> u64 {
        self.searches.iter().map(|search| search.found).sum()
    }

    /// Gives the rest, and what there is to say of all of it.
    pub fn end(mut self) -> (Vec<u8>, Written) {
        let rest = self.rest();
        let found = self.searches.into_iter().filter(|search| search.found > 0);
        let found = found.map(|search| (search.what, search.found)).collect();
        let sha256 = Digest::from_bytes(self.hasher.finalize().into());
        (rest, Written { sha256, length: self.length, found })
    }

    /// Gives on what is held up to here, or to the end of a secret that lies across it.
    fn give(&mut self, end: usize) -> Vec<u8> {
        let behind = self.behind.len();
        let mut window = std::mem::take(&mut self.behind);
        window.append(&mut self.held);
        let start = self.given.saturating_sub(behind as u64);
        let mut masks: Vec<(usize, usize, &str)> = Vec::new();
        for search in &mut self.searches {
            for hit in search.pattern.find_iter(&window) {
                if start + hit.start() as u64 >= search.until {
                    search.found = search.found.saturating_add(1);
                }
                search.until = search.until.max(start + hit.end() as u64);
                masks.push((hit.start(), hit.end(), &search.what));
            }
        }
        masks.sort_unstable();
        let (mut shown, mut at, mut end) = (Vec::new(), behind, behind + end);
        for (from, to, what) in masks {
            if to <= at || from >= end {
                continue;
            }
            shown.extend_from_slice(window.get(at..from).unwrap_or_default());
            shown.extend_from_slice(format!("[{what}, not shown]").as_bytes());
            (at, end) = (to, end.max(to));
        }
        shown.extend_from_slice(window.get(at..end).unwrap_or_default());
        self.given += (end - behind) as u64;
        self.behind = window.get(end.saturating_sub(self.most_behind)..end).unwrap_or_default().to_vec();
        self.held = window.split_off(end.min(window.len()));
        shown
    }
}

/// Whether a line is nothing but digits: long as base64 is broken, or bytes in pairs as programs show them.
fn is_of_digits(line: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    let words = line.split(|byte| byte.is_ascii_whitespace() || *byte == b':').filter(|word| !word.is_empty());
    let words: Vec<&[u8]> = words.collect();
    match words.as_slice() {
        [] => false,
        [word] => word.len() >= SHORTEST_LINE && word.iter().all(is_digit),
        pairs => pairs.len() >= SHORTEST_LINE / 4 && pairs.iter().all(|pair| is_pair(pair)),
    }
}

fn is_pair(word: &[u8]) -> bool {
    word.len() == 2 && word.iter().all(u8::is_ascii_hexdigit)
}

/// No program breaks digits into shorter lines.
const SHORTEST_LINE: usize = 32;

/// A line may be so long before it is cut.
const PIECE: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";

    fn secrets() -> Secrets {
        let value = |name: &str| match name {
            "PW" => Some("correct horse".to_owned()),
            "KEY" => Some("first line\nsecond line".to_owned()),
            _ => None,
        };
        Secrets::resolve(&["PW".to_owned(), "KEY".to_owned()], &value).unwrap()
    }

    /// What is shown of bytes that come in pieces of this size, and what is said of them; nothing is held for longer than a few pieces.
    fn through(bytes: &[u8], size: usize) -> (Vec<u8>, Written) {
        through_filter(secrets().filter(), bytes, size)
    }

    fn through_filter(mut filter: Filter, bytes: &[u8], size: usize) -> (Vec<u8>, Written) {
        let mut shown = Vec::new();
        for piece in bytes.chunks(size) {
            shown.extend(filter.take(piece));
            assert!(filter.held.len() + filter.behind.len() <= 2 * PIECE + size + 100);
        }
        let (rest, written) = filter.end();
        shown.extend(rest);
        (shown, written)
    }

    #[test]
    fn a_secret_is_masked_and_counted_once_wherever_its_pieces_are_cut() {
        let text =
            format!("a correct horse\nb correct%20horse, {TOKEN}\nfirst line\nsecond line\nno end: correct horse");
        for size in 1..text.len() + 1 {
            let (shown, written) = through(text.as_bytes(), size);
            let found: Vec<(&str, u64)> = written.found.iter().map(|(what, count)| (what.as_str(), *count)).collect();
            assert_eq!(
                found,
                [("a token of GitHub", 1), ("the value of `KEY`", 1), ("the value of `PW`", 3)],
                "{size}"
            );
            let shown = String::from_utf8(shown).unwrap();
            assert!(
                !shown.contains("horse") && !shown.contains(TOKEN) && !shown.contains("second line"),
                "{size}: {shown}"
            );
            assert_eq!(shown.matches("[the value of `PW`, not shown]").count(), 3, "{size}: {shown}");
            assert_eq!((written.sha256, written.length), (Digest::of(text.as_bytes()), text.len() as u64));
        }
    }

    /// The value in digits, as the usual programs break them.
    #[test]
    fn a_value_in_digits_that_are_broken_into_lines_is_found_whole_and_nothing_of_it_is_shown() {
        use base64ct::{Base64, Encoding as _};
        let value =
            "postgres://closer:correct-horse-battery-staple@db.internal.example:5432/billing?sslmode=verify-full"
                .repeat(2);
        let sought = Secrets::resolve(&["URL".to_owned()], &|_| Some(value.clone())).unwrap();
        let base64 = |width: usize, end: &str, indent: &str| {
            let digits = Base64::encode_string(format!("url={value}\n").as_bytes());
            let lines =
                digits.as_bytes().chunks(width).map(|line| format!("{indent}{}", std::str::from_utf8(line).unwrap()));
            lines.collect::<Vec<_>>().join(end) + end
        };
        let hex = |width: usize, between: &str, end: &str| {
            let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between);
            value.as_bytes().chunks(width).map(line).collect::<Vec<_>>().join(end) + "\n"
        };
        let forms = [
            base64(76, "\n", ""),
            base64(64, "\n", ""),
            base64(64, "\r\n", "    "),
            base64(1000, "\n", ""),
            hex(30, "", "\n"),
            hex(16, " ", "\n"),
            hex(16, " ", "\n "),
            hex(15, ":", ":\n    "),
        ];
        for form in forms {
            let text = format!("before\n{form}after\n");
            for size in [1, 7, 1000] {
                let (shown, written) = through_filter(sought.filter(), text.as_bytes(), size);
                assert_eq!(written.found.get("the value of `URL`"), Some(&1), "{text}");
                let shown = String::from_utf8(shown).unwrap();
                assert!(shown.starts_with("before\n") && shown.ends_with("after\n") && shown.len() < 120, "{shown}");
            }
        }
    }

    #[test]
    fn what_holds_no_secret_goes_through_whole_binary_and_endless_lines_included() {
        let binary: Vec<u8> = (0..=255_u8).cycle().take(3 * PIECE + 7).collect();
        let endless = vec![b'x'; 5 * PIECE + 1];
        for bytes in [&binary, &endless, &Vec::new()] {
            for size in [1000, 7001, 10 * PIECE] {
                let (shown, written) = through(bytes, size);
                assert!(shown == *bytes && written.found.is_empty(), "{size}");
            }
        }
    }

    #[test]
    fn a_secret_in_a_line_without_an_end_is_found_wherever_the_line_is_cut() {
        for before in [PIECE - 41, PIECE - 20, PIECE, 2 * PIECE - 41, 2 * PIECE - 20, 2 * PIECE - 1, 2 * PIECE + 1] {
            let text = format!("{} {TOKEN} {}", "x".repeat(before), "y".repeat(2 * PIECE));
            let (shown, written) = through(text.as_bytes(), 4000);
            assert_eq!(written.found.get("a token of GitHub"), Some(&1), "{before}");
            assert!(!String::from_utf8(shown).unwrap().contains("q7R8"), "{before}");
        }
    }
}
