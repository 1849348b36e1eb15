//! The Markdown face of a review, for the summary of a pull request.

use crate::findings::{Finding, Review};
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
    let all = review.gravest_first();
    for (at, finding) in all.iter().enumerate() {
        let row = row(finding);
        if text.len() + row.len() > LONGEST {
            let _ = writeln!(text, "\n{} more findings: see `--format json`.", all.len() - at);
            break;
        }
        text.push_str(&row);
    }
    text
}

/// One finding, with one request that shows it and the first facts that matter.
fn row(finding: &Finding) -> String {
    let at = finding.place().map_or_else(String::new, |place| {
        format!("{}:{}", place.source.name(), place.source.position(place.span.start).0)
    });
    let shown = finding.counterexample.as_ref().map_or_else(String::new, |shown| {
        let facts: Vec<&str> = shown.essentials.iter().take(MOST_FACTS).map(String::as_str).collect();
        let more = match shown.essentials.len().saturating_sub(MOST_FACTS) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!("; shown by {} ({}{more})", shown.request_line(), facts.join("; "))
    });
    let cells = [
        finding.severity.name().to_owned(),
        format!("{} {}", finding.rule.number, finding.rule.name),
        escape(&finding.about),
        escape(&format!("{}{shown}", finding.message)),
        escape(&at),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// A comment on a pull request may have 65,536 characters.
const LONGEST: usize = 60_000;
/// How many facts of an example are told; all of them are in JSON.
const MOST_FACTS: usize = 6;
