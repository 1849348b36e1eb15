//! The matrix as the policies give it now against the one that was committed.

use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::problem::Source;
use std::ops::Range;

/// The table against the committed one: a finding for each place where they differ.
pub fn compare(text: &str, golden: &Source) -> Part {
    let mut part = Part { name: "matrix", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    // What is not seen is no line of its own: it is named below.
    let seen = golden.text().strip_prefix('\u{feff}').unwrap_or(golden.text());
    let (was, is): (Vec<&str>, Vec<&str>) = (seen.lines().collect(), text.lines().collect());
    let hunks = hunks(&was, &is);
    let starts: Vec<usize> = std::iter::once(0)
        .chain(golden.text().split_inclusive('\n').scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        }))
        .collect();
    let is_equal = hunks.is_empty() && text == golden.text();
    let more = hunks.len().saturating_sub(MOST_SHOWN);
    for hunk in hunks.iter().take(MOST_SHOWN) {
        let start = starts.get(hunk.was.start).copied().unwrap_or(golden.text().len());
        let above = golden.text().get(..start).unwrap_or_default();
        let side = |lines: &[&str], range: &Range<usize>| -> Vec<String> {
            let lines = lines.get(range.clone()).unwrap_or_default();
            lines.iter().filter(|line| !line.trim().is_empty()).map(|line| format!("`{}`", line.trim())).collect()
        };
        let (old, new) = (side(&was, &hunk.was), side(&is, &hunk.is));
        let first = was.get(hunk.was.start).or(is.get(hunk.is.start)).is_some_and(|line| line.starts_with(' '));
        let what = match (old.as_slice(), new.as_slice()) {
            (old, []) => format!("the table has {}, which the policies do not give", shortened(old)),
            ([], new) => format!("the policies give {}, which the table does not have", shortened(new)),
            (old, new) => format!("the table has {} where the policies now give {}", shortened(old), shortened(new)),
        };
        let end = starts.get(hunk.was.end).copied().unwrap_or(golden.text().len()).max(start);
        let message = format!("{}{what}", heading(above, first));
        part.findings.push(
            Finding::new(&rules::MATRIX_DIFFERS, golden.name(), message).at(Place::new(golden, start..end)).help(
                format!("read the difference; if it is meant, run `cutter review matrix --output {}`", golden.name()),
            ),
        );
    }
    if let (true, Some(last)) = (more > 0, part.findings.last_mut()) {
        last.message = format!("{}; it differs in {more} more places", last.message);
    }
    if !is_equal && hunks.is_empty() {
        let carriage = golden.text().find('\r');
        let (message, at) = match carriage {
            _ if seen != golden.text() => ("it begins with a byte order mark, and is the table otherwise", 0),
            Some(at) => ("its lines end in CRLF, as a checkout with `core.autocrlf` writes them", at),
            None => ("the table ends otherwise: one of the two lacks its last line end", golden.text().len()),
        };
        let finding = Finding::new(&rules::MATRIX_DIFFERS, golden.name(), message).at(Place::new(golden, at..at));
        part.findings.push(finding.help("run `cutter review --fix`"));
    }
    let outcome = if is_equal { Outcome::Held } else { Outcome::Failed };
    part.checks.push(Check { name: golden.name().to_owned(), outcome });
    part.summary = format!("{} lines, {}", is.len(), if is_equal { "as committed" } else { "not as committed" });
    part
}

/// Lines of the one table that stand where other lines of the other do.
struct Hunk {
    was: Range<usize>,
    is: Range<usize>,
}

