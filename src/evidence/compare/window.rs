//! What is known of the time between two captures, and what each thing observed at both ends came to in it.

use super::super::comparison::{ComparedRow, RowStatus};
use super::super::{Capture, Observation, ObservationId, ObservationKind, Status};
use super::difference;
use super::growth::Growth;
use crate::settings::evidence::{EvidenceSettings, Toleration};
use std::collections::BTreeSet;

/// What is known of the time between two captures.
pub(super) struct Window<'a> {
    pub(super) quiet: bool,
    restarted: bool,
    reset: bool,
    settled: bool,
    held: bool,
    tolerate: &'a [Toleration],
}

impl<'a> Window<'a> {
    pub(super) fn new(a: &Capture, b: &Capture, settings: &'a EvidenceSettings) -> Self {
        let restarted =
            a.database.server_started_at != b.database.server_started_at || a.database.timeline != b.database.timeline;
        let first = &a.database.snapshot;
        let equal = !first.is_empty() && *first == b.database.snapshot && *first == b.database.closing_snapshot;
        let reset_at = |capture: &Capture| capture.observation("database:statistics").map(|found| found.values.clone());
        let counters = a.database.counters.as_ref().zip(b.database.counters.as_ref());
        Self {
            quiet: equal && !restarted,
            restarted,
            reset: reset_at(a) != reset_at(b),
            settled: counters.is_some_and(|(_, last)| last.settled),
            // One transaction that spans the whole window has not completed in it.
            held: counters.is_some_and(|(first, last)| last.held.iter().any(|held| !first.running.contains(held))),
            tolerate: &settings.tolerate,
        }
    }

    pub(super) fn counters_hold(&self) -> bool {
        self.settled && !self.held && !self.reset && !self.restarted
    }

