//! The Markdown form of decisions.

use super::table::{Guide, counts, items};
use crate::layout::escape;
use crate::layout::short;
use crate::plan::WorkRecord;
use crate::record::{Clock, Decisions};
use std::fmt::Write as _;

/// The decisions as Markdown: verdict, needs and gaps, one table with every row, what to do next, and what was judged.
pub fn decisions(decisions: &Decisions, guide: &Guide) -> String {
    let plan = &decisions.plan;
    let mut text = format!("# Decisions: {}\n\n", escape(&plan.name));
    let _ = writeln!(text, "**{}** ({}): {}\n", decisions.verdict.name(), plan.mode, counts(decisions));
    for mark in &decisions.marks {
        let _ = writeln!(text, "- **!!! {} !!!**", escape(mark));
    }
    for fault in decisions.bundle.faults() {
        let _ = writeln!(text, "- **UNTRUSTED** {}", escape(fault));
    }
    if !decisions.unmeasured.is_empty() {
        let facts = escape(&decisions.unmeasured.join(", "));
        let _ = writeln!(text, "- **STATED** some rows are allowed by facts that nothing measured: {facts}");
        if let Some(command) = &guide.measure {
            let _ = writeln!(text, "- measure them: `{command}`");
        }
    }
    for item in items(decisions, guide) {
        let [name, rows, state] = [&item.name, &item.rows, &item.state].map(|part| escape(part));
        let _ = writeln!(text, "- {} {name}: {rows}, {state}", item.label);
    }
    if !decisions.deferred_gaps.is_empty() {
        let _ = writeln!(text, "- at use {}", escape(&decisions.deferred_gaps.join(", ")));
    }
    let _ = writeln!(text, "\n| Row | Action | Resource | Work | Decision | Basis | Because | Policies |");
    let _ = writeln!(text, "|---|---|---|---|---|---|---|---|");
    for row in &decisions.decisions {
        let cells = [
            escape(&row.id),
            escape(short(&row.action)),
            escape(short(&row.resource)),
            escape(&row.work.as_ref().map(WorkRecord::line).unwrap_or_else(|| "none".to_owned())),
            row.decision.words().to_owned(),
            row.basis.words().to_owned(),
            escape(&row.because()),
            escape(&row.policies.join(", ")),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
    for command in &guide.next {
        let _ = writeln!(text, "- next: {}", escape(command));
    }
    identity(decisions, &mut text);
    text
}

/// What was judged by what, and when.
fn identity(decisions: &Decisions, text: &mut String) {
    let plan = &decisions.plan;
    if let Some(name) = &plan.macro_name {
        let _ = writeln!(text, "- macro: {}", escape(name));
    }
    let clock = if decisions.clock == Clock::Given { " (given)" } else { "" };
    let _ = writeln!(text, "- run: {}\n- time: {}{clock}", escape(&plan.run), decisions.time);
    let _ = writeln!(text, "- plan sha256: `{}`", plan.sha256);
    let bundle = escape(&decisions.bundle.words());
    let _ = writeln!(text, "- policies sha256: `{}` (bundle: {bundle})", decisions.policies.sha256);
    let _ = writeln!(text, "- facts sha256: `{}` ({})", decisions.facts.sha256, decisions.facts.source);
}
