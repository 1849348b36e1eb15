//! Two captures compared: what is the same, what is not, what was expected to grow, and what cannot be known.

mod catalogs;
mod growth;
mod window;

use super::Capture;
use super::ObservationId;
use super::comparison::{ComparedRow, Comparison, LevelReached, Quiet, RowStatus, Signers};
use crate::digest::Digest;
use crate::problem::{Problem, Problems};
use crate::settings::evidence::{EvidenceSettings, Level};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use window::Window;

/// What a comparison may accept.
#[derive(Debug)]
pub struct ComparisonLimits {
    /// The time of the comparison.
    pub now: Timestamp,
    /// Sha-256 over the configuration in force.
    pub config: Option<Digest>,
}

/// Compares two captures of one database, or says why they cannot be compared.
pub fn compare(
    baseline: &Capture,
    last: &Capture,
    settings: &EvidenceSettings,
    limits: &ComparisonLimits,
) -> Result<Comparison, Problems> {
    comparable(baseline, last, settings, limits)?;
    let window = Window::new(baseline, last, settings);
    let ids: BTreeSet<&ObservationId> =
        baseline.observations.iter().chain(&last.observations).map(|observation| &observation.id).collect();
    let rows: Vec<ComparedRow> =
        ids.into_iter().map(|id| window.row(id, baseline.observation(id), last.observation(id))).collect();
    let status = rows.iter().map(|row| row.status).max().unwrap_or(RowStatus::Unknown);
    let requested = baseline.level.requested.min(last.level.requested);
    let both = baseline.level.reached.zip(last.level.reached).map(|(a, b)| a.min(b));
    // Counts prove nothing by themselves, and only equal snapshots prove quiet.
    let reached = both.map(|level| match level {
        Level::Quiet if !window.quiet => Level::Counts,
        Level::Net | Level::Witness if !window.quiet && !window.counters_hold() => Level::Counts,
        other => other,
    });
    Ok(Comparison {
        version: 1,
        status,
        baseline_at: baseline.started_at,
        final_at: last.finished_at,
        database: format!("{} {}", last.database.system_identifier, last.database.name),
        level: LevelReached { requested, reached },
        quiet: Quiet {
            proven: window.quiet,
            baseline: baseline.database.snapshot.clone(),
            last: last.database.closing_snapshot.clone(),
        },
        coverage: last.coverage.clone(),
        signed: Signers::default(),
        rows,
    })
}

/// Refuses captures that say nothing about each other; all reasons together.
fn comparable(
    a: &Capture,
    b: &Capture,
    settings: &EvidenceSettings,
    limits: &ComparisonLimits,
) -> Result<(), Problems> {
    let mut problems = Problems::new();
    let mut refuse = |text: String, help: &str| problems.push(Problem::invalid(text).help(help));
    let of = |capture: &Capture| {
        (capture.database.system_identifier.clone(), capture.database.name.clone(), capture.database.oid.clone())
    };
    if of(a) != of(b) {
        refuse(
            format!("the captures are of different databases: `{} {}` and `{} {}`", of(a).0, of(a).1, of(b).0, of(b).1),
            "capture the same database twice",
        );
    }
    if a.database.role != b.database.role {
        refuse(
            format!("the captures were made by different roles: `{}` and `{}`", a.database.role, b.database.role),
            "roles see different rows; capture as the same role twice",
        );
    }
    if a.level.requested.min(Level::Net) != b.level.requested.min(Level::Net) {
        refuse(
            format!(
                "the captures are of different levels: `{}` and `{}`",
                a.level.requested.name(),
                b.level.requested.name()
            ),
            "capture twice with the same --level",
        );
    }
    if a.level.strict != b.level.strict {
        refuse(
            "one of the captures was made with --strict, the other without: their digests say nothing about each other"
                .to_owned(),
            "capture twice in the same way",
        );
    }
    if a.config_sha256 != b.config_sha256 || Some(b.config_sha256) != limits.config {
        refuse(
            "the captures and this comparison do not have the same configuration".to_owned(),
            "what is observed must not change in between; capture again, or name the same file with --config",
        );
    }
    if a.started_at == b.started_at && a.finished_at == b.finished_at {
        refuse(
            format!("both captures are the one of {} to {}", a.started_at, a.finished_at),
            "name the baseline, and then a capture that was made after it",
        );
    } else if ![a.started_at, a.finished_at, b.started_at, b.finished_at].is_sorted()
        || later(&a.database.snapshot, &b.database.snapshot)
    {
        refuse(
            format!("the captures are out of order: {} comes before {}", b.started_at, a.finished_at),
            "name the baseline first",
        );
    }
    if b.finished_at > limits.now {
        refuse(format!("the final capture is of {}, which is in the future", b.finished_at), "check the clocks");
    }
    let age = limits.now.milliseconds().saturating_sub(a.started_at.milliseconds()) / 1000;
    if age > i64::try_from(settings.oldest_seconds).unwrap_or(i64::MAX) {
        refuse(
            format!("the baseline of {} is older than {} s", a.started_at, settings.oldest_seconds),
            "capture a new one, or raise `oldest_seconds` of `[evidence]`",
        );
    }
    problems.or(())
}

/// Whether the first of two snapshots is the later one.
pub(super) fn later(a: &str, b: &str) -> bool {
    let next = |text: &str| text.split(':').nth(1).and_then(|next| next.parse::<u64>().ok());
    next(a).zip(next(b)).is_some_and(|(a, b)| a > b)
}

fn difference(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let count = |counters: &BTreeMap<String, i64>, name: &String| counters.get(name).copied().unwrap_or(0);
    names
        .into_iter()
        .map(|name| (name.clone(), count(after, name).saturating_sub(count(before, name))))
        .filter(|(_, moved)| *moved != 0)
        .collect()
}
