//! The Markdown face of a review, for the summary of a pull request.

use crate::findings::Review;
use crate::layout::escape;
use std::fmt::Write as _;

/// What it comes to, what each part did, and a table of every finding, the gravest first.
pub fn review(review: &Review) -> String {
    let mut text = String::from("# Policy review\n\n");
    let _ = writeln!(text, "**{}**\n", escape(&format!("{}: {}", review.name(), review.headline())));
    for part in &review.parts {
        let _ = writeln!(text, "- {}: {}", part.name, escape(&part.summary));
    }
    for skipped in &review.skipped {
        let _ = writeln!(text, "- skipped: {}", escape(skipped));
    }
    for (part, name, why) in review.undecided() {
        let _ = writeln!(text, "- undecided in {part}: {}: {}", escape(name), escape(why));
    }
    if review.findings().next().is_none() {
        return text;
    }
    text.push_str("\n| Severity | Rule | Policy | Finding | Where |\n|---|---|---|---|---|\n");
    for finding in review.gravest_first() {
        let at = finding.place().map_or_else(String::new, |place| {
            format!("{}:{}", place.source.name(), place.source.position(place.span.start).0)
        });
        let shown = finding.counterexample.as_ref().map_or_else(String::new, |shown| {
            format!("; shown by {} ({})", shown.request_line(), shown.essentials.join("; "))
        });
        let cells = [
            finding.severity.name().to_owned(),
            format!("{} {}", finding.rule.number, finding.rule.name),
            escape(&finding.about),
            escape(&format!("{}{shown}", finding.message)),
            escape(&at),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}
