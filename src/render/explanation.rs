//! The terminal face of an explanation: policies underlined in their files, facts, and what would change the row.

use super::{Style, printable, short};
use crate::document::RowDecision;
use crate::explain::Explanation;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt::Write as _;

/// The explanation for people.
pub fn explanation(explanation: &Explanation, style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(usize::from(style.width));
    let row = &explanation.row;
    let decision = if row.decision == RowDecision::Allow { "allow" } else { "DENY" };
    let mut text = format!(
        "row        {}\nprincipal  {}\naction     {}\nresource   {}\ndecision   {decision}: {}\nbecause    {}\n\
         bundle     {}\n",
        printable(&row.id),
        printable(&row.principal),
        printable(short(&row.action)),
        printable(&row.resource),
        row.basis.words(),
        printable(&row.because()),
        printable(&explanation.bundle.words()),
    );
    for policy in &explanation.policies {
        let title = printable(&format!("decided by `{}` ({})", policy.id, policy.tier));
        let path = printable(&policy.file);
        let snippet = Snippet::source(policy.source.text())
            .path(&path)
            .fold(true)
            .annotation(AnnotationKind::Primary.span(policy.span.clone()));
        let facts: Vec<String> =
            policy.facts.iter().map(|fact| printable(&format!("{} is {}", fact.path, fact.value))).collect();
        let group = Level::NOTE.primary_title(&title).element(snippet);
        let group = facts.iter().fold(group, |group, fact| group.element(Level::NOTE.message(fact)));
        let _ = writeln!(text, "\n{}", renderer.render(&[group]));
    }
    let _ = writeln!(text, "\nwhat would change it:");
    for change in &explanation.changes {
        let _ = writeln!(text, "  - {}", printable(change));
    }
    text
}
