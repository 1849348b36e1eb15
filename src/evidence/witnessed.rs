//! What a witness has to say about a comparison: what it saw in between, and whether it saw all of it.

use super::compare::later;
use super::comparison::{ComparedRow, Comparison, RowStatus};
use super::witness::{LOGGED, Seen, WitnessRecord};
use super::{Capture, ObservationId, ObservationKind};
use crate::problem::{Problem, Problems};
use crate::settings::evidence::{EvidenceSettings, Level, tables_of};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Adds a witness to a comparison: what it saw makes rows `CHANGED`, what it did not see makes them `UNKNOWN`.
///
/// Without a record the level `witness` is not reached, and where it was asked for, that is a row of its own.
pub fn add_witness(
    comparison: &mut Comparison,
    (baseline, last): (&Capture, &Capture),
    record: Option<&WitnessRecord>,
    settings: &EvidenceSettings,
) -> Result<(), Problems> {
    let is_asked_for = settings.level == Level::Witness;
    let row = match record {
        Some(record) => {
            same(baseline, record)?;
            let witness = Witness::new(baseline, last, record, settings);
            comparison.rows.iter_mut().for_each(|row| witness.amend(row));
            let unwatched = witness.unwatched(baseline);
            if witness.gaps.is_empty() && unwatched.is_empty() && comparison.level.reached == Some(Level::Net) {
                comparison.level.reached = Some(Level::Witness);
            }
            witness.row(unwatched, is_asked_for)
        }
        None if is_asked_for => ComparedRow {
            id: ObservationId::new(ObservationKind::Witness, ROW),
            status: RowStatus::Unknown,
            baseline: "none".to_owned(),
            last: "none".to_owned(),
            because: vec!["the configuration asks for a witness, and no record of one was given".to_owned()],
        },
        None => return Ok(()),
    };
    if is_asked_for {
        comparison.level.requested = Level::Witness;
    }
    comparison.rows.push(row);
    comparison.rows.sort_by(|a, b| a.id.cmp(&b.id));
    comparison.status = comparison.rows.iter().map(|row| row.status).max().unwrap_or(RowStatus::Unknown);
    Ok(())
}

/// Refuses a record of something else; all reasons together.
fn same(capture: &Capture, record: &WitnessRecord) -> Result<(), Problems> {
    let mut problems = Problems::new();
    let mut refuse = |text: &str, help: &str| problems.push(Problem::invalid(text).help(help));
    let opened = &record.opened;
    if (&opened.system_identifier, &opened.database) != (&capture.database.system_identifier, &capture.database.name) {
        refuse("the witness watched another database than the captures", "name the record of the same database");
    }
    if opened.config_sha256 != capture.config_sha256 {
        refuse("the witness and the captures do not have the same configuration", "what is observed must not change");
    }
    problems.or(())
}

/// A record beside the time between two captures.
struct Witness<'a> {
    record: &'a WitnessRecord,
    settings: &'a EvidenceSettings,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// Why it did not see all of it.
    gaps: Vec<String>,
}

impl<'a> Witness<'a> {
    fn new(baseline: &Capture, last: &Capture, record: &'a WitnessRecord, settings: &'a EvidenceSettings) -> Self {
        // By the server's clock, as the record is: those of the hosts may differ.
        let (began, ended) = (baseline.database.opened_at, last.database.closed_at);
        let mut gaps = record.gaps();
        if began.is_none() || ended.is_none() {
            gaps.push("a capture does not say the server's time".to_owned());
        }
        let opened = &record.opened;
        if began.is_some_and(|began| opened.at > began) || later(&opened.snapshot, &baseline.database.snapshot) {
            gaps.push(format!("the witness began at {}, after the baseline", opened.at));
        }
        if let Some(closed) = &record.closed
            && (ended.is_some_and(|ended| ended > closed.at)
                || later(&last.database.closing_snapshot, &closed.snapshot))
        {
            gaps.push(format!("the witness ended at {}, before the final capture", closed.at));
        }
        if opened.server_started_at != last.database.server_started_at {
            gaps.push("the server was restarted".to_owned());
        }
        Self { record, settings, began, ended, gaps }
    }

    /// The worst of what a row says by itself and what the witness has to say.
    fn amend(&self, row: &mut ComparedRow) {
        if !row.id.kind().is_counted() {
            return;
        }
        let mut found = self.seen(&row.id);
        if !self.gaps.is_empty() {
            found.extend(self.gaps.iter().map(|gap| (RowStatus::Unknown, gap.clone())));
        }
        let Some(worst) = found.iter().map(|(status, _)| *status).max() else { return };
        if worst < row.status {
            return;
        }
        if worst > row.status {
            row.because.clear();
        }
        row.status = worst;
        let said: BTreeSet<String> =
            found.into_iter().filter(|(status, _)| *status == worst).map(|(_, text)| text).collect();
        row.because.extend(said);
    }