    /// One row; the worst of what is found decides.
    pub(super) fn row(
        &self,
        id: &ObservationId,
        baseline: Option<&Observation>,
        last: Option<&Observation>,
    ) -> ComparedRow {
        let shown = |observation: Option<&Observation>| match observation {
            Some(observation) if observation.status == Status::Unknown && observation.values.len() < 2 => {
                "unknown".to_owned()
            }
            Some(observation) => observation.summary(),
            None => "not observed".to_owned(),
        };
        let (a, b) = match (baseline, last) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => {
                let because = vec!["it was observed at one end only".to_owned()];
                return ComparedRow {
                    id: id.clone(),
                    status: RowStatus::Unknown,
                    baseline: shown(a),
                    last: shown(b),
                    because,
                };
            }
        };
        let mut findings: Vec<(RowStatus, String)> = Vec::new();
        self.unknown(a, b, &mut findings);
        self.values(a, b, &mut findings);
        self.traces(a, b, &mut findings);
        self.counters(a, b, &mut findings);
        let status = findings.iter().map(|(status, _)| *status).max().unwrap_or(RowStatus::Unchanged);
        let mut because: Vec<String> =
            findings.into_iter().filter(|(found, _)| *found == status).map(|(_, text)| text).collect();
        let more = because.len().saturating_sub(MOST_REASONS);
        because.truncate(MOST_REASONS);
        if more > 0 {
            because.push(format!("and {more} more"));
        }
        ComparedRow { id: id.clone(), status, baseline: shown(baseline), last: shown(last), because }
    }

    fn unknown(&self, a: &Observation, b: &Observation, findings: &mut Vec<(RowStatus, String)>) {
        for unknown in &a.unknown {
            let when = if b.unknown.contains(unknown) { "at both ends" } else { "at the baseline" };
            findings.push((RowStatus::Unknown, format!("{}, {when}", unknown.words())));
        }
        for unknown in b.unknown.iter().filter(|unknown| !a.unknown.contains(unknown)) {
            findings.push((RowStatus::Unknown, format!("{}, at the final", unknown.words())));
        }
    }

    fn values(&self, a: &Observation, b: &Observation, findings: &mut Vec<(RowStatus, String)>) {
        let is_unknown = |observation: &Observation, name: &str| {
            observation.unknown.iter().any(|unknown| {
                // What could not be read as a whole says nothing about its parts.
                unknown.value == name
                    || matches!(unknown.value.as_str(), "value" | "rows" | "manifest" | "definition" | "sha256")
            })
        };
        let growth = self.growth(a, b);
        let names: BTreeSet<&String> = a.values.keys().chain(b.values.keys()).collect();
        for name in names {
            match (a.values.get(name), b.values.get(name)) {
                (Some(before), Some(after)) if before == after => {}
                (Some(before), Some(after)) => findings.push(match growth.status(name) {
                    Some(why) => (RowStatus::Tolerated, format!("{name}: {before} -> {after}, {why}")),
                    None => (RowStatus::Changed, format!("{name}: {} -> {}", short(before), short(after))),
                }),
                (Some(before), None) if !is_unknown(b, name) => {
                    findings.push((RowStatus::Changed, format!("{name}: {} -> gone", short(before))));
                }
                (None, Some(after)) if !is_unknown(a, name) => {
                    findings.push((RowStatus::Changed, format!("{name}: new, {}", short(after))));
                }
                _ => {}
            }
        }
    }

    /// Every write leaves a mark; one that moved while nothing else did says that something was put back.
    fn traces(&self, a: &Observation, b: &Observation, findings: &mut Vec<(RowStatus, String)>) {
        let growth = self.growth(a, b);
        let moved: Vec<&String> = a
            .traces
            .iter()
            .filter(|(name, before)| b.traces.get(*name).is_some_and(|after| after != *before))
            .map(|(name, _)| name)
            .collect();
        for name in moved {
            let is_explained = findings.iter().any(|(status, text)| {
                *status == RowStatus::Changed
                    && (text.starts_with(&format!("{name}:")) || a.id.kind() == ObservationKind::Relation)
            });
            if is_explained {
                continue;
            }
            findings.push(match growth.status(name) {
                Some(why) => (RowStatus::Tolerated, format!("{name} moved, {why}")),
                None => (RowStatus::Changed, format!("{name}: written, and put back")),
            });
        }
    }

    fn counters(&self, a: &Observation, b: &Observation, findings: &mut Vec<(RowStatus, String)>) {
        let kind = a.id.kind();
        if !kind.is_counted() {
            return;
        }
        let (is_relation, is_call) = (kind == ObservationKind::Relation, kind == ObservationKind::Function);
        // A call that writes nothing takes no transaction id, so that only its own counter shows it.
        if self.quiet && !is_call {
            return;
        }
        let (Some(before), Some(after)) = (&a.counters, &b.counters) else {
            if !is_call {
                findings.push((
                    RowStatus::Unknown,
                    "transactions completed in between, and nothing shows what they did and undid here".to_owned(),
                ));
            }
            return;
        };
        if self.restarted || self.reset {
            let what = if self.restarted { "the server was restarted" } else { "counters were set to zero" };
            findings.push((
                RowStatus::Unknown,
                format!("{what} in between, so that what was done and undone here is not known"),
            ));
            return;
        }
        let moved = difference(&before.opening, &after.closing);
        let certain = difference(&before.closing, &after.closing);
        if moved.values().any(|count| *count < 0) {
            findings.push((RowStatus::Unknown, "counters went backwards".to_owned()));
        } else if !moved.is_empty() {
            let text: Vec<String> = moved.iter().map(|(name, count)| format!("{count} {name}")).collect();
            let text = text.join(", ");
            let tolerated = self.growth(a, b).counters(&moved);
            findings.push(match tolerated {
                Some(why) => (RowStatus::Tolerated, format!("{text}, {why}")),
                None if is_call => (RowStatus::Changed, format!("called: {text}")),
                None if is_relation && !certain.is_empty() => (RowStatus::Changed, format!("in between: {text}")),
                None if is_relation => (RowStatus::Unknown, format!("{text}, before the baseline or during it")),
                None => (RowStatus::Unknown, format!("{text}: elsewhere in the catalog, or put back")),
            });
        } else if !self.settled {
            findings.push((RowStatus::Unknown, "counters may lag by 10 s, and that was not waited out".to_owned()));
        } else if self.held {
            findings.push((RowStatus::Unknown, "a session in a transaction may hold counters back".to_owned()));
        }
    }

    fn growth<'b>(&'b self, a: &'b Observation, b: &'b Observation) -> Growth<'b> {
        let all: Vec<&Toleration> = self.tolerate.iter().filter(|toleration| toleration.id == a.id).collect();
        Growth { all, a, b, counters_hold: self.counters_hold() }
    }
}

/// The beginning of a long value.
fn short(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}

const MOST_REASONS: usize = 5;
