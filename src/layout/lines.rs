//! Lines of aligned cells, for results that are read at a glance: one line a row, names cut in the middle, words never broken.

use super::Style;
use crate::text::printable;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How loudly a cell speaks; without colour all sound alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// As text.
    Plain,
    /// What is fine: green.
    Good,
    /// What must be seen: bold red.
    Bad,
    /// What needs somebody: yellow.
    Open,
    /// What waits or matters least: dim.
    Dim,
    /// What stands above others: bold.
    Bold,
}

/// One cell; its text is made printable here.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
    /// The bytes at the beginning that stay whole where the rest is cut in the middle.
    kept: usize,
}

/// How a column gives way where the terminal is too narrow for all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// Never.
    Whole,
    /// It is cut in the middle, so that both ends of a name stay readable.
    Middle,
    /// It ends after the last word that fits, and `…`.
    End,
    /// Its words go on in further lines below; a last column only.
    Words,
}

/// Rows whose columns stand under each other.
#[derive(Debug)]
pub struct Lines {
    fits: Vec<Fit>,
    rows: Vec<Vec<Cell>>,
}

impl Cell {
    /// Text as it is.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    /// Text that speaks in this tone.
    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: printable(text.as_ref()), tone, kept: 0 }
    }

    /// Words that stay whole as long as there is room, then a name.
    pub fn named(words: &str, name: &str, tone: Tone) -> Self {
        let words = printable(words) + " ";
        Self { text: format!("{words}{}", printable(name)), tone, kept: words.len() }
    }

    /// The text cut in the middle, behind what stays whole.
    fn cut(&self, width: usize) -> String {
        let (words, name) = self.text.split_at_checked(self.kept).unwrap_or(("", &self.text));
        match width.checked_sub(words.width()).filter(|room| *room >= LEAST_NAME / 2) {
            Some(room) => format!("{words}{}", middle(name, room)),
            None => middle(&self.text, width),
        }
    }
}

impl Lines {
    /// No rows yet, of columns that give way like this.
    pub fn new(fits: impl Into<Vec<Fit>>) -> Self {
        Self { fits: fits.into(), rows: Vec::new() }
    }

    /// Adds a row; cells left out at its end are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// All rows as text, each ended; no line is wider than the terminal unless a column that never gives way is.
    pub fn text(&self, style: Style) -> String {
        let widths = self.widths(usize::from(style.width));
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            let (mut at, mut further) = (0, Vec::new());
            for (index, cell) in row.iter().enumerate() {
                let width = widths.get(index).copied().unwrap_or_default();
                let fit = self.fits.get(index).copied().unwrap_or(Fit::Whole);
                let shown = match fit {
                    Fit::Whole => cell.text.clone(),
                    Fit::Middle => cell.cut(width),
                    Fit::End => end(&cell.text, width),
                    Fit::Words => {
                        let mut folded = fold(&cell.text, width).into_iter();
                        let first = folded.next().unwrap_or_default();
                        further = folded.map(|words| (at, words, cell.tone)).collect();
                        first
                    }
                };
                line.push_str(&paint(&shown, cell.tone, style));
                if index + 1 < row.len() {
                    line.push_str(&" ".repeat(width.saturating_sub(shown.width()) + GAP));
                }
                at += width + GAP;
            }
            text.push_str(line.trim_end());
            text.push('\n');
            for (indent, words, tone) in further {
                text.push_str(&" ".repeat(indent));
                text.push_str(&paint(&words, tone, style));
                text.push('\n');
            }
        }
        text
    }

    /// How wide each column is: as its widest cell, less what must give way, the widest first.
    fn widths(&self, available: usize) -> Vec<usize> {
        let mut widths = vec![0; self.rows.iter().map(Vec::len).max().unwrap_or_default()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        loop {
            // A column that is empty in every row takes no room but its gap.
            let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let excess = total.saturating_sub(available);
            let least = |index: usize| match self.fits.get(index) {
                Some(Fit::Middle) => Some(LEAST_NAME),
                Some(Fit::Words | Fit::End) => Some(LEAST_WORDS),
                _ => None,
            };
            let mut giving: Vec<(usize, usize)> = widths
                .iter()
                .enumerate()
                .filter_map(|(index, width)| least(index).filter(|least| least < width).map(|_| (*width, index)))
                .collect();
            giving.sort_unstable();
            let Some((width, index)) = giving.pop().filter(|_| excess > 0) else { return widths };
            // The widest gives way down to the next widest, then both do.
            let next = giving.last().map_or(0, |(next, _)| *next);
            let target = (width - excess.min(width)).max(next.min(width - 1)).max(least(index).unwrap_or_default());
            if let Some(narrowed) = widths.get_mut(index) {
                *narrowed = target;
            }
        }
    }
}

/// What a command comes to, in one line: its name, the result in its tone, and what belongs to it.
pub fn head(command: &str, result: &str, tone: Tone, rest: &str, style: Style) -> String {
    let last = if rest.is_empty() { vec![] } else { vec![Cell::new(rest)] };
    let fits = if rest.is_empty() { vec![Fit::Whole, Fit::Words] } else { vec![Fit::Whole, Fit::Whole, Fit::Words] };
    let mut lines = Lines::new(fits);
    lines.row([Cell::new(command), Cell::toned(result, tone)].into_iter().chain(last));
    lines.text(style)
}

