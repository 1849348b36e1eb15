//! The faces of the audit of targets: every criterion of every candidate, and what a target must bring.

use crate::layout::entries::{Entry, entries};
use crate::layout::escape;
use crate::layout::lines::{Cell, Fit, Lines, Tone, head};
use crate::layout::{Style, printable};
use crate::targets::{Criterion, TargetAudit, TargetStatus};
use std::fmt::Write as _;

/// An audit for terminals: whether there is a target, then what each candidate lacks, then what it meets.
pub fn audit(audit: &TargetAudit, style: Style) -> String {
    let count = |status| audit.candidates.iter().filter(|candidate| candidate.status == status).count();
    let (result, color) = match audit.status {
        TargetStatus::Met => ("MET", Tone::Good),
        other => (other.name(), tone(other)),
    };
    let rest = format!(
        "{}: of {} candidates {} meet every criterion, {} unknown, {} lack something",
        audit.gap,
        audit.candidates.len(),
        count(TargetStatus::Met),
        count(TargetStatus::Unknown),
        count(TargetStatus::Lacking)
    );
    let mut text = head("targets", result, color, &rest, style);
    let mut shown: Vec<Entry> = Vec::new();
    for candidate in &audit.candidates {
        let mut criteria: Vec<&Criterion> = candidate.criteria.iter().collect();
        criteria.sort_by_key(|criterion| match criterion.status {
            TargetStatus::Lacking => 0,
            TargetStatus::Unknown => 1,
            TargetStatus::Met => 2,
        });
        for criterion in criteria {
            let said = [format!("{}: {}", criterion.name, criterion.what), reasons(criterion)];
            shown.push(Entry::new(criterion.status.name(), tone(criterion.status), &candidate.entity, said));
        }
    }
    text.push_str(&entries(&shown, style));
    let mut foot = Lines::new([Fit::Whole, Fit::Whole, Fit::Words]);
    for (name, what) in [
        ("time", audit.time.to_string()),
        ("facts", audit.facts_sha256.short()),
        ("policies", audit.policies_sha256.short()),
    ] {
        foot.row([Cell::new(""), Cell::toned(name, Tone::Dim), Cell::toned(what, Tone::Dim)]);
    }
    text + &foot.text(style)
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

fn tone(status: TargetStatus) -> Tone {
    match status {
        TargetStatus::Met => Tone::Good,
        TargetStatus::Unknown => Tone::Open,
        TargetStatus::Lacking => Tone::Bad,
    }
}
