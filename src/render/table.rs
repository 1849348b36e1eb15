//! The terminal face of decisions.

use super::{Style, grid, printable, short};
use crate::decision::{Basis, Verdict};
use crate::document::{Clock, Decisions, RowDecision};
use comfy_table::{Cell, Color, ColumnConstraint, Width};

/// The decisions as a table, and what follows from them.
pub fn decisions(decisions: &Decisions, style: Style) -> String {
    let mut table = grid(style, &["row", "decision", "because"]);
    for row in &decisions.decisions {
        let decision = if row.decision == RowDecision::Allow { "allow" } else { "DENY" };
        let decision = Cell::new(format!("{decision}\n{}", row.basis.words()));
        let mut because = printable(&row.because());
        if let (RowDecision::Deny, Some(id)) =
            (row.decision, row.decided_by.as_ref().filter(|_| !row.policies.is_empty()))
        {
            let more = match row.policies.len() - 1 {
                _ if row.basis == Basis::BlockedBy => String::new(),
                0 => format!("\nby {}", printable(id)),
                more => format!("\nby {} and {more} more", printable(id)),
            };
            because.push_str(&more);
        }
        table.add_row([
            Cell::new(format!(
                "{}\n{} {}",
                printable(&row.id),
                printable(short(&row.action)),
                printable(short(&row.resource))
            )),
            if style.color { decision.fg(color(row.basis)) } else { decision },
            Cell::new(because),
        ]);
    }
    // The reasons are what is read; the names before them may break.
    table.set_constraints([
        ColumnConstraint::UpperBoundary(Width::Percentage(40)),
        ColumnConstraint::LowerBoundary(Width::Fixed(12)),
    ]);
    let plan = &decisions.plan;
    let clock = match decisions.clock {
        Clock::System => "",
        Clock::Given => " (given)",
    };
    let marks: String = decisions.marks.iter().map(|mark| format!("!!! {} !!!\n", printable(mark))).collect();
    let mut text = format!(
        "{marks}plan     {} ({})\nsha256   {}\nrun      {}\ntime     {}{clock}\npolicies sha256 {}\nfacts    sha256 {}\n\
         sources  bundle: {}; facts: {}\n{table}\n",
        printable(&plan.name),
        plan.mode,
        plan.sha256,
        printable(&plan.run),
        decisions.time,
        decisions.policies.sha256,
        decisions.facts.sha256,
        printable(&decisions.bundle.words()),
        decisions.facts.source,
    );
    for line in summary(decisions) {
        text.push_str(&line);
        text.push('\n');
    }
    if style.color {
        let code = match decisions.verdict {
            Verdict::Authorized => "32",
            Verdict::Blocked | Verdict::ReadyForSovereignApproval => "33",
            Verdict::Denied | Verdict::Indeterminate => "31",
        };
        let name = decisions.verdict.name();
        text = text.replace(&format!("verdict   {name}"), &format!("verdict   \u{1b}[1;{code}m{name}\u{1b}[0m"));
    }
    text
}

/// The lines below the table: verdict, counts, gaps, and what a person could do next.
pub fn summary(decisions: &Decisions) -> Vec<String> {
    let allowed = decisions.decisions.iter().filter(|row| row.decision == RowDecision::Allow).count();
    let total = decisions.decisions.len();
    let mut lines = vec![
        format!("verdict   {}", decisions.verdict.name()),
        format!("rows      {total}: {allowed} allowed, {} denied", total - allowed),
    ];
    lines.extend(decisions.marks.iter().map(|mark| format!("!!!       {}", printable(mark))));
    for row in &decisions.approvals {
        let state = match row.code {
            None => format!("accepted, signed by {}", row.signers.join(", ")),
            Some(code) => format!("rejected: {}", code.name()),
        };
        lines.push(format!("approval  {} {} {state}", printable(&row.gate), printable(&row.id)));
    }
    let mut gates: Vec<&str> = decisions
        .decisions
        .iter()
        .filter(|row| row.basis == Basis::ApprovalRequired)
        .flat_map(|row| row.needs.iter().map(|need| need.gate.as_str()))
        .collect();
    gates.sort_unstable();
    gates.dedup();
    let mut list = |name: &str, items: &[&str]| {
        if !items.is_empty() {
            lines
                .push(format!("{name:<10}{}", items.iter().map(|item| printable(item)).collect::<Vec<_>>().join(", ")));
        }
    };
    list("needs", &gates);
    list("open gaps", &decisions.open_gaps.iter().map(String::as_str).collect::<Vec<_>>());
    list("at use", &decisions.deferred_gaps.iter().map(String::as_str).collect::<Vec<_>>());
    let faults = decisions.bundle.faults.iter();
    lines.extend(faults.map(|fault| format!("UNTRUSTED {}", printable(fault))));
    lines
}

fn color(basis: Basis) -> Color {
    match basis {
        Basis::Permitted | Basis::Approved => Color::Green,
        Basis::ApprovalRequired | Basis::Precondition | Basis::BlockedBy => Color::Yellow,
        Basis::Forbidden | Basis::NotPermitted | Basis::Indeterminate => Color::Red,
    }
}
