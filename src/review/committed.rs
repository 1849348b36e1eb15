//! The matrix as the policies give it now against the one that was committed.

use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::problem::Source;

/// The table against the committed one.
pub fn compare(text: &str, golden: &Source) -> Part {
    let same = text.split_inclusive('\n').zip(golden.text().split_inclusive('\n')).take_while(|(a, b)| a == b);
    let start: usize = same.map(|(line, _)| line.len()).sum();
    let mut part = Part { name: "matrix", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    let equal = text == golden.text();
    if !equal {
        let line =
            |text: &str| text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("nothing more").to_owned();
        let end = start + golden.text().get(start..).map_or(0, |rest| rest.find('\n').unwrap_or(rest.len()));
        let message = format!(
            "{}the table has `{}` where the policies now give `{}`",
            heading(golden.text().get(..start).unwrap_or_default(), line(golden.text()).starts_with(' ')),
            line(golden.text()).trim(),
            line(text).trim()
        );
        part.findings.push(
            Finding::new(&rules::MATRIX_DIFFERS, golden.name(), message).at(Place::new(golden, start..end)).help(
                format!("read the difference; if it is meant, run `cutter review matrix --output {}`", golden.name()),
            ),
        );
    }
    let outcome = if equal { Outcome::Held } else { Outcome::Failed };
    part.checks.push(Check { name: golden.name().to_owned(), outcome });
    part.summary =
        format!("{} lines, {}", text.lines().count(), if equal { "as committed" } else { "not as committed" });
    part
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
