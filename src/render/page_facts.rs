//! The facts on the one page of a report: a few lines, each from its rows, and every row that is not as it was.

use crate::attestation::report::{ObservedRow, ObservedStatus, Report};
use crate::evidence::ObservationKind;
use crate::record::RowDecision;

/// The facts of report 07, each from its rows.
pub fn facts(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = super::attestation::verdict(report).into_iter().skip(1).take(1).collect();
    let resting = &report.grounds.rules.resting;
    let switches = report.non_mutation.iter().filter(|row| resting.contains_key(row.id.as_str()));
    lines.extend(switches.map(|row| format!("{}: {}, {}", row.id.name(), row.last, state(row))));
    let of = |kind| report.non_mutation.iter().filter(move |row| row.id.kind() == kind);
    let barred = report.decisions.decisions.iter().filter(|row| row.decision == RowDecision::Deny);
    let invoked = barred.clone().filter(|row| report.done.iter().any(|done| done.id == row.id)).count();
    let words = if invoked == 0 { "NOT invoked".to_owned() } else { format!("{invoked} INVOKED") };
    lines.push(format!("rows that are denied: {words} ({})", barred.count()));
    let calls: Vec<String> = of(ObservationKind::Function).map(|row| name_of(row) + &calls(row)).collect();
    if !calls.is_empty() {
        let any = of(ObservationKind::Function).any(|row| row.status != ObservedStatus::Unchanged);
        lines.push(format!("functions called: {} ({})", if any { "SEE" } else { "NO" }, calls.join(", ")));
    }
    let counts: Vec<String> = of(ObservationKind::Relation).map(count).collect();
    if !counts.is_empty() {
        let all = of(ObservationKind::Relation).all(|row| row.status == ObservedStatus::Unchanged);
        lines.push(format!("row counts: {}{}", if all { "unchanged - " } else { "" }, counts.join(" / ")));
    }
    for (what, kinds) in [
        ("trees", &[ObservationKind::Tree][..]),
        ("services and host", &[ObservationKind::Service, ObservationKind::Host][..]),
    ] {
        let rows = report.non_mutation.iter().filter(|row| kinds.contains(&row.id.kind()));
        let said: Vec<String> = rows.map(|row| format!("{} {}", row.id.name(), state(row))).collect();
        if !said.is_empty() {
            lines.push(format!("{what}: {}", said.join(", ")));
        }
    }
    lines.extend(of(ObservationKind::Secrets).map(|row| format!("secrets: {} - {}", row.last, state(row))));
    lines.push(match &report.window {
        None => "observed: nothing, no two captures were given".to_owned(),
        Some(window) => {
            let quiet = if window.quiet { "no writing transaction completed" } else { "transactions completed" };
            format!("observed: {} to {}, {}, {quiet}", window.baseline_at, window.final_at, window.basis.words())
        }
    });
    // What is not as it was and was not declared so stands here, whatever kind it is of.
    let known = |row: &&ObservedRow| {
        matches!(row.status, ObservedStatus::Unchanged | ObservedStatus::Tolerated | ObservedStatus::Expected)
    };
    for row in report.non_mutation.iter().filter(|row| !known(row)) {
        lines.push(format!("{}: {}", row.id, super::attestation::observed_words(row)));
    }
    lines
}

fn state(row: &ObservedRow) -> String {
    match row.status {
        ObservedStatus::Unchanged => "unchanged".to_owned(),
        ObservedStatus::Expected => "as declared".to_owned(),
        other => other.name().to_owned(),
    }
}

fn name_of(row: &ObservedRow) -> String {
    row.id.name().rsplit('.').next().unwrap_or_default().to_owned()
}

fn calls(row: &ObservedRow) -> String {
    match row.status {
        ObservedStatus::Unchanged => String::new(),
        _ => format!(": {}", row.last),
    }
}

/// The rows of a relation with their change: `74 invoice (+37)`.
fn count(row: &ObservedRow) -> String {
    let rows = |text: &str| text.split_once(" rows").and_then(|(number, _)| number.parse::<i64>().ok());
    match (rows(&row.baseline), rows(&row.last)) {
        (Some(before), Some(after)) if before != after => format!("{after} {} ({:+})", name_of(row), after - before),
        (Some(_), Some(after)) => format!("{after} {}", name_of(row)),
        _ => format!("{} {}", name_of(row), row.status.name()),
    }
}
