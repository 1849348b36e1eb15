//! Who may do what, for people: a table where it fits, else rows with those who may. The file that is committed has one form
//! of its own, in which a change of one cell is a difference of one line.

use crate::layout::lines::{Tone, fold, paint};
use crate::layout::{Style, printable};
use crate::review::matrix::{Cell, Column, Matrix, MatrixRow};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr as _;

/// The form that is committed: the same on every screen.
pub fn file(matrix: &Matrix) -> String {
    let mut text = HEAD.to_owned();
    for (mode, rows) in &matrix.modes {
        let _ = writeln!(text, "\n== {mode}");
        for row in rows.iter().filter(|row| !row.is_for_nobody()) {
            let _ = writeln!(text, "{} (by {})", what(row), kinds(matrix, row).join(", "));
            for (cell, names) in who(matrix, row) {
                let _ = writeln!(text, "  {:<USUAL_WIDTH$}  {names}", word(&cell));
            }
        }
        let _ = writeln!(text, "\nnobody:");
        for row in rows.iter().filter(|row| row.is_for_nobody()) {
            let _ = writeln!(text, "  {}", what(row));
        }
    }
    text.push_str("\n== who\n");
    for column in &matrix.columns {
        let _ = writeln!(text, "{}: {}", printable(&column.label), legend(column));
    }
    for (name, lines) in &matrix.register {
        let _ = writeln!(text, "\n== {name}");
        for line in lines {
            let _ = writeln!(text, "{}", printable(line));
        }
    }
    text
}

/// The form for a terminal: as a table if it is wide enough.
pub fn terminal(matrix: &Matrix, style: Style) -> String {
    let mut text = String::new();
    for (mode, rows) in &matrix.modes {
        let (nobody, rows): (Vec<&MatrixRow>, Vec<&MatrixRow>) = rows.iter().partition(|row| row.is_for_nobody());
        let _ = writeln!(text, "{}", paint(&format!("== {mode}"), Tone::Bold, style));
        text.push_str(&table(matrix, &rows, style).unwrap_or_else(|| list(matrix, &rows, style)));
        let all: Vec<String> = nobody.iter().map(|row| what(row)).collect();
        text.push_str(&folded("nobody", &all.join(", "), Tone::Dim, style));
        text.push('\n');
    }
    let _ = writeln!(text, "{}", paint("== who", Tone::Bold, style));
    for column in &matrix.columns {
        text.push_str(&folded(&printable(&column.label), &legend(column), Tone::Plain, style));
    }
    let meaning = "yes: allowed. A+B: allowed once these gates are open. -: denied. blank: makes no request. \
                   Preconditions are set aside, the plan has its turn-off";
    text.push('\n');
    text.push_str(&folded("", meaning, Tone::Dim, style));
    text
}

