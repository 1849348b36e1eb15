//! JUnit's XML: one suite a part, one case a check; a check that could not be judged is an error, never a pass.

use crate::findings::{Finding, Outcome, Review};
use crate::layout::printable;
use std::fmt::Write as _;

/// The review as one `testsuites` element.
pub fn review(review: &Review) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cutter review\">\n");
    for part in &review.parts {
        let count = |wanted: fn(&Outcome) -> bool| part.checks.iter().filter(|check| wanted(&check.outcome)).count();
        // A finding that belongs to no check by name is a failure of its own.
        let own: Vec<&Finding> = part
            .findings
            .iter()
            .filter(|finding| !part.checks.iter().any(|check| belongs(finding, &check.name)))
            .collect();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
            part.name,
            part.checks.len() + own.len(),
            count(|outcome| *outcome == Outcome::Failed) + own.len(),
            count(|outcome| matches!(outcome, Outcome::Undecided(_))),
        );
        for check in &part.checks {
            let _ = write!(text, "    <testcase classname=\"{}\" name=\"{}\"", part.name, escape(&check.name));
            match &check.outcome {
                Outcome::Held => text.push_str("/>\n"),
                Outcome::Undecided(why) => {
                    let _ = writeln!(text, "><error message=\"{}\"/></testcase>", escape(why));
                }
                Outcome::Failed => {
                    text.push('>');
                    let found = part.findings.iter().filter(|finding| belongs(finding, &check.name));
                    found.for_each(|finding| text.push_str(&failure(finding)));
                    text.push_str("</testcase>\n");
                }
            }
        }
        for finding in own {
            let name = escape(&format!("{}: {}", finding.rule.name, finding.about));
            let _ = writeln!(
                text,
                "    <testcase classname=\"{}\" name=\"{name}\">{}</testcase>",
                part.name,
                failure(finding)
            );
        }
        text.push_str("  </testsuite>\n");
    }
    for skipped in &review.skipped {
        let _ = writeln!(
            text,
            "  <testsuite name=\"skipped\" tests=\"1\" failures=\"0\" errors=\"1\"><testcase name=\"{0}\"><error message=\"{0}\"/></testcase></testsuite>",
            escape(skipped)
        );
    }
    text.push_str("</testsuites>\n");
    text
}

fn belongs(finding: &Finding, check: &str) -> bool {
    check == finding.about || check.rsplit(": ").next() == Some(&finding.about) || check == finding.rule.name
}

fn failure(finding: &Finding) -> String {
    let at = finding.place().map_or_else(String::new, |place| {
        format!("{}:{}: ", place.source.name(), place.source.position(place.span.start).0)
    });
    let message = escape(&format!("{at}{}", finding.message));
    format!("<failure type=\"{} {}\" message=\"{message}\"/>", finding.rule.number, finding.rule.name)
}

/// Text as XML takes it, in elements and attributes.
pub fn escape(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
