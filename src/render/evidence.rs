//! Captures and comparisons for people: the result first, then everything that is not fine; reports have every row.

use crate::evidence::{Capture, ComparedRow, Comparison, Coverage, Observation, RowStatus, Status, Unknown};
use crate::layout::entries::{Entry, entries};
use crate::layout::escape;
use crate::layout::lines::{Cell, Fit, Lines, Tone, head};
use crate::layout::{Style, printable};
use crate::settings::evidence::Level;
use crate::time::Timestamp;
use std::fmt::Write as _;

/// A capture for terminals: how much of it is known, what is not, and where it was made.
pub fn capture(capture: &Capture, all: bool, style: Style) -> String {
    let (unknown, observed): (Vec<&Observation>, Vec<&Observation>) =
        capture.observations.iter().partition(|observation| observation.status == Status::Unknown);
    let (result, tone) = if unknown.is_empty() { ("OBSERVED", Tone::Good) } else { ("UNKNOWN", Tone::Open) };
    let rest = format!("{}, {}", reached(capture.level.requested, capture.level.reached), span(capture));
    let mut text = head("capture", result, tone, &rest, style);
    let mut shown: Vec<Entry> = Vec::new();
    for observation in &unknown {
        let said = observation.unknown.iter().map(Unknown::words);
        shown.push(Entry::new("UNKNOWN", Tone::Open, &observation.id, said));
    }
    if all {
        let fine = observed.iter();
        shown.extend(fine.map(|seen| Entry::new("observed", Tone::Good, &seen.id, [seen.summary()])));
    }
    text.push_str(&entries(&shown, style));
    text.push_str(&rest_of(observed.len(), "observed", all));
    let database = &capture.database;
    let mut foot = foot();
    let role = format!("{} {} as {}", database.name, database.system_identifier, database.role);
    named(&mut foot, "database", &role);
    named(&mut foot, "snapshot", &database.snapshot);
    coverage(&mut foot, &capture.coverage, all);
    named(&mut foot, "config", &capture.config_sha256.short());
    text + &foot.text(style)
}

/// A capture for reports.
pub fn capture_markdown(capture: &Capture) -> String {
    let mut text = String::from("# Evidence\n\n```\n");
    text.push_str(&header(capture));
    text.push_str("```\n\n| Observation | Status | Value |\n|---|---|---|\n");
    for observation in &capture.observations {
        let status = if observation.status == Status::Observed { "observed" } else { "UNKNOWN" };
        let _ = writeln!(text, "| {} | {status} | {} |", escape(&observation.id), escape(&seen(observation)));
    }
    text
}

/// A comparison for terminals: the result, every row that is not as it was, and what that rests on.
pub fn comparison(comparison: &Comparison, all: bool, style: Style) -> String {
    let level = reached(comparison.level.requested, comparison.level.reached);
    let rest = format!("{level}, {}", window_of(comparison.baseline_at, comparison.final_at));
    let mut text = head("compare", comparison.status.name(), tone(comparison.status), &rest, style);
    let mut shown: Vec<Entry> = Vec::new();
    for status in [RowStatus::Changed, RowStatus::Unknown, RowStatus::Tolerated, RowStatus::Unchanged] {
        let wanted = |row: &&ComparedRow| row.status == status && (all || status != RowStatus::Unchanged);
        for row in comparison.rows.iter().filter(wanted) {
            let mut said: Vec<String> = row.because.iter().map(|reason| digests(reason)).collect();
            if said.is_empty() {
                said.push(row.last.clone());
            }
            shown.push(Entry::new(status.name(), tone(status), &row.id, said));
        }
    }
    text.push_str(&entries(&shown, style));
    let unchanged = comparison.rows.iter().filter(|row| row.status == RowStatus::Unchanged).count();
    text.push_str(&rest_of(unchanged, "unchanged", all));
    let mut foot = foot();
    named(&mut foot, "quiet", &quiet(comparison));
    named(&mut foot, "database", &comparison.database);
    coverage(&mut foot, &comparison.coverage, all);
    for (what, signer) in signers(comparison) {
        named(&mut foot, what, &signer);
    }
    if comparison.signed.is_empty() {
        named(&mut foot, "signed", "by nobody: the captures are self-reported");
    }
    text + &foot.text(style)
}

