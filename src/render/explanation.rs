//! The terminal form of an explanation: what would change the row, then why, then the policies underlined in their files.

use super::table::{commands, label, mark};
use crate::explain::{Explanation, Fact};
use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::layout::{Style, printable, short, shown};
use crate::schema::FactSource;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::collections::BTreeSet;

/// The explanation for people, and the commands to run next.
pub fn explanation(explanation: &Explanation, next: &[String], style: Style) -> String {
    let row = &explanation.row;
    let (_, tone) = mark(row.basis);
    let heading = [
        Cell::new("explain"),
        Cell::toned(format!("{}: {}", row.decision.words(), row.basis.words()), tone),
        Cell::new(&row.id),
        Cell::named(short(&row.action), short(&row.resource), Tone::Plain),
        Cell::new(format!("by {}", short(&row.principal))),
        Cell::toned(format!("bundle {}", explanation.bundle.words()), Tone::Dim),
    ];
    let mut text = flow(&heading, 8, style);
    let mut lines = Lines::new([Fit::Whole, Fit::Words]);
    let errors = row.errors.iter().map(|error| Cell::toned(error, Tone::Bad));
    section(&mut lines, "ERR", errors);
    section(&mut lines, "work", super::work::details(row.work.as_ref()).into_iter().map(Cell::new));
    section(&mut lines, "change", explanation.changes.iter().map(Cell::new));
    text.push_str(&lines.text(style));
    text.push_str(&commands(next).text(style));
    text.push_str(&why(explanation, style));
    text.push_str(&sources(explanation, style));
    text
}

/// The deciding policies one line each, and every fact that they looked at once.
fn why(explanation: &Explanation, style: Style) -> String {
    let mut text = String::new();
    if !explanation.policies.is_empty() {
        text.push('\n');
    }
    let mut lines = Lines::new([Fit::Whole, Fit::End, Fit::Middle]);
    for (index, policy) in explanation.policies.iter().enumerate() {
        let place = format!("{}:{}", policy.file, policy.line);
        lines.row([leading("why", index), Cell::new(&policy.title), Cell::new(place)]);
    }
    text.push_str(&lines.text(style));
    let facts: BTreeSet<&Fact> = explanation.policies.iter().flat_map(|policy| &policy.facts).collect();
    let mut lines = Lines::new([Fit::Whole, Fit::Words]);
    section(&mut lines, "facts", facts.iter().map(|fact| told(fact)));
    let mut held = Lines::new([Fit::Whole, Fit::End, Fit::Words]);
    for (index, ban) in explanation.held.iter().enumerate() {
        let facts: Vec<String> = ban.facts.iter().map(|fact| format!("{} is {}", fact.fact, fact.value)).collect();
        held.row([leading("HELD", index), Cell::new(&ban.title), Cell::new(facts.join("; "))]);
    }
    text + &lines.text(style) + &held.text(style)
}

/// A fact with its value, and where the schema asks for a source, what says it.
fn told(fact: &Fact) -> Cell {
    let text = format!("{} is {}", fact.path, fact.value);
    let Some(record) =
        fact.record.as_ref().filter(|record| record.needs.is_some() || record.source != FactSource::Stated)
    else {
        return Cell::new(text);
    };
    let by = record.read().by.words();
    match record.needs.filter(|_| !record.suffices()) {
        Some(needed) => Cell::toned(format!("{text}, by {by}; it must come from: {needed}"), Tone::Open),
        None => Cell::new(format!("{text}, by {by}")),
    }
}

/// The deciding policies as they stand in their files.
fn sources(explanation: &Explanation, style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(usize::from(style.width));
    let mut text = String::new();
    for policy in &explanation.policies {
        let title = printable(&format!("{} ({})", policy.id, policy.tier));
        let path = printable(&policy.file);
        let (source, span) = shown(&policy.source, policy.span.clone());
        let snippet = Snippet::source(source.as_str()).path(&path).fold(true);
        let group = Level::NOTE.primary_title(&title);
        let group = group.element(snippet.annotation(AnnotationKind::Primary.span(span)));
        text.push_str(&format!("\n{}\n", renderer.render(&[group])));
    }
    text
}

/// Lines of which the first says what they are.
fn section(lines: &mut Lines, name: &str, cells: impl Iterator<Item = Cell>) {
    for (index, cell) in cells.enumerate() {
        lines.row([leading(name, index), cell]);
    }
}

fn leading(name: &str, index: usize) -> Cell {
    label(if index == 0 { name } else { "" }, Tone::Plain)
}
