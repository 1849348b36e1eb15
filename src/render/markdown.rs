//! The Markdown face of decisions.

use super::{printable, short, table};
use crate::document::{Decisions, RowDecision};
use std::fmt::Write as _;

/// The decisions as Markdown: the record's head, one table with every row, and the verdict.
pub fn decisions(decisions: &Decisions) -> String {
    let plan = &decisions.plan;
    let mut text = String::new();
    let _ = writeln!(text, "# Decisions: {}\n", escape(&plan.name));
    if let Some(name) = &plan.macro_name {
        let _ = writeln!(text, "- macro: {}", escape(name));
    }
    let _ = writeln!(text, "- run: `{}` ({})", escape(&plan.run), plan.mode);
    let _ = writeln!(text, "- time: {}", decisions.time);
    let _ = writeln!(text, "- plan sha256: `{}`", plan.sha256);
    let bundle = escape(&decisions.bundle.words());
    let _ = writeln!(text, "- policies sha256: `{}` (bundle: {bundle})", decisions.policies.sha256);
    let _ = writeln!(text, "- facts sha256: `{}` ({})\n", decisions.facts.sha256, decisions.facts.source);
    let _ = writeln!(text, "| Row | Action | Resource | Decision | Basis | Because | Policies |");
    let _ = writeln!(text, "|---|---|---|---|---|---|---|");
    for row in &decisions.decisions {
        let decision = if row.decision == RowDecision::Allow { "allow" } else { "DENY" };
        let cells = [
            escape(&row.id),
            escape(short(&row.action)),
            escape(short(&row.resource)),
            decision.to_owned(),
            row.basis.words().to_owned(),
            escape(&row.because()),
            escape(&row.policies.join(", ")),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n```");
    for line in table::summary(decisions) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "```");
    text
}

/// User text that cannot end a cell, start markup or run HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in printable(text).chars() {
        match letter {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => escaped.extend(['\\', letter]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            other => escaped.push(other),
        }
    }
    escaped
}