/// A comparison for reports.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut text = format!("# Comparison\n\n```\n{}{}```\n\n", verdict(comparison), window(comparison));
    text.push_str("| Observation | Baseline | Final | Status | Because |\n|---|---|---|---|---|\n");
    for ComparedRow { id, baseline, last, status, because } in &comparison.rows {
        let cells = [id.as_str(), baseline, last, status.name(), &because.join("; ")].map(escape);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn header(capture: &Capture) -> String {
    let database = &capture.database;
    let mut text = format!(
        "database  {} {} as {}\ntime      {} to {}\nconfig    sha256 {}\nsnapshot  {}\nlevel     {} requested, {} reached\n",
        printable(&database.system_identifier),
        printable(&database.name),
        printable(&database.role),
        capture.started_at,
        capture.finished_at,
        capture.config_sha256,
        printable(&database.snapshot),
        capture.level.requested.name(),
        level(capture.level.reached),
    );
    text.push_str(&covered(&capture.coverage));
    if !capture.level.missing.is_empty() {
        let _ = writeln!(text, "missing   {}", printable(&capture.level.missing.join(", ")));
    }
    text
}

fn window(comparison: &Comparison) -> String {
    let mut text = format!(
        "database  {}\nwindow    {} to {}\nquiet     {}\nlevel     {} requested, {} reached\n",
        printable(&comparison.database),
        comparison.baseline_at,
        comparison.final_at,
        quiet(comparison),
        comparison.level.requested.name(),
        level(comparison.level.reached),
    );
    text.push_str(&covered(&comparison.coverage));
    for (what, signer) in signers(comparison) {
        let _ = writeln!(text, "{what:<9} {}", printable(&signer));
    }
    text
}

/// The same for reports.
fn covered(coverage: &Coverage) -> String {
    if *coverage == Coverage::default() {
        return String::new();
    }
    let left_out = coverage.left_out.iter().map(|left_out| format!("left out  {}\n", printable(left_out)));
    format!("watched   {} of {} relations\n{}", coverage.relations, coverage.of, left_out.collect::<String>())
}

fn quiet(comparison: &Comparison) -> String {
    match comparison.quiet.proven {
        true => "proven: no writing transaction completed in the whole cluster".to_owned(),
        false => {
            let moved = format!("from {} to {}", comparison.quiet.baseline, comparison.quiet.last);
            printable(&format!("not proven: the snapshot moved {moved}"))
        }
    }
}

/// Who vouches for what, by the trust root.
fn signers(comparison: &Comparison) -> Vec<(&'static str, String)> {
    let signed = &comparison.signed;
    let all = [("baseline", &signed.baseline), ("final", &signed.last), ("witness", &signed.witness)];
    let said = all.into_iter().filter_map(|(what, signer)| Some((what, signer.as_ref()?)));
    said.map(|(what, signer)| {
        let who = signer.entity.as_deref().unwrap_or("whom the trust root does not name");
        (what, format!("signed by {}, {who}", signer.name))
    })
    .collect()
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

/// How much of the database is watched, and what is not.
fn coverage(foot: &mut Lines, coverage: &Coverage, all: bool) {
    if *coverage == Coverage::default() {
        return;
    }
    let flag = if all || coverage.left_out.is_empty() { "" } else { " (--all says what of the catalogs is not)" };
    named(foot, "watched", &format!("{} of {} relations{flag}", coverage.relations, coverage.of));
    for left_out in coverage.left_out.iter().filter(|_| all) {
        named(foot, "left out", left_out);
    }
}

fn level(level: Option<Level>) -> &'static str {
    level.map_or("none", Level::name)
}

/// What was seen, and what was not.
fn seen(observation: &Observation) -> String {
    let unknown = observation.unknown.iter().map(Unknown::words);
    std::iter::once(observation.summary()).chain(unknown).collect::<Vec<_>>().join("; ")
}

/// What a result rests on: a name, and what it is.
fn foot() -> Lines {
    Lines::new([Fit::Whole, Fit::Whole, Fit::Words])
}

/// How many rows are fine, and the flag that shows them.
fn rest_of(count: usize, what: &str, all: bool) -> String {
    let flag = if all || count == 0 { "" } else { " (--all)" };
    format!("  {count} {what}{flag}\n")
}

fn named(foot: &mut Lines, name: &str, what: &str) {
    foot.row([Cell::new(""), Cell::new(name), Cell::new(what)]);
}

fn tone(status: RowStatus) -> Tone {
    match status {
        RowStatus::Unchanged | RowStatus::Tolerated => Tone::Good,
        RowStatus::Unknown => Tone::Open,
        RowStatus::Changed => Tone::Bad,
    }
}

/// The level that was reached, and the one that was asked for where that is another.
fn reached(requested: Level, reached: Option<Level>) -> String {
    match reached {
        Some(reached) if reached == requested => format!("level {}", reached.name()),
        other => format!("level {} ({} requested)", level(other), requested.name()),
    }
}

fn span(capture: &Capture) -> String {
    window_of(capture.started_at, capture.finished_at)
}

/// A time between two others of the record; the day once, and no part of a second.
fn window_of(from: Timestamp, to: Timestamp) -> String {
    let parts = |time: Timestamp| -> Option<(String, String)> {
        let text = time.to_string();
        let (day, rest) = text.strip_suffix('Z')?.split_once('T')?;
        Some((day.to_owned(), rest.get(..8)?.to_owned()))
    };
    match (parts(from), parts(to)) {
        (Some((day, start)), Some((other, end))) if day == other => format!("{day} {start} to {end}Z"),
        (Some((day, start)), Some((other, end))) => format!("{day} {start}Z to {other} {end}Z"),
        _ => format!("{from} to {to}"),
    }
}

/// Text in which no digest is longer than a reader compares.
fn digests(text: &str) -> String {
    text.split(' ').map(digest).collect::<Vec<_>>().join(" ")
}

/// The beginning of a digest, or the end of one that is a sum, which begins with what only very many rows would reach; other words as
/// they are.
fn digest(word: &str) -> String {
    let is_digest = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (start, end) =
        (word.get(..12).unwrap_or_default(), word.get(word.len().saturating_sub(12)..).unwrap_or_default());
    match is_digest {
        false => word.to_owned(),
        true if ["0", "f"].iter().any(|letter| start == letter.repeat(12)) => format!("…{end}"),
        true => start.to_owned(),
    }
}
