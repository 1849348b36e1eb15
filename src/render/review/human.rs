//! The terminal form of a review: what it comes to, every finding with its source underlined, and one line a part.

use super::difference;
use crate::findings::headline::{DIFF, counted};
use crate::findings::rule::{Rule, Severity};
use crate::findings::{Finding, Outcome, Part, Place, Review, ReviewVerdict};
use crate::layout::lines::{Cell, Fit, Lines, Tone, fold, head};
use crate::layout::{Style, printable, shown};
use crate::problem::Source;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// The result first, then what is not fine, the gravest first, then what each part did.
pub fn review(review: &Review, style: Style) -> String {
    let only = review.parts.first().filter(|part| part.name == review.name());
    let beside = only.filter(|part| part.name != DIFF).map_or("", |part| &part.summary);
    let mut text = head(review.name(), &review.headline(), tone(review), beside, style);
    match review.parts.as_slice() {
        [only] if only.name == DIFF => text.push_str(&difference::findings(only, style)),
        _ => {
            let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
            let renderer = renderer.term_width(usize::from(style.width));
            for finding in review.gravest_first() {
                text.push('\n');
                text.push_str(&one(finding, &renderer, style));
            }
            if review.findings().next().is_some() {
                text.push('\n');
            }
        }
    }
    let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Whole, Fit::Words]);
    for (part, name, why) in review.undecided() {
        let why = format!("{name}: {why}");
        lines.row([Cell::new(""), Cell::new(part), Cell::toned("UNDECIDED", Tone::Open), Cell::new(why)]);
    }
    for skipped in &review.skipped {
        let (name, why) = skipped.split_once(": ").unwrap_or(("", skipped));
        lines.row([Cell::new(""), Cell::new(name), Cell::toned("skipped", Tone::Open), Cell::new(why)]);
    }
    if review.more > 0 {
        let more = format!("{} beside those that are shown", counted(review.more, "problem"));
        lines.row([Cell::new(""), Cell::new("more"), Cell::toned("not shown", Tone::Open), Cell::new(more)]);
    }
    for part in &review.parts {
        // Of a part alone the headline says it all.
        if only.is_none() {
            let (mark, tone) = mark(part);
            lines.row([Cell::new(""), Cell::new(part.name), Cell::toned(mark, tone), Cell::new(&part.summary)]);
        }
    }
    text + &lines.text(style)
}

/// The page of a rule.
pub fn rule(rule: &Rule) -> String {
    format!("{} {} ({})\n\n{}\n", rule.number, rule.name, rule.severity.name(), rule.documentation())
}

/// The catalogue: a rule, its severity, and what it is about.
pub fn rules(rules: &[&Rule], style: Style) -> String {
    let mut lines = Lines::new([Fit::Whole, Fit::Whole, Fit::Whole, Fit::Words]);
    for rule in rules {
        let severity = rule.severity.name();
        lines.row([Cell::new(rule.number), Cell::new(rule.name), Cell::new(severity), Cell::new(rule.summary())]);
    }
    lines.text(style)
}

/// How a part went, in a word.
fn mark(part: &Part) -> (String, Tone) {
    let gravest = part.findings.iter().map(|finding| finding.severity).max();
    let is_undecided = part.checks.iter().any(|check| matches!(check.outcome, Outcome::Undecided(_)));
    match gravest {
        Some(Severity::Error | Severity::Warning) => (counted(part.findings.len(), "finding"), Tone::Bad),
        _ if is_undecided => ("undecided".to_owned(), Tone::Open),
        Some(Severity::Note) => (counted(part.findings.len(), "note"), Tone::Good),
        None => ("ok".to_owned(), Tone::Good),
    }
}

fn tone(review: &Review) -> Tone {
    match review.verdict() {
        ReviewVerdict::Clean => Tone::Good,
        ReviewVerdict::Undecided => Tone::Open,
        ReviewVerdict::Findings | ReviewVerdict::Invalid => Tone::Bad,
    }
}

fn one(finding: &Finding, renderer: &Renderer, style: Style) -> String {
    // Room for `warning[L01]: ` and `   = note: `.
    let fold = |text: &str, indent: &str| {
        let width = usize::from(style.width).saturating_sub(BESIDE + indent.len());
        fold(&printable(text), width).join(&format!("\n{indent}"))
    };
    let title = fold(&format!("{}: {}", finding.about, finding.message), "");
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(&title).id(finding.rule.number));
    for place in &finding.places {
        group = group.element(snippet(place, finding.rule.number == SECRET));
    }
    let mut lines = Vec::new();
    if let Some(shown) = &finding.counterexample {
        lines.push(fold(&format!("shown by {}", shown.request_line()), ""));
        lines.extend(shown.essentials.iter().map(|essential| format!("    {}", fold(essential, "    "))));
        let by = match (shown.policies.as_slice(), shown.decision) {
            ([], "deny") => "no permit matches".to_owned(),
            (policies, _) => format!("by {}", policies.join(", ")),
        };
        let meant = if shown.decision == shown.expected { "" } else { ", which is not meant" };
        lines.push(fold(&format!("the whole bundle answers {} ({by}){meant}", shown.decision), ""));
    }
    let example = lines.join("\n");
    if !example.is_empty() {
        group = group.element(Level::NOTE.message(&example));
    }
    let help = finding.help.as_deref().map(|help| fold(help, ""));
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help));
    }
    format!("{}\n", renderer.render(&[group]))
}

/// The line of a place, underlined; without its own letters where they are a secret, which a log would keep.
fn snippet(place: &Place, is_secret: bool) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let text = place.source.text();
    let valid = |at: usize| text.is_char_boundary(at) && at <= text.len();
    let start = if valid(place.span.start) { place.span.start } else { 0 };
    // Underlining a whole policy would print it; its first line says where.
    let inside = text.get(start..place.span.end.max(start)).unwrap_or_default();
    let end = start + inside.find('\n').unwrap_or(inside.len());
    // The renderer reads all it is given, which for each finding would be the whole file.
    let first = text.get(..start).unwrap_or_default().rfind('\n').map_or(0, |newline| newline + 1);
    let last = end + text.get(end..).unwrap_or_default().find('\n').unwrap_or(text.len().saturating_sub(end));
    let mut line = text.get(first..last).unwrap_or_default().to_owned();
    if is_secret {
        line.replace_range(start - first..end - first, &"*".repeat(end - start));
    }
    let line = Source::new("", line);
    let (text, span) = shown(&line, start - first..end - first);
    let annotation = AnnotationKind::Primary.span(span);
    let annotation = match &place.label {
        Some(label) => annotation.label(printable(label)),
        None => annotation,
    };
    let (number, _) = place.source.position(start);
    Snippet::source(text).path(printable(place.source.name())).line_start(number).fold(true).annotation(annotation)
}

/// The rule that finds secrets.
const SECRET: &str = "L12";

/// What a renderer of snippets puts beside the words of a finding.
const BESIDE: usize = 15;
