//! JUnit's XML: one suite a part, one case a check; a check that could not be judged is an error, never a pass, and what fails nothing is
//! told beside it.

use crate::findings::{Finding, Outcome, Review};
use crate::layout::printable;
use std::fmt::Write as _;

/// The review as one `testsuites` element.
pub fn review(review: &Review) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cutter review\">\n");
    for part in &review.parts {
        // A finding that belongs to no check by name is a case of its own.
        let own: Vec<&Finding> = part.found_elsewhere().collect();
        let failed = part.checks.iter().filter(|check| review.has_failed(part, check)).count();
        let own_failed = own.iter().filter(|finding| review.is_failing(finding)).count();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
            part.name,
            part.checks.len() + own.len(),
            failed + own_failed,
            part.checks.iter().filter(|check| matches!(check.outcome, Outcome::Undecided(_))).count(),
        );
        let told = |finding: &Finding| told(finding, review.is_failing(finding));
        for check in &part.checks {
            let _ = write!(text, "    <testcase classname=\"{}\" name=\"{}\"", part.name, escape(&check.name));
            match &check.outcome {
                Outcome::Held => text.push_str("/>\n"),
                Outcome::Undecided(why) => {
                    let _ = writeln!(text, "><error message=\"{}\"/></testcase>", escape(why));
                }
                Outcome::Failed => {
                    text.push('>');
                    part.found_of(&check.name).for_each(|finding| text.push_str(&told(finding)));
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
                told(finding)
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

/// A failure, or what was found and fails nothing.
fn told(finding: &Finding, is_failure: bool) -> String {
    let at = finding.place().map_or_else(String::new, |place| {
        format!("{}:{}: ", place.source.name(), place.source.position(place.span.start).0)
    });
    let message = escape(&format!("{at}{}", finding.message));
    let rule = format!("{} {}", finding.rule.number, finding.rule.name);
    match is_failure {
        true => format!("<failure type=\"{rule}\" message=\"{message}\"/>"),
        false => format!("<system-out>{rule}: {message}</system-out>"),
    }
}

/// Text as XML takes it, in elements and attributes.
pub fn escape(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
