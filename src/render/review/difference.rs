//! What a change of policies opens and closes: what it is, a request that shows it, and the policy that did it.

use crate::findings::headline::counted;
use crate::findings::rule::Severity;
use crate::findings::{Finding, Part, rules};
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone};
use crate::subject::counterexample::Counterexample;

/// Every finding of a comparison of two bundles in a few lines, what widened first.
pub fn findings(part: &Part, style: Style) -> String {
    let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Words]);
    let mut help: Vec<&str> = Vec::new();
    for finding in &part.findings {
        let (word, tone) = word(finding);
        let more = |text: &str| [Cell::new(""), Cell::new(""), Cell::toned(text, Tone::Dim)];
        lines.row([Cell::new(""), Cell::toned(word, tone), Cell::new(what(finding))]);
        if let Some(shown) = &finding.counterexample {
            for line in example(finding, shown) {
                lines.row([Cell::new(""), Cell::new(""), Cell::new(line)]);
            }
        }
        let by = places(finding);
        if !by.is_empty() {
            lines.row(more(&by));
        }
        help.extend(
            finding.help.as_deref().filter(|text| !help.contains(text)).map(|text| vec![text]).unwrap_or_default(),
        );
    }
    for help in help {
        lines.row([Cell::new(""), Cell::new("help"), Cell::new(help)]);
    }
    lines.row([Cell::new(""), Cell::new("rest"), Cell::new(&part.summary)]);
    lines.text(style)
}

/// What a finding is about; where that is no request type whose decisions differ, with what it says.
fn what(finding: &Finding) -> String {
    match is_decision(finding) && !finding.message.contains(ACCEPTED) {
        true => finding.about.clone(),
        false => format!("{}: {}", finding.about, finding.message),
    }
}

fn is_decision(finding: &Finding) -> bool {
    [&rules::WIDENED, &rules::WIDENED_ELSEWHERE, &rules::NARROWED].contains(&finding.rule)
}

/// A request that shows it, then those of the facts that matter of which the changed text speaks.
fn example(finding: &Finding, shown: &Counterexample) -> Vec<String> {
    let is_spoken_of = |fact: &&String| {
        let path = fact.split(' ').next().unwrap_or_default();
        finding.places.iter().any(|place| place.text().contains(path))
    };
    let facts: Vec<&str> = shown.essentials.iter().filter(is_spoken_of).map(String::as_str).collect();
    let more = shown.essentials.len() - facts.len();
    let facts = match (facts.as_slice(), more) {
        ([], 0) => None,
        ([], 1) => Some("where 1 fact holds (--format json)".to_owned()),
        ([], more) => Some(format!("where {} hold (--format json)", counted(more, "fact"))),
        (facts, 0) => Some(format!("where {}", facts.join("; "))),
        (facts, more) => Some(format!("where {}; and {more} more (--format json)", facts.join("; "))),
    };
    std::iter::once(format!("e.g. {}", shown.short_request_line())).chain(facts).collect()
}

/// The changed policies that concern it.
fn places(finding: &Finding) -> String {
    let place = |place: &crate::findings::Place| {
        let (line, _) = place.source.position(place.span.start);
        let label = place.label.as_deref().map(|label| format!(" {label}")).unwrap_or_default();
        format!("{}:{line}{label}", place.source.name())
    };
    finding.places.iter().map(place).collect::<Vec<_>>().join(", ")
}

fn word(finding: &Finding) -> (&'static str, Tone) {
    let is_open = finding.severity > Severity::Note;
    let rule = finding.rule;
    let (loud, quiet) = match () {
        () if [&rules::WIDENED, &rules::WIDENED_ELSEWHERE].contains(&rule) => ("WIDENED", "widened"),
        () if *rule == rules::NARROWED || *rule == rules::AUTHORITY_NARROWED => return ("narrowed", Tone::Good),
        () if *rule == rules::POLICY_WEAKENED || *rule == rules::INVARIANT_WEAKENED => ("WEAKENED", "weakened"),
        () if *rule == rules::AUTHORITY_WIDENED => ("GAINED", "gained"),
        () if *rule == rules::INVALID => ("NOT VALID", "not valid"),
        () if *rule == rules::NOT_REVIEWED => ("NOT READ", "not read"),
        () => ("CHANGED", "changed"),
    };
    if is_open { (loud, Tone::Bad) } else { (quiet, Tone::Open) }
}

/// What a message says of a finding that is meant.
const ACCEPTED: &str = "; accepted: ";
