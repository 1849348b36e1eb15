//! What is known of the time between two captures, and what each thing observed at both ends came to in it.

use super::super::comparison::{BENEATH, ComparedRow, ROLLED_BACK, RowStatus};
use super::super::{Capture, IN, InFlight, Observation, ObservationId, ObservationKind, Status, WAY};
use super::growth::Growth;
use super::{catalogs, difference};
use crate::settings::evidence::{EvidenceSettings, Toleration, tables_of};
use std::collections::BTreeSet;

/// What is known of the time between two captures.
pub(super) struct Window<'a> {
    pub(super) quiet: bool,
    restarted: bool,
    reset: bool,
    /// Why the server may not have counted everything.
    blind: Option<String>,
    /// Who may hold counters of before the final capture back.
    held: Vec<&'a InFlight>,
    /// Whose one transaction spans the whole window: nothing of it has completed, and what it called has been called.
    spanning: Vec<&'a InFlight>,
    /// Whether somebody held counters of before the baseline back.
    was_held: bool,
    rolled_back: i64,
    has_counters: bool,
    loaded: bool,
    snapshot: &'a str,
    tolerate: &'a [Toleration],
}

/// What was found out about one thing.
pub(super) type Findings = Vec<(RowStatus, String)>;

impl<'a> Window<'a> {
    pub(super) fn new(a: &'a Capture, b: &'a Capture, settings: &'a EvidenceSettings) -> Self {
        let restarted =
            a.database.server_started_at != b.database.server_started_at || a.database.timeline != b.database.timeline;
        let snapshot = &a.database.snapshot;
        let equal =
            !snapshot.is_empty() && *snapshot == b.database.snapshot && *snapshot == b.database.closing_snapshot;
        // What a standby shows is only as far as it has come.
        let is_standby = [a, b].iter().any(|capture| capture.database.timeline.ends_with("in recovery"));
        let counters = a.database.counters.as_ref().zip(b.database.counters.as_ref());
        let unknown = |capture: &'a Capture| capture.observation("database:counters")?.unknown.first();
        // What replicates since before the baseline has done nothing in between, and has handed out nothing.
        let (first, last) = counters.map_or((&[][..], &[][..]), |(a, b)| (&a.in_flight[..], &b.in_flight[..]));
        let since = a.database.opened_at;
        let replicates = |one: &InFlight| one.replicates_since.zip(since).is_some_and(|(began, since)| began < since);
        let running = counters.map_or(&[][..], |(first, _)| &first.running[..]);
        let (spanning, held): (Vec<&InFlight>, Vec<&InFlight>) = last
            .iter()
            .filter(|held| !replicates(held))
            .partition(|held| held.transaction.as_ref().is_some_and(|held| running.contains(held)));
        let goes_on = |one: &InFlight| {
            replicates(one)
                && last
                    .iter()
                    .any(|other| (&other.session, other.replicates_since) == (&one.session, one.replicates_since))
        };
        let loaded = |capture: &'a Capture| capture.observation("database:configuration_files")?.traces.get("loaded");
        Self {
            quiet: equal && !restarted && !is_standby,
            restarted,
            reset: counters.is_some_and(|(a, b)| a.reset_at != b.reset_at),
            blind: [a, b].into_iter().find_map(unknown).map(|unknown| unknown.reason.clone()),
            held,
            spanning,
            was_held: !first.iter().all(goes_on),
            rolled_back: counters.map_or(0, |(a, b)| b.rolled_back[1].saturating_sub(a.rolled_back[0])),
            has_counters: counters.is_some(),
            loaded: loaded(a) != loaded(b),
            snapshot,
            tolerate: &settings.tolerate,
        }
    }

