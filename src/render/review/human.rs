//! The terminal face of a review.

use crate::render::{Style, printable, shown};
use crate::review::rule::{Rule, Severity};
use crate::review::{Finding, Place, Review, Verdict};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt::Write as _;

/// Every finding with its source underlined, what each part did, and one line to act on.
pub fn review(review: &Review, style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(usize::from(style.width));
    let mut text = String::new();
    for finding in review.findings() {
        text.push_str(&one(finding, &renderer));
        text.push('\n');
    }
    for part in &review.parts {
        let _ = writeln!(text, "{:<10}{}", part.name, printable(&part.summary));
    }
    for skipped in &review.skipped {
        let _ = writeln!(text, "skipped   {}", printable(skipped));
    }
    for (part, name, why) in review.undecided() {
        let _ = writeln!(text, "undecided {part}: {}: {}", printable(name), printable(why));
    }
    let _ = writeln!(text, "{:<10}{}", "review", paint(review.verdict(), &printable(&review.next_step()), style));
    text
}

/// The page of a rule.
pub fn rule(rule: &Rule) -> String {
    format!("{} {} ({})\n\n{}\n", rule.number, rule.name, rule.severity.name(), rule.documentation())
}

/// The catalogue: one line a rule.
pub fn rules(rules: &[&Rule]) -> String {
    let width = rules.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
    rules
        .iter()
        .map(|rule| {
            format!("{}  {:<width$}  {:<7}  {}\n", rule.number, rule.name, rule.severity.name(), rule.summary())
        })
        .collect()
}

fn one(finding: &Finding, renderer: &Renderer) -> String {
    let title = printable(&format!("{}: {}", finding.about, finding.message));
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(&title).id(finding.rule.number));
    for place in &finding.places {
        group = group.element(snippet(place));
    }
    let mut lines = Vec::new();
    if let Some(shown) = &finding.counterexample {
        lines.push(format!("shown by {}", shown.request_line()));
        lines.extend(shown.essentials.iter().map(|essential| format!("    {essential}")));
        let by = match (shown.policies.as_slice(), shown.decision) {
            ([], "deny") => "no permit matches".to_owned(),
            (policies, _) => format!("by {}", policies.join(", ")),
        };
        let meant = if shown.decision == shown.expected { "" } else { ", which is not meant" };
        lines.push(format!("the whole bundle answers {} ({by}){meant}", shown.decision));
    }
    let example = lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n");
    if !example.is_empty() {
        group = group.element(Level::NOTE.message(&example));
    }
    let help = finding.help.as_deref().map(printable);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help));
    }
    format!("{}\n", renderer.render(&[group]))
}

fn snippet(place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let text = place.source.text();
    let valid = |at: usize| text.is_char_boundary(at) && at <= text.len();
    let start = if valid(place.span.start) { place.span.start } else { 0 };
    // Underlining a whole policy would print it; its first line says where.
    let inside = text.get(start..place.span.end.max(start)).unwrap_or_default();
    let end = start + inside.find('\n').unwrap_or(inside.len());
    let (text, span) = shown(&place.source, start..end);
    let annotation = AnnotationKind::Primary.span(span);
    let annotation = match &place.label {
        Some(label) => annotation.label(printable(label)),
        None => annotation,
    };
    Snippet::source(text).path(printable(place.source.name())).fold(true).annotation(annotation)
}

fn paint(verdict: Verdict, text: &str, style: Style) -> String {
    let code = match verdict {
        Verdict::Clean => "32",
        Verdict::Undecided => "33",
        Verdict::Findings | Verdict::Invalid => "31",
    };
    if style.color { format!("\u{1b}[1;{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
