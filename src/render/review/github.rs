//! GitHub's workflow commands: one annotation a finding, shown at its line in a pull request.

use super::region;
use crate::findings::Review;
use crate::findings::rule::Severity;
use crate::layout::printable;

/// One line a finding, and one for what follows.
pub fn review(review: &Review) -> String {
    let mut text = String::new();
    for finding in review.findings() {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut properties = Vec::new();
        if let Some(place) = finding.place() {
            let ((line, column), (end_line, _)) = region(place);
            properties.push(format!("file={}", escape(place.source.name(), true)));
            properties.push(format!("line={line},endLine={end_line},col={column}"));
        }
        properties.push(format!("title={}", escape(&format!("{} {}", finding.rule.number, finding.rule.name), true)));
        let mut message = format!("{}: {}", finding.about, finding.message);
        if let Some(help) = &finding.help {
            message = format!("{message}; help: {help}");
        }
        text.push_str(&format!("::{command} {}::{}\n", properties.join(","), escape(&message, false)));
    }
    for (part, name, why) in review.undecided() {
        text.push_str(&format!("::error title=undecided::{}\n", escape(&format!("{part}: {name}: {why}"), false)));
    }
    for skipped in &review.skipped {
        text.push_str(&format!("::error title=skipped::{}\n", escape(skipped, false)));
    }
    text.push_str(&format!("review: {}\n", printable(&review.next_step())));
    text
}

/// What GitHub would read as syntax; in properties, commas and colons, too.
pub fn escape(text: &str, property: bool) -> String {
    let text = printable(text).replace('%', "%25");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}
