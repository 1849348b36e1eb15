//! The faces of the audit of targets: every criterion of every candidate, and what a target must bring.

use super::markdown::escape;
use super::{Style, colored, grid, printable};
use crate::evidence::targets::{Criterion, TargetAudit, TargetStatus};
use comfy_table::{Cell, Color};
use std::fmt::Write as _;

/// An audit for terminals.
pub fn audit(audit: &TargetAudit, style: Style) -> String {
    let mut table = grid(style, &["candidate", "criterion", "is", "because"]);
    for candidate in &audit.candidates {
        for (index, criterion) in candidate.criteria.iter().enumerate() {
            let color = match criterion.status {
                TargetStatus::Met => Color::Green,
                TargetStatus::Unknown => Color::Yellow,
                TargetStatus::Lacking => Color::Red,
            };
            let entity = if index == 0 { candidate.entity.as_str() } else { "" };
            table.add_row([
                Cell::new(printable(entity)),
                Cell::new(printable(&format!("{}: {}", criterion.name, criterion.what))),
                colored(criterion.status.name(), color, style),
                Cell::new(printable(&reasons(criterion))),
            ]);
        }
    }
    format!("{table}\n{}", verdict(audit))
}

/// The intake package, for people.
pub fn intake(audit: &TargetAudit) -> String {
    let mut text = format!("# Intake for {}\n\n```\n{}```\n", escape(&audit.gap), verdict(audit));
    text.push_str("\n## What a target must bring\n\n| Field | What | Who brings it | For |\n|---|---|---|---|\n");
    for field in &audit.fields {
        let cells = [&field.name, &field.what, &field.who, &field.criteria.join(", ")].map(|cell| escape(cell));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for candidate in &audit.candidates {
        let _ = writeln!(text, "\n## {}: {}\n", escape(&candidate.entity), candidate.status.name());
        text.push_str("| Criterion | Is | Because | What to do |\n|---|---|---|---|\n");
        for criterion in &candidate.criteria {
            let asked = format!("{}: {}", criterion.name, criterion.what);
            let cells = [&asked, criterion.status.name(), &criterion.because.join(", "), &criterion.advice.join("; ")];
            let _ = writeln!(text, "| {} |", cells.map(escape).join(" | "));
        }
    }
    text
}

fn verdict(audit: &TargetAudit) -> String {
    let count = |status| audit.candidates.iter().filter(|candidate| candidate.status == status).count();
    format!(
        "gap         {}: {}\ncandidates  {}: {} meet every criterion, {} unknown, {} lack something\ntime        {}\nfacts       sha256 {}\npolicies    sha256 {}\n",
        printable(&audit.gap),
        if audit.status == TargetStatus::Met { "a safe target is there" } else { "open" },
        audit.candidates.len(),
        count(TargetStatus::Met),
        count(TargetStatus::Unknown),
        count(TargetStatus::Lacking),
        audit.time,
        audit.facts_sha256,
        audit.policies_sha256,
    )
}

fn reasons(criterion: &Criterion) -> String {
    let because = criterion.because.join(", ");
    if criterion.advice.is_empty() { because } else { format!("{because}: {}", criterion.advice.join("; ")) }
}