/// Where two tables differ, by the longest sequence of lines that both have.
fn hunks(was: &[&str], is: &[&str]) -> Vec<Hunk> {
    let same = was.iter().zip(is).take_while(|(a, b)| a == b).count();
    let (was, is) = (was.get(same..).unwrap_or_default(), is.get(same..).unwrap_or_default());
    if was.len().saturating_mul(is.len()) > MOST_COMPARED {
        return vec![Hunk { was: same..same + was.len(), is: same..same + is.len() }];
    }
    let width = is.len() + 1;
    let mut longest = vec![0_u32; (was.len() + 1) * width];
    let at = |longest: &[u32], a: usize, b: usize| longest.get(a * width + b).copied().unwrap_or(0);
    for (a, old) in was.iter().enumerate().rev() {
        for (b, new) in is.iter().enumerate().rev() {
            let best = match old == new {
                true => at(&longest, a + 1, b + 1) + 1,
                false => at(&longest, a + 1, b).max(at(&longest, a, b + 1)),
            };
            longest.get_mut(a * width + b).into_iter().for_each(|place| *place = best);
        }
    }
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < was.len() || b < is.len() {
        if was.get(a).is_some_and(|old| Some(old) == is.get(b)) {
            (a, b) = (a + 1, b + 1);
            continue;
        }
        let open = hunks.last_mut().filter(|hunk| hunk.was.end == same + a && hunk.is.end == same + b);
        let down = a < was.len() && (b >= is.len() || at(&longest, a + 1, b) >= at(&longest, a, b + 1));
        let (next_a, next_b) = if down { (a + 1, b) } else { (a, b + 1) };
        match open {
            Some(hunk) => (hunk.was.end, hunk.is.end) = (same + next_a, same + next_b),
            None => hunks.push(Hunk { was: same + a..same + next_a, is: same + b..same + next_b }),
        }
        (a, b) = (next_a, next_b);
    }
    hunks
}

/// Some of the lines, and how many more there are.
fn shortened(lines: &[String]) -> String {
    let shown = lines.get(..lines.len().min(MOST_LINES)).unwrap_or_default().join(", ");
    match lines.len().saturating_sub(MOST_LINES) {
        0 => shown,
        more => format!("{shown} and {more} more lines"),
    }
}

/// Under what a line of the table stands, by the text above it: its mode, and its row where it is not one itself.
fn heading(above: &str, is_indented: bool) -> String {
    let last = |wanted: &dyn Fn(&str) -> bool| above.lines().rev().find(|line| wanted(line));
    let mode = last(&|line| line.starts_with("== ")).map(|line| line.trim_start_matches("== "));
    let row = last(&|line| !line.starts_with([' ', '#', '=']) && !line.is_empty()).filter(|_| is_indented);
    match (mode, row) {
        (Some(mode), Some(row)) => format!("under `{row}` of {mode} "),
        (Some(mode), None) => format!("in {mode} "),
        _ => String::new(),
    }
}

/// How many differences are told one by one.
const MOST_SHOWN: usize = 20;
/// How many lines of a difference are told.
const MOST_LINES: usize = 4;
/// Beyond so many pairs of lines, all that follows the first difference is one.
const MOST_COMPARED: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_named_by_what_it_is() {
        let table = "== live\na (by x)\n  yes  p\n";
        for (golden, said) in [
            (table.to_owned(), None),
            (table.replace('\n', "\r\n"), Some("CRLF")),
            (format!("\u{feff}{table}"), Some("byte order mark")),
            (table.trim_end().to_owned(), Some("last line end")),
        ] {
            let part = compare(table, &Source::new("matrix.txt", golden.as_str()));
            let messages: Vec<&str> = part.findings.iter().map(|finding| finding.message.as_str()).collect();
            assert_eq!(messages.len(), usize::from(said.is_some()), "{golden:?}: {messages:?}");
            assert!(said.is_none_or(|said| messages[0].contains(said)), "{golden:?}: {messages:?}");
        }
    }

    #[test]
    fn each_line_is_held_against_the_one_that_took_its_place() {
        let golden = Source::new("matrix.txt", "== live\na (by x)\n  yes  p\nb (by x)\n  yes  q\nc\n");
        let part = compare("== live\na (by x)\n  yes  r\nb (by x)\n  yes  q\n", &golden);
        let said: Vec<&str> = part.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "under `a (by x)` of live the table has `yes  p` where the policies now give `yes  r`",
                "in live the table has `c`, which the policies do not give",
            ]
        );
    }
}