    /// What it saw of one observation between the captures.
    fn seen(&self, id: &ObservationId) -> Vec<(RowStatus, String)> {
        let is_catalog = id.kind() == ObservationKind::Catalog;
        let tables: BTreeSet<ObservationId> = match is_catalog {
            true => tables_of(id.name())
                .into_iter()
                .map(|table| ObservationId::new(ObservationKind::Table, table))
                .collect(),
            false => BTreeSet::from([id.clone()]),
        };
        // By part, so that what two of them saw is not counted twice.
        let mut certain: BTreeMap<&str, BTreeMap<&str, i64>> = BTreeMap::new();
        let mut unsure: BTreeMap<&str, BTreeMap<&str, i64>> = BTreeMap::new();
        for seen in self.record.seen.iter().filter(|seen| tables.contains(&seen.id)) {
            let into = match self.when(seen) {
                Some(true) if !is_catalog => &mut certain,
                Some(_) => &mut unsure,
                None => continue,
            };
            let counts = into.entry(&seen.part).or_default();
            seen.what.iter().for_each(|(what, count)| *counts.entry(what).or_default() += count);
        }
        let mut found = Vec::new();
        for (part, counts) in certain {
            let text = words(&counts);
            found.push(match self.tolerated(id, &counts) {
                Some(why) => (RowStatus::Tolerated, format!("the witness saw by its {part}: {text}, {why}")),
                None => (RowStatus::Changed, format!("the witness saw by its {part}: {text}")),
            });
        }
        for (part, counts) in unsure {
            let place = if is_catalog {
                "elsewhere in the catalog, or put back"
            } else {
                "perhaps before the baseline or after the end"
            };
            found.push((RowStatus::Unknown, format!("the witness saw by its {part}: {}, {place}", words(&counts))));
        }
        found
    }

    /// Whether something happened between the captures for certain; nothing where it certainly did not.
    fn when(&self, seen: &Seen) -> Option<bool> {
        let (from, to) = (seen.from, seen.to);
        let (Some(began), Some(ended)) = (self.began, self.ended) else {
            return Some(false);
        };
        if to < began || from > ended {
            return None;
        }
        // Counters come late, so that what they tell of may be older than the look before.
        let late = if seen.part == "counters" { LONGEST_LAG } else { 0 };
        Some(from.milliseconds() >= began.milliseconds().saturating_add(late) && to <= ended)
    }

    /// Growth that was declared, and is nothing else.
    fn tolerated(&self, id: &ObservationId, counts: &BTreeMap<&str, i64>) -> Option<String> {
        let bound = self.settings.tolerate.iter().find(|toleration| {
            toleration.id == *id && matches!(toleration.value.as_deref(), None | Some("rows" | "counters"))
        })?;
        let grows = |what: &str| what.starts_with("insert") || what.starts_with("multi_insert") || what == "calls";
        // That headers moved says nothing of how; the counters say it.
        let within =
            counts.iter().all(|(what, count)| *what == "headers moved" || (grows(what) && *count <= bound.growth));
        within.then(|| format!("at most {} more: {}", bound.growth, bound.why))
    }

    /// Relations of which no part sees every change.
    fn unwatched(&self, baseline: &Capture) -> Vec<String> {
        let opened = &self.record.opened;
        let relations = baseline.observations.iter().map(|observation| &observation.id);
        let relations = relations.filter(|id| id.kind() == ObservationKind::Relation).map(|id| id.name());
        let names = relations.filter(|name| !self.record.is_complete_for(name));
        let mut reasons: BTreeSet<String> = BTreeSet::new();
        for name in names {
            reasons.insert(match opened.relations.get(name) {
                Some(kind) if kind != LOGGED => format!("of `{name}` the log says nothing: {kind}"),
                _ => {
                    let off =
                        opened.parts.iter().filter_map(|part| Some(format!("{}: {}", part.name, part.off.as_ref()?)));
                    format!("no part sees every change: {}", off.collect::<Vec<_>>().join("; "))
                }
            });
        }
        reasons.into_iter().collect()
    }

    fn row(&self, unwatched: Vec<String>, is_asked_for: bool) -> ComparedRow {
        let is_known = self.gaps.is_empty() && (unwatched.is_empty() || !is_asked_for);
        let mut because = self.gaps.clone();
        because.extend(unwatched);
        ComparedRow {
            id: ObservationId::new(ObservationKind::Witness, ROW),
            status: if is_known { RowStatus::Unchanged } else { RowStatus::Unknown },
            baseline: format!("watching from {}", self.record.opened.at),
            last: match &self.record.closed {
                Some(closed) => format!("to {}, ended by {}", closed.at, closed.reason),
                None => format!("last sign of life {}", self.record.last_at),
            },
            because,
        }
    }
}

fn words(counts: &BTreeMap<&str, i64>) -> String {
    counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// The row of the witness itself.
const ROW: &str = "record";

/// In milliseconds: the longest time for which a session holds counters back, and some more.
const LONGEST_LAG: i64 = 11_000;