    pub(super) fn counters_hold(&self) -> bool {
        self.has_counters && self.held.is_empty() && self.blind.is_none() && !self.reset && !self.restarted
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
        let mut findings = Findings::new();
        let growth = Growth::new(self.tolerate, a, b, self.snapshot);
        self.unknown(a, b, &mut findings);
        values(a, b, &growth, &mut findings);
        self.traces(a, b, &growth, &mut findings);
        self.counters(a, b, &growth, &mut findings);
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

    fn unknown(&self, a: &Observation, b: &Observation, findings: &mut Findings) {
        for unknown in &a.unknown {
            let when = if b.unknown.contains(unknown) { "at both ends" } else { "at the baseline" };
            findings.push((RowStatus::Unknown, format!("{}, {when}", unknown.words())));
        }
        for unknown in b.unknown.iter().filter(|unknown| !a.unknown.contains(unknown)) {
            findings.push((RowStatus::Unknown, format!("{}, at the final", unknown.words())));
        }
    }

    /// Every write leaves a mark; one that moved while nothing else did says that something was put back.
    fn traces(&self, a: &Observation, b: &Observation, growth: &Growth<'_>, findings: &mut Findings) {
        let kind = a.id.kind();
        findings.extend(on_the_way(a, b).map(|step| (RowStatus::Unknown, format!("{step}{ELSEWHERE}"))));
        let before = a.traces.iter().filter(|(name, _)| !name.starts_with(WAY));
        let before = before.filter_map(|(name, before)| Some((name, before, b.traces.get(name)?)));
        for (name, before, after) in before.filter(|(_, before, after)| before != after) {
            let is_explained = findings.iter().any(|(status, text)| {
                *status == RowStatus::Changed
                    && (text.starts_with(&format!("{name}:")) || kind == ObservationKind::Relation)
            });
            if is_explained {
                continue;
            }
            let value = b.values.get(name).map_or("", String::as_str);
            findings.extend(match (kind, growth.status(name)) {
                (_, Some(why)) => Some((RowStatus::Tolerated, format!("{name} moved, {why}"))),
                (ObservationKind::Catalog, None) => Some(catalogs::moved(name, value, before, after)),
                (ObservationKind::Relation, None) => Some((RowStatus::Changed, rewritten(name, a, b, growth))),
                (ObservationKind::Database, None) if a.id.name() == "configuration_files" => self.file(name, value),
                _ => Some((RowStatus::Changed, format!("{name}: written, and put back"))),
            });
        }
    }

    /// A configuration file that was written: only its digest says that it holds the same, and only that nothing was loaded
    /// in between says that it held nothing else with any effect.
    fn file(&self, name: &str, value: &str) -> Option<(RowStatus, String)> {
        match (name, value) {
            ("loaded", _) => None,
            (_, "a folder") => Some((RowStatus::Changed, format!("{name}: a file in it was made or removed"))),
            (_, value) if value.starts_with("sha256") && !self.loaded => None,
            (_, value) if value.starts_with("sha256") => {
                let text = format!("{name}: written with the same content, and files were loaded in between");
                Some((RowStatus::Unknown, text))
            }
            _ => Some((RowStatus::Unknown, format!("{name}: written; its size is the same, its content is not known"))),
        }
    }

    fn counters(&self, a: &Observation, b: &Observation, growth: &Growth<'_>, findings: &mut Findings) {
        let kind = a.id.kind();
        // What a query answers is counted where it reads something that is.
        if !kind.is_counted() && (a.counters.is_none() || b.counters.is_none()) {
            return;
        }
        let (is_catalog, is_call) = (kind == ObservationKind::Catalog, kind == ObservationKind::Function);
        // What leaves its mark on something that stays needs no counter.
        if is_catalog && tables_of(a.id.name()).is_empty() {
            return;
        }
        // A call that writes nothing takes no transaction id, so that only its own counter shows it.
        if self.quiet && !is_call {
            return;
        }
        let mut unknown = |text: String| findings.push((RowStatus::Unknown, text));
        let (Some(before), Some(after)) = (&a.counters, &b.counters) else {
            if !is_call {
                unknown("transactions completed in between, and nothing shows what they did and undid here".to_owned());
            }
            return;
        };
        if self.restarted || self.reset {
            let what = if self.restarted { "the server was restarted" } else { "counters were set to zero" };
            return unknown(format!("{what} in between, so that what was done and undone here is not known"));
        }
        if let Some(blind) = &self.blind {
            unknown(format!("what was done and undone here is not known: {blind}"));
        }
        for held in &self.held {
            unknown(match (held.replicates_since, held.idle) {
                (Some(since), _) => format!(
                    "session {} replicates since {since} and holds what it did before back until it ends: end it, and capture again",
                    held.session
                ),
                (None, true) => {
                    format!("session {} may hold counters back for another 11 s: capture with --settle", held.session)
                }
                (None, false) => format!(
                    "session {} may hold counters back until it is idle: wait for it, or capture with --settle SECONDS",
                    held.session
                ),
            });
        }
        for open in self.spanning.iter().filter(|_| is_call) {
            unknown(format!(
                "session {} was in one transaction all the time, and what it called is not counted yet",
                open.session
            ));
        }
        if is_call && self.rolled_back > 0 {
            unknown(format!("{}{ROLLED_BACK}", self.rolled_back));
        }
        let moved = difference(&before.opening, &after.closing);
        let certain = difference(&before.closing, &after.closing);
        if moved.values().any(|count| *count < 0) {
            return unknown("counters went backwards".to_owned());
        }
        if moved.is_empty() || (is_catalog && catalogs::explains(a, b, &moved)) {
            if is_call {
                let note = "a call that ended in an error, which its caller caught, is not counted";
                findings.push((RowStatus::Unchanged, note.to_owned()));
            }
            return;
        }
        let text: Vec<String> = moved.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let text = text.join(", ");
        let is_certain = !certain.is_empty() && !self.was_held;
        findings.push(match growth.counters(&moved) {
            Some(why) => (RowStatus::Tolerated, format!("{text}, {why}")),
            None if is_catalog && is_certain && catalogs::is_seldom(a.id.name()) => {
                (RowStatus::Changed, format!("in between: {text}, put back or not shown"))
            }
            None if is_catalog => (RowStatus::Unknown, format!("{text}: elsewhere in the catalog, or put back")),
            None if is_call && is_certain => (RowStatus::Changed, format!("called: {text}")),
            None if moved.keys().any(|name| name.starts_with(BELOW)) => {
                (RowStatus::Unknown, format!("{text}{BENEATH}"))
            }
            None if is_certain => (RowStatus::Changed, format!("in between: {text}")),
            None => (RowStatus::Unknown, format!("{text}, before the baseline or during it")),
        });
    }
}

/// The folders and links on the way to it in whose place there may have been another meanwhile.
fn on_the_way<'a>(a: &'a Observation, b: &'a Observation) -> impl Iterator<Item = &'a str> {
    let steps: BTreeSet<&String> = a.traces.keys().chain(b.traces.keys()).collect();
    let is_moved = |step: &&String| match (a.traces.get(*step), b.traces.get(*step)) {
        (Some(before), Some(after)) => match (before.split_once(IN), after.split_once(IN)) {
            // Who puts a folder in the place of another writes in the one that both lie in.
            (Some((own, parent)), Some((own_after, parent_after))) => own != own_after && parent != parent_after,
            _ => before != after,
        },
        _ => true,
    };
    steps.into_iter().filter(|step| step.starts_with(WAY)).filter(is_moved).filter_map(|step| step.strip_prefix(WAY))
}

fn values(a: &Observation, b: &Observation, growth: &Growth<'_>, findings: &mut Findings) {
    let is_unknown = |observation: &Observation, name: &str| {
        observation.unknown.iter().any(|unknown| {
            // What could not be read as a whole says nothing about its parts.
            unknown.value == name
                || matches!(unknown.value.as_str(), "value" | "rows" | "manifest" | "definition" | "sha256")
        })
    };
    let names: BTreeSet<&String> = a.values.keys().chain(b.values.keys()).collect();
    for name in names {
        match (a.values.get(name), b.values.get(name)) {
            (Some(before), Some(after)) if before == after => {}
            (Some(before), Some(after)) => findings.push(match growth.status(name) {
                Some(why) => (RowStatus::Tolerated, format!("{name}: {before} -> {after}, {why}")),
                None => {
                    let text = match a.id.kind() {
                        ObservationKind::Catalog => catalogs::change(before, after),
                        _ => format!("{} -> {}", short(before), short(after)),
                    };
                    (RowStatus::Changed, format!("{name}: {text}{}", growth.refusal()))
                }
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

/// What a mark of a relation says that moved while its rows are as many as before.
fn rewritten(name: &str, a: &Observation, b: &Observation, growth: &Growth<'_>) -> String {
    let is_same = |value: &str| a.values.get(value).is_some_and(|before| b.values.get(value) == Some(before));
    let refusal = growth.refusal();
    match (name, is_same("content") || is_same("sha256")) {
        ("storage", true) => format!("storage: rewritten, and the content is the same{refusal}"),
        ("headers", true) => format!("headers: written, and put back{refusal}"),
        _ => format!("{name}: written{refusal}"),
    }
}

/// The beginning of a long value.
pub(super) fn short(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}

/// What it says of a folder or link on the way.
const ELSEWHERE: &str = ": was written or replaced meanwhile, so that the path may have led elsewhere";

/// Counters of what a relation without rows of its own is made of.
const BELOW: &str = "below ";

const MOST_REASONS: usize = 5;