/// One line a row and one column for each principal; `None` where that is wider than the terminal.
fn table(matrix: &Matrix, rows: &[&MatrixRow], style: Style) -> Option<String> {
    let labels: Vec<String> = matrix.columns.iter().map(|column| printable(&column.label)).collect();
    let widths: Vec<usize> = labels
        .iter()
        .enumerate()
        .map(|(at, label)| {
            let cells = rows.iter().filter_map(|row| row.cells.get(at));
            cells.map(|cell| word(cell).width()).max().unwrap_or_default().max(label.width())
        })
        .collect();
    let taken: usize = widths.iter().map(|width| width + GAP).sum();
    let wanted = rows.iter().map(|row| what(row).width()).max().unwrap_or_default();
    let first = wanted.min(usize::from(style.width).checked_sub(taken)?);
    // What is done must stay readable: its words may go on below, and are never broken.
    let words = rows.iter().flat_map(|row| what(row).split(' ').map(str::width).collect::<Vec<_>>()).max();
    if first < words.unwrap_or_default().max(LEAST_WHAT).min(wanted) {
        return None;
    }
    let line = |what: &str, cells: &mut dyn Iterator<Item = (String, Tone)>| {
        let mut line = format!("{what}{}", " ".repeat(first.saturating_sub(what.width())));
        for ((cell, tone), width) in cells.zip(&widths) {
            let _ = write!(line, "{}{}", " ".repeat(GAP), paint(&cell, tone, style));
            line.push_str(&" ".repeat(width.saturating_sub(cell.width())));
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line("", &mut labels.iter().map(|label| (label.clone(), Tone::Bold)));
    for row in rows {
        let mut words = fold(&what(row), first).into_iter();
        let cells = &mut row.cells.iter().map(|cell| (word(cell), tone(cell)));
        text.push_str(&line(&words.next().unwrap_or_default(), cells));
        words.for_each(|further| text.push_str(&format!("  {further}\n")));
    }
    Some(text)
}

/// Each row with those who may, on one line where it is short enough.
fn list(matrix: &Matrix, rows: &[&MatrixRow], style: Style) -> String {
    let width = usize::from(style.width);
    let first = rows.iter().map(|row| what(row).width()).filter(|width| *width <= MOST_WHAT).max().unwrap_or_default();
    let cells = rows.iter().flat_map(|row| &row.cells).map(|cell| word(cell).width()).max().unwrap_or_default();
    let indent = first + cells + 2 * GAP;
    let mut text = String::new();
    for row in rows {
        let mut before = what(row);
        if before.width() > first {
            for (at, line) in fold(&before, width.saturating_sub(2)).into_iter().enumerate() {
                let _ = writeln!(text, "{}{line}", if at == 0 { "" } else { "  " });
            }
            before.clear();
        }
        for (cell, names) in who(matrix, row) {
            let names = fold(&names, width.saturating_sub(indent)).join(&format!("\n{}", " ".repeat(indent)));
            let (said, tone) = (word(&cell), tone(&cell));
            let blank = " ".repeat(cells.saturating_sub(said.width()) + GAP);
            let _ = writeln!(text, "{before:<first$}  {}{blank}{names}", paint(&said, tone, style));
            before.clear();
        }
    }
    text
}

/// A name, and words that go on below each other beside it.
fn folded(name: &str, words: &str, tone: Tone, style: Style) -> String {
    let indent = if name.is_empty() { 0 } else { name.width().max(USUAL_WIDTH) + GAP };
    let mut text = String::new();
    for (at, line) in fold(words, usize::from(style.width).saturating_sub(indent)).into_iter().enumerate() {
        let before = if at == 0 { name } else { "" };
        let blank = " ".repeat(indent.saturating_sub(before.width()));
        let _ = writeln!(text, "{before}{blank}{}", paint(&line, tone, style));
    }
    text
}

/// Those who may do what the row says, under what; `everybody` are all who can make such a request.
fn who(matrix: &Matrix, row: &MatrixRow) -> Vec<(Cell, String)> {
    let mut names: BTreeMap<&Cell, Vec<String>> = BTreeMap::new();
    for (cell, column) in row.cells.iter().zip(&matrix.columns).filter(|(cell, _)| **cell != Cell::NoRequest) {
        names.entry(cell).or_default().push(printable(&column.label));
    }
    let is_only = names.len() == 1;
    names.remove(&Cell::Denied);
    let said = |names: Vec<String>| if is_only && names.len() > 1 { "everybody".to_owned() } else { names.join(", ") };
    names.into_iter().map(|(cell, names)| (cell.clone(), said(names))).collect()
}

/// The types of principals that can make such a request.
fn kinds(matrix: &Matrix, row: &MatrixRow) -> Vec<String> {
    let columns = row.cells.iter().zip(&matrix.columns).filter(|(cell, _)| **cell != Cell::NoRequest);
    let kinds: BTreeSet<String> = columns.map(|(_, column)| column.kind.clone()).collect();
    kinds.into_iter().collect()
}

fn legend(column: &Column) -> String {
    let groups = if column.groups.is_empty() { "no group".to_owned() } else { column.groups.join(", ") };
    let same = match column.names.as_slice() {
        [_] => String::new(),
        names => format!("; stands for {}", names.join(", ")),
    };
    printable(&format!("{} in {groups}{same}", column.kind))
}

fn what(row: &MatrixRow) -> String {
    let of = row.of.iter().map(|name| format!(" {name}"));
    printable(&format!("{}{}", row.what, of.collect::<String>()))
}

fn word(cell: &Cell) -> String {
    match cell {
        Cell::NoRequest => String::new(),
        Cell::Denied => "-".to_owned(),
        Cell::Allowed => "yes".to_owned(),
        Cell::Needs(gates) => printable(&gates.iter().map(String::as_str).collect::<Vec<_>>().join("+")),
        Cell::Error => "error".to_owned(),
    }
}

fn tone(cell: &Cell) -> Tone {
    match cell {
        Cell::NoRequest | Cell::Denied => Tone::Dim,
        Cell::Allowed => Tone::Good,
        Cell::Needs(_) => Tone::Open,
        Cell::Error => Tone::Bad,
    }
}

/// Columns between two cells.
const GAP: usize = 2;

/// Room for most cells.
const USUAL_WIDTH: usize = 11;

/// What is done stands beside those who may do it up to this width.
const MOST_WHAT: usize = 36;

/// What is done is not folded below this.
const LEAST_WHAT: usize = 34;

const HEAD: &str = "\
# Who may do what, by the policies alone: preconditions are set aside, the plan has its turn-off.
# yes: allowed. A+B: allowed once these gates are open. Whoever is not named is denied.
# (by ...): the types of principal that can make such a request. A name with a star stands for several, listed last.
# `cutter review matrix --check FILE` compares; `cutter review matrix --output FILE` rewrites it.
";
