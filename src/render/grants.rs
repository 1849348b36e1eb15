//! The faces of the audit of grants; every difference, conflict and statement is shown.

use super::markdown::escape;
use super::{Style, colored, grid, printable};
use crate::evidence::grants::{Conflict, DifferenceKind, GrantAudit, GrantStatus};
use comfy_table::{Cell, Color};
use std::fmt::Write as _;

/// An audit for terminals.
pub fn audit(audit: &GrantAudit, style: Style) -> String {
    let mut text = String::new();
    if !audit.differences.is_empty() {
        let mut table = grid(style, &["role", "right", "is", "closed by the package"]);
        for found in &audit.differences {
            table.add_row([
                Cell::new(printable(&found.role)),
                Cell::new(printable(&found.right)),
                colored(name(found.kind), Color::Red, style),
                Cell::new(if found.closed { "yes" } else { "no" }),
            ]);
        }
        let _ = writeln!(text, "{table}");
    }
    if !audit.conflicts.is_empty() {
        let mut table = grid(style, &["conflict", "role", "because it holds", "accepted"]);
        for conflict in &audit.conflicts {
            let color = if conflict.accepted.is_some() { Color::Green } else { Color::Red };
            table.add_row([
                Cell::new(printable(&format!("{}: {}", conflict.name, conflict.why))),
                colored(&printable(&conflict.role), color, style),
                Cell::new(printable(&held(conflict))),
                Cell::new(printable(conflict.accepted.as_deref().unwrap_or("no"))),
            ]);
        }
        let _ = writeln!(text, "{table}");
    }
    text + &verdict(audit) + &packages(audit)
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
    let open = audit.conflicts.iter().filter(|conflict| conflict.accepted.is_none()).count();
    let mut text = format!("database     {}\nresult       {status}\n", printable(&audit.database));
    if let Some(unknown) = &audit.unknown {
        let _ = writeln!(text, "unknown      {}", printable(unknown));
        return text;
    }
    let closed = audit.differences.iter().filter(|found| found.closed).count();
    let _ = writeln!(text, "differences  {}, {closed} of them closed by the package", audit.differences.len());
    let _ = writeln!(text, "conflicts    {}, {open} of them not accepted", audit.conflicts.len());
    let _ = writeln!(text, "package      {} statements", audit.package.len());
    text
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