/// Cells after each other, in further lines below where they do not fit; one that is wider than a line is cut.
pub fn flow(cells: &[Cell], indent: usize, style: Style) -> String {
    let available = usize::from(style.width);
    let (mut text, mut at) = (String::new(), 0);
    for cell in cells.iter().filter(|cell| !cell.text.is_empty()) {
        let shown = cell.cut(available.saturating_sub(indent).max(LEAST_NAME));
        if at > 0 && at + GAP + shown.width() > available {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            at = indent;
        } else if at > 0 {
            text.push_str(&" ".repeat(GAP));
            at += GAP;
        }
        at += shown.width();
        text.push_str(&paint(&shown, cell.tone, style));
    }
    text.push('\n');
    text
}

/// Text in a tone, where colour is wanted.
pub fn paint(text: &str, tone: Tone, style: Style) -> String {
    let code = match tone {
        Tone::Plain => "",
        Tone::Good => "32",
        Tone::Bad => "1;31",
        Tone::Open => "33",
        Tone::Dim => "2",
        Tone::Bold => "1",
    };
    match style.color && !code.is_empty() && !text.is_empty() {
        true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

/// A name of at most so many columns, both ends kept: `/var/lib/…/runner.py`.
pub fn middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    // The end of a name tells more than its beginning.
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept / 2, kept - kept / 2);
    let taken = |letters: &mut dyn Iterator<Item = char>, room: usize| -> Vec<char> {
        let mut used = 0;
        letters
            .take_while(|letter| {
                used += letter.width().unwrap_or_default();
                used <= room
            })
            .collect()
    };
    let front = taken(&mut text.chars(), head);
    let back = taken(&mut text.chars().rev(), tail);
    front.into_iter().chain(['…']).chain(back.into_iter().rev()).collect()
}

/// As many whole words as fit, then `…`.
fn end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let first = text.split_whitespace().next().unwrap_or_default();
    match fold(text, width.saturating_sub(1)).into_iter().next().filter(|_| first.width() < width) {
        Some(words) => words + "…",
        None => middle(text, width),
    }
}

/// Lines of whole words; a word that is wider than a line has one of its own, and is cut in the middle.
pub fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.width() + 1 + word.width() <= width) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(middle(word, width)),
        }
    }
    lines
}

/// Columns between two cells.
const GAP: usize = 2;

/// A name is not cut below this.
const LEAST_NAME: usize = 12;

/// Words are not folded below this.
const LEAST_WORDS: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Style = Style { width: 40, color: false };

    #[test]
    fn a_name_that_does_not_fit_keeps_both_ends() {
        assert_eq!(middle("/var/lib/builder/make_release.py", 20), "/var/lib/…release.py");
        assert_eq!(middle("short", 20), "short");
    }

    #[test]
    fn the_words_before_a_name_are_not_cut_as_long_as_there_is_room() {
        let cell = Cell::named("upload_file", "/var/lib/builder/make_release.py", Tone::Plain);
        assert_eq!(cell.cut(30), "upload_file /var/lib…elease.py");
        assert_eq!(cell.cut(14), "upload…ease.py");
    }

    #[test]
    fn a_sentence_that_does_not_fit_ends_after_a_word() {
        assert_eq!(end("Let a trainee touch the production", 20), "Let a trainee touch…");
        assert_eq!(end("Unbreakably-long-name of a thing", 12), "Unbre… thing");
    }

    #[test]
    fn words_go_on_below_their_own_column_and_are_never_broken() {
        let mut lines = Lines::new([Fit::Whole, Fit::Words]);
        lines.row([Cell::new("DENY"), Cell::new("an approval is missing and nothing else stands in the way")]);
        assert_eq!(lines.text(NARROW), "DENY  an approval is missing and nothing\n      else stands in the way\n");
    }

    #[test]
    fn the_widest_column_gives_way_first_and_no_line_is_too_wide() {
        let mut lines = Lines::new([Fit::Whole, Fit::Middle, Fit::Middle]);
        lines.row([Cell::new("ok"), Cell::new("write-release-script"), Cell::new("/var/lib/builder/make_release.py")]);
        lines.row([Cell::new("ok"), Cell::new("a"), Cell::new("b")]);
        let text = lines.text(NARROW);
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        assert!(text.contains("lease.py") && text.contains("ok  write-"), "{text}");
    }

    #[test]
    fn cells_that_flow_go_on_below_and_none_is_too_wide() {
        let cells =
            ["authorize", "READY", "a-plan-of-a-name-that-no-line-has-room-for (live)", "6 allow"].map(Cell::new);
        let text = flow(&cells, 4, NARROW);
        assert_eq!(text, "authorize  READY\n    a-plan-of-a-name-…as-room-for (live)\n    6 allow\n");
    }

    #[test]
    fn colour_changes_no_width() {
        let mut lines = Lines::new([Fit::Whole, Fit::Whole]);
        lines.row([Cell::toned("DENY", Tone::Bad), Cell::new("x")]);
        assert_eq!(lines.text(Style { color: true, ..NARROW }), "\u{1b}[1;31mDENY\u{1b}[0m  x\n");
    }
}
