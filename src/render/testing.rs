//! What became of cases: for terminals, as JUnit's XML, and as GitHub's annotations. A case that failed is always shown.

use super::review::github;
use super::review::junit::escape as xml;
use crate::layout::entries::{Entry, entries};
use crate::layout::lines::{Tone, head};
use crate::layout::{Style, printable};
use crate::testing::{CaseResult, Decider, Report};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The report for people: the result first, then each case that failed with what decided it.
pub fn table(report: &Report, style: Style) -> String {
    let files: BTreeSet<&str> = report.cases.iter().map(|case| case.file.as_str()).collect();
    let (result, tone) = match (report.failed, report.passed) {
        (0, 0) => ("NOTHING TO TEST", Tone::Open),
        (0, _) => ("PASSED", Tone::Good),
        _ => ("FAILED", Tone::Bad),
    };
    let rest = format!(
        "{} of {} cases hold, in {} {}",
        report.passed,
        report.cases.len(),
        files.len(),
        if files.len() == 1 { "file" } else { "files" }
    );
    let mut text = head("test", result, tone, &rest, style);
    let failed = report.cases.iter().filter(|case| !case.passed);
    let failed: Vec<Entry> = failed
        .map(|case| Entry::new("FAILED", Tone::Bad, &format!("{}:{}", case.file, case.line), told(case)))
        .collect();
    text.push_str(&entries(&failed, style));
    text
}

/// What is to be said of a case that failed, a line each.
fn told(case: &CaseResult) -> Vec<String> {
    let mut lines = vec![case.name.clone()];
    lines.extend(case.differences.iter().cloned());
    for Decider { id, place, facts } in &case.decided_by {
        lines.push(format!("decided by {id} ({place})"));
        // A record that is looked into is shown by what was looked at in it.
        let is_whole = |path: &str| facts.iter().all(|other| !other.path.starts_with(&format!("{path}.")));
        let whole = facts.iter().filter(|fact| is_whole(&fact.path));
        lines.extend(whole.map(|fact| format!("  {} is {}", fact.path, fact.value)));
    }
    lines
}

/// The report as one `testsuites` element: one suite a file.
pub fn junit(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cutter test\">\n");
    let files: BTreeSet<&str> = report.cases.iter().map(|case| case.file.as_str()).collect();
    for file in files {
        let cases: Vec<&CaseResult> = report.cases.iter().filter(|case| case.file == file).collect();
        let failures = cases.iter().filter(|case| !case.passed).count();
        let name = xml(file);
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">",
            cases.len()
        );
        for case in cases {
            let _ = write!(text, "    <testcase classname=\"{name}\" name=\"{}\"", xml(&case.name));
            match case.passed {
                true => text.push_str("/>\n"),
                false => {
                    let message = xml(&told(case).split_off(1).join("; "));
                    let _ = writeln!(text, "><failure message=\"{message}\"/></testcase>");
                }
            }
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// One annotation for each case that failed, and one line for all.
pub fn annotations(report: &Report) -> String {
    let mut text = String::new();
    for case in report.cases.iter().filter(|case| !case.passed) {
        let file = github::escape(&case.file, true);
        let message = github::escape(&told(case).join("; "), false);
        let _ = writeln!(text, "::error file={file},line={},title=cutter test::{message}", case.line);
    }
    let _ = writeln!(text, "test: {}", printable(&format!("{} passed, {} failed", report.passed, report.failed)));
    text
}
