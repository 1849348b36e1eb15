//! The faces of captures and comparisons; every observation is a row.

use super::markdown::escape;
use super::{Style, colored, grid, printable};
use crate::evidence::{Capture, Comparison, Level, Observation, Row, RowStatus, Status};
use comfy_table::{Cell, Color};
use std::fmt::Write as _;

/// A capture for terminals.
pub fn capture(capture: &Capture, style: Style) -> String {
    let mut table = grid(style, &["observation", "status", "value"]);
    for observation in &capture.observations {
        let (status, color) = match observation.status {
            Status::Observed => ("observed", Color::Green),
            Status::Unknown => ("UNKNOWN", Color::Yellow),
        };
        table.add_row([
            Cell::new(printable(&observation.id)),
            colored(status, color, style),
            Cell::new(printable(&seen(observation))),
        ]);
    }
    let mut text = head(capture);
    let _ = writeln!(text, "{table}");
    text
}

/// A capture for reports.
pub fn capture_markdown(capture: &Capture) -> String {
    let mut text = String::from("# Evidence\n\n```\n");
    text.push_str(&head(capture));
    text.push_str("```\n\n| Observation | Status | Value |\n|---|---|---|\n");
    for observation in &capture.observations {
        let status = if observation.status == Status::Observed { "observed" } else { "UNKNOWN" };
        let _ = writeln!(text, "| {} | {status} | {} |", escape(&observation.id), escape(&seen(observation)));
    }
    text
}

/// A comparison for terminals.
pub fn comparison(comparison: &Comparison, style: Style) -> String {
    let mut table = grid(style, &["observation", "baseline", "final", "status", "because"]);
    for row in &comparison.rows {
        let color = match row.status {
            RowStatus::Unchanged | RowStatus::Tolerated => Color::Green,
            RowStatus::Unknown => Color::Yellow,
            RowStatus::Changed => Color::Red,
        };
        table.add_row([
            Cell::new(printable(&row.id)),
            Cell::new(printable(&row.baseline)),
            Cell::new(printable(&row.last)),
            colored(row.status.name(), color, style),
            Cell::new(printable(&row.because.join("; "))),
        ]);
    }
    format!("{}{table}\n{}", window(comparison), verdict(comparison))
}

/// A comparison for reports.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut text = format!("# Comparison\n\n```\n{}```\n\n", window(comparison));
    text.push_str("| Observation | Baseline | Final | Status | Because |\n|---|---|---|---|---|\n");
    for Row { id, baseline, last, status, because } in &comparison.rows {
        let cells = [id, baseline, last, status.name(), &because.join("; ")].map(escape);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n```\n{}```", verdict(comparison));
    text
}

fn head(capture: &Capture) -> String {
    let database = &capture.database;
    let mut text = format!(
        "database  {} {} as {}\ntime      {} to {}\nconfig    sha256 {}\nsnapshot  {}\nlevel     {} requested, {} reached\n",
        printable(&database.system_identifier),
        printable(&database.name),
        printable(&database.role),
        printable(&capture.started_at),
        printable(&capture.finished_at),
        printable(&capture.config_sha256),
        printable(&database.snapshot),
        capture.level.requested.name(),
        level(capture.level.reached),
    );
    if !capture.level.missing.is_empty() {
        let _ = writeln!(text, "missing   {}", printable(&capture.level.missing.join(", ")));
    }
    text
}

fn window(comparison: &Comparison) -> String {
    let quiet = match comparison.quiet.proven {
        true => "proven: no writing transaction completed in the whole cluster".to_owned(),
        false => {
            let moved = format!("from {} to {}", comparison.quiet.baseline, comparison.quiet.last);
            printable(&format!("not proven: the snapshot moved {moved}"))
        }
    };
    let mut text = format!(
        "database  {}\nwindow    {} to {}\nquiet     {quiet}\nlevel     {} requested, {} reached\n",
        printable(&comparison.database),
        printable(&comparison.baseline_at),
        printable(&comparison.final_at),
        comparison.level.requested.name(),
        level(comparison.level.reached),
    );
    let signed = &comparison.signed;
    for (what, voucher) in [("baseline", &signed.baseline), ("final", &signed.last), ("witness", &signed.witness)] {
        if let Some(voucher) = voucher {
            let who = voucher.entity.as_deref().unwrap_or("whom the trust root does not name");
            let _ = writeln!(text, "{what:<9} signed by {}, {}", printable(&voucher.name), printable(who));
        }
    }
    text
}

fn verdict(comparison: &Comparison) -> String {
    let count = |status| comparison.rows.iter().filter(|row| row.status == status).count();
    format!(
        "result    {}\nrows      {}: {} unchanged, {} tolerated, {} unknown, {} changed\n",
        comparison.status.name(),
        comparison.rows.len(),
        count(RowStatus::Unchanged),
        count(RowStatus::Tolerated),
        count(RowStatus::Unknown),
        count(RowStatus::Changed),
    )
}

fn level(level: Option<Level>) -> &'static str {
    level.map_or("none", Level::name)
}

/// What was seen, and what was not.
fn seen(observation: &Observation) -> String {
    let mut parts = vec![observation.summary()];
    for unknown in observation.unknown.iter().take(3) {
        let state = unknown.sqlstate.as_ref().map_or(String::new(), |state| format!(" (SQLSTATE {state})"));
        parts.push(format!("{}: {}{state}", unknown.value, unknown.reason));
    }
    if observation.unknown.len() > 3 {
        parts.push(format!("and {} more", observation.unknown.len() - 3));
    }
    parts.join("; ")
}
