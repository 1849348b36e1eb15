//! The lines of a list that people keep: which have content, and which characters may stand in them.

use crate::problem::{Problem, Problems, Source};
use std::ops::Range;

/// A part of one line, with its place in the source.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) start: usize,
    pub(super) text: &'a str,
}

impl<'a> Part<'a> {
    pub(super) fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// The part up to `at`, and the one behind it.
    pub(super) fn split(self, at: usize) -> (Self, Self) {
        let (before, behind) = self.text.split_at_checked(at).unwrap_or((self.text, ""));
        (Self { text: before, ..self }, Self { start: self.start + before.len(), text: behind })
    }

    /// The first word, which ends at a space or a tab, and the part behind it.
    pub(super) fn word(self) -> (Self, Self) {
        let part = self.trim_start();
        part.split(part.text.find(BLANKS).unwrap_or(part.text.len()))
    }

    /// The part without leading spaces and tabs.
    pub(super) fn trim_start(self) -> Self {
        self.split(self.text.len() - self.text.trim_start_matches(BLANKS).len()).1
    }
}

/// The lines of `source` that are neither empty nor comments. A line with an unsound character is a problem, wherever
/// it stands, since a reader might take it for something else than it is.
pub(super) fn contents<'a>(source: &'a Source, problems: &mut Problems) -> Vec<Part<'a>> {
    if source.text().len() > FILE_BYTES {
        let message = format!("`{}` is larger than {FILE_BYTES} bytes", source.name());
        problems.push(Problem::invalid(message).of(source).help("a list of keys that people keep is far smaller"));
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut start = 0;
    let mut said_line_ends = false;
    for full in source.text().split_inclusive('\n') {
        let text = full.strip_suffix('\n').unwrap_or(full);
        let line = Part { start, text };
        start += full.len();
        if text.len() > LINE_BYTES {
            let message = format!("the line is longer than {LINE_BYTES} bytes");
            problems
                .push(Problem::invalid(message).at(source, line.start..line.start + 1).help("is a line end missing?"));
        } else if let Some((at, character)) = text.char_indices().find(|(_, character)| is_unsound(*character)) {
            // A file from another system has this at every line end; once is enough.
            let is_line_end = character == '\r' && at + 1 == text.len();
            if !is_line_end || !std::mem::replace(&mut said_line_ends, is_line_end) {
                let at = line.start + at..line.start + at + character.len_utf8();
                problems.push(unsound(character).at(source, at).help(help(is_line_end)));
            }
        } else if !matches!(line.trim_start().text.chars().next(), None | Some('#')) {
            lines.push(line.trim_start());
        }
    }
    lines
}

fn unsound(character: char) -> Problem {
    Problem::invalid(format!("the line has the character U+{:04X}, which cannot be seen", u32::from(character)))
}

fn help(is_line_end: bool) -> &'static str {
    if is_line_end { "save the file with Unix line ends" } else { "delete it; words are separated by spaces or tabs" }
}

/// Characters that cannot be seen or that change how others are seen.
fn is_unsound(character: char) -> bool {
    let blank = character.is_whitespace() && !BLANKS.contains(&character);
    let control = character.is_control() && character != '\t';
    blank
        || control
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

const BLANKS: [char; 2] = [' ', '\t'];
const FILE_BYTES: usize = 1 << 20;
const LINE_BYTES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let source = Source::new("list", text);
        let mut problems = Problems::new();
        let lines = contents(&source, &mut problems).iter().map(|line| line.text.to_owned()).collect();
        (lines, problems.iter().map(|problem| problem.message.clone()).collect())
    }

    #[test]
    fn comments_and_empty_lines_have_no_content() {
        assert_eq!(read("# Đorđe — a\n\n \t\n  # b\n a b\nc"), (vec!["a b".to_owned(), "c".to_owned()], vec![]));
    }

    #[test]
    fn a_character_that_cannot_be_seen_is_a_problem_even_in_a_comment() {
        for character in ['\0', '\u{a0}', '\u{feff}', '\u{202e}', '\u{200b}', '\u{b}', '\u{85}', '\u{2028}', '\u{3000}']
        {
            let (lines, problems) = read(&format!("a\n# {character}\nb {character}\n"));
            assert_eq!((lines, problems.len()), (vec!["a".to_owned()], 2), "{character:?}");
        }
    }

    #[test]
    fn foreign_line_ends_are_said_once() {
        assert_eq!(read("a\r\nb\r\nc\r\n").1.len(), 1);
        assert_eq!(read("a\rb\r\nc\r\n").1.len(), 2);
    }

    #[test]
    fn a_huge_line_or_file_is_a_problem() {
        assert_eq!(read(&"x".repeat(LINE_BYTES + 1)).1.len(), 1);
        assert_eq!(read(&"# x\n".repeat(FILE_BYTES)).1.len(), 1);
    }
}
