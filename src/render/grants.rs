//! The faces of the audit of grants; every difference, conflict and statement is shown.

use crate::grants::{Conflict, DifferenceKind, GrantAudit, GrantStatus};
use crate::layout::entries::{Entry, entries};
use crate::layout::escape;
use crate::layout::lines::{Tone, head};
use crate::layout::{Style, printable};
use std::fmt::Write as _;

/// An audit for terminals: the result, every difference and conflict, and the package that closes what it can.
pub fn audit(audit: &GrantAudit, style: Style) -> String {
    let (result, tone) = match audit.status {
        GrantStatus::Matches => ("MATCHES", Tone::Good),
        GrantStatus::Differs => ("DIFFERS", Tone::Bad),
        GrantStatus::Unknown => ("UNKNOWN", Tone::Open),
    };
    let rest = match &audit.unknown {
        Some(unknown) => unknown.clone(),
        None => counts(audit).join(", "),
    };
    let mut text = head("grants", result, tone, &rest, style);
    let mut shown: Vec<Entry> = Vec::new();
    for found in &audit.differences {
        let left = if found.closed { "" } else { " (not closed by the package)" };
        shown.push(Entry::new(name(found.kind), Tone::Bad, &found.role, [format!("{}{left}", found.right)]));
    }
    for conflict in &audit.conflicts {
        let (word, tone, ruling) = match &conflict.accepted {
            Some(ruling) => ("accepted", Tone::Good, format!("accepted: {ruling}")),
            None => ("CONFLICT", Tone::Bad, String::new()),
        };
        let why = format!("{}: {}", conflict.name, conflict.why);
        shown.push(Entry::new(word, tone, &conflict.role, [why, format!("holds {}", held(conflict)), ruling]));
    }
    text.push_str(&entries(&shown, style));
    text.push_str(&format!("  database {}\n", printable(&audit.database)));
    for unseen in &audit.not_looked_at {
        text.push_str(&format!("  not looked at: {}\n", printable(unseen)));
    }
    text + &packages(audit)
}

/// An audit for reports.
pub fn markdown(audit: &GrantAudit) -> String {
    let mut text = format!("# Grants\n\n```\n{}```\n", verdict(audit));
    if !audit.differences.is_empty() {
        text.push_str("\n| Role | Right | Is | Closed by the package |\n|---|---|---|---|\n");
        for found in &audit.differences {
            let closed = if found.closed { "yes" } else { "no" };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {closed} |",
                escape(&found.role),
                escape(&found.right),
                name(found.kind)
            );
        }
    }
    if !audit.conflicts.is_empty() {
        text.push_str("\n| Conflict | Role | Because it holds | Accepted |\n|---|---|---|---|\n");
        for conflict in &audit.conflicts {
            let accepted = conflict.accepted.as_deref().unwrap_or("no");
            let cells = [&format!("{}: {}", conflict.name, conflict.why), &conflict.role, &held(conflict), accepted]
                .map(escape);
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    if !audit.not_looked_at.is_empty() {
        text.push_str("\nNot looked at:\n\n");
        for unseen in &audit.not_looked_at {
            let _ = writeln!(text, "- {}", escape(unseen));
        }
    }
    if !audit.package.is_empty() {
        let _ = writeln!(text, "\n```sql\n{}```", packages(audit).trim_start());
    }
    text
}

/// Statements that are run together or not at all; nothing where there is nothing to do.
pub fn script(statements: &[String]) -> String {
    if statements.is_empty() {
        return "-- nothing to do\n".to_owned();
    }
    let mut text = "BEGIN;\n".to_owned();
    for statement in statements {
        let _ = writeln!(text, "{statement}");
    }
    text + "COMMIT;\n"
}

fn packages(audit: &GrantAudit) -> String {
    if audit.package.is_empty() {
        return String::new();
    }
    format!(
        "\n-- the package, for a superuser to apply\n{}\n-- its inverse\n{}",
        script(&audit.package),
        script(&audit.inverse)
    )
}

fn verdict(audit: &GrantAudit) -> String {
    let status = match audit.status {
        GrantStatus::Matches => "MATCHES",
        GrantStatus::Differs => "DIFFERS",
        GrantStatus::Unknown => "UNKNOWN",
    };
    let mut text = format!("database     {}\nresult       {status}\n", printable(&audit.database));
    if let Some(unknown) = &audit.unknown {
        let _ = writeln!(text, "unknown      {}", printable(unknown));
        return text;
    }
    for count in counts(audit) {
        let _ = writeln!(text, "             {count}");
    }
    text
}

/// How much was found, and how long the package is.
fn counts(audit: &GrantAudit) -> Vec<String> {
    let closed = audit.differences.iter().filter(|found| found.closed).count();
    let open = audit.conflicts.iter().filter(|conflict| conflict.accepted.is_none()).count();
    vec![
        format!("{} differences ({closed} closed by the package)", audit.differences.len()),
        format!("{} conflicts ({open} not accepted)", audit.conflicts.len()),
        format!("a package of {} statements", audit.package.len()),
    ]
}

fn held(conflict: &Conflict) -> String {
    let held = conflict.rights.iter().map(|held| format!("{} ({})", held.right, held.through.join("; ")));
    held.collect::<Vec<_>>().join(", ")
}

fn name(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::Missing => "MISSING",
        DifferenceKind::Excess => "EXCESS",
        DifferenceKind::Absent => "ABSENT",
    }
}
