//! Two captures compared: what is the same, what is not, what was expected to grow, and what cannot be known.

use super::settings::{EvidenceSettings, Level, Toleration};
use super::{Capture, Observation, Status};
use crate::problem::{Problem, Problems};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What two captures say together, version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The version of this form, 1.
    pub version: u32,
    /// The worst of the rows.
    pub status: RowStatus,
    /// When the baseline was begun.
    pub baseline_at: String,
    /// When the final capture was ended.
    pub final_at: String,
    /// Which database.
    pub database: String,
    /// The level that was asked for, and the one that both captures together reach.
    pub level: LevelReached,
    /// Whether no writing transaction completed in the whole cluster, and by what that is known.
    pub quiet: Quiet,
    /// One row for each thing that was observed at either end, sorted by id.
    pub rows: Vec<Row>,
}

/// What was asked for and what was reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelReached {
    /// The lower of what both captures were asked for.
    pub requested: Level,
    /// What is proven; none where not even the counts are.
    pub reached: Option<Level>,
}

/// Whether the cluster was quiet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// Whether equal snapshots prove it.
    pub proven: bool,
    /// `pg_current_snapshot()` at the baseline.
    pub baseline: String,
    /// The same at the end of the final capture.
    #[serde(rename = "final")]
    pub last: String,
}

/// What became of one observed thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RowStatus {
    /// It is the same, and nothing was done to it in between.
    Unchanged,
    /// It grew within its declared bound.
    Tolerated,
    /// It cannot be known.
    Unknown,
    /// It is not the same, or something was done to it and undone.
    Changed,
}

impl RowStatus {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "UNCHANGED",
            Self::Tolerated => "TOLERATED",
            Self::Unknown => "UNKNOWN",
            Self::Changed => "CHANGED",
        }
    }
}

/// One observed thing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The observation's id.
    pub id: String,
    /// What became of it.
    pub status: RowStatus,
    /// What it came to at the baseline.
    pub baseline: String,
    /// What it came to at the end.
    #[serde(rename = "final")]
    pub last: String,
    /// Why the status is what it is.
    pub because: Vec<String>,
}

/// What a comparison may accept.
#[derive(Debug)]
pub struct Limits {
    /// The time of the comparison.
    pub now: Timestamp,
    /// Sha-256 over the configuration in force.
    pub config: String,
}

/// Compares two captures of one database, or says why they cannot be compared.
pub fn compare(
    baseline: &Capture,
    last: &Capture,
    settings: &EvidenceSettings,
    limits: &Limits,
) -> Result<Comparison, Problems> {
    comparable(baseline, last, settings, limits)?;
    let window = Window::new(baseline, last, settings);
    let ids: BTreeSet<&str> =
        baseline.observations.iter().chain(&last.observations).map(|observation| observation.id.as_str()).collect();
    let rows: Vec<Row> =
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
        baseline_at: baseline.started_at.clone(),
        final_at: last.finished_at.clone(),
        database: format!("{} {}", last.database.system_identifier, last.database.name),
        level: LevelReached { requested, reached },
        quiet: Quiet {
            proven: window.quiet,
            baseline: baseline.database.snapshot.clone(),
            last: last.database.closing_snapshot.clone(),
        },
        rows,
    })
}

/// Refuses captures that say nothing about each other; all reasons together.
fn comparable(a: &Capture, b: &Capture, settings: &EvidenceSettings, limits: &Limits) -> Result<(), Problems> {
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
    if a.config_sha256 != b.config_sha256 || b.config_sha256 != limits.config {
        refuse(
            "the captures and this comparison do not have the same configuration".to_owned(),
            "what is observed must not change in between; capture again, or name the same file with --config",
        );
    }
    let times: Vec<Option<Timestamp>> =
        [&a.started_at, &a.finished_at, &b.started_at, &b.finished_at].map(|time| Timestamp::parse(time)).to_vec();
    let times: Vec<Timestamp> = times.into_iter().flatten().collect();
    let [started, _, _, ended] = times.as_slice() else {
        refuse("a capture's times cannot be read".to_owned(), "capture again");
        return Err(problems);
    };
    if !times.is_sorted() || later(&a.database.snapshot, &b.database.snapshot) {
        refuse(
            format!("the captures are out of order: {} comes before {}", b.started_at, a.finished_at),
            "name the baseline first",
        );
    }
    if *ended > limits.now {
        refuse(format!("the final capture is of {}, which is yet to come", b.finished_at), "check the clocks");
    }
    let age = limits.now.milliseconds().saturating_sub(started.milliseconds()) / 1000;
    if age > i64::try_from(settings.oldest_seconds).unwrap_or(i64::MAX) {
        refuse(
            format!("the baseline of {} is older than {} s", a.started_at, settings.oldest_seconds),
            "capture a new one, or raise `oldest_seconds` of `[evidence]`",
        );
    }
    problems.or(())
}

/// Whether the first of two snapshots is the later one.
fn later(a: &str, b: &str) -> bool {
    let next = |text: &str| text.split(':').nth(1).and_then(|next| next.parse::<u64>().ok());
    next(a).zip(next(b)).is_some_and(|(a, b)| a > b)
}

/// What is known of the time between two captures.
struct Window<'a> {
    quiet: bool,
    restarted: bool,
    reset: bool,
    settled: bool,
    held: bool,
    tolerate: &'a [Toleration],
}

impl<'a> Window<'a> {
    fn new(a: &Capture, b: &Capture, settings: &'a EvidenceSettings) -> Self {
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

    fn counters_hold(&self) -> bool {
        self.settled && !self.held && !self.reset && !self.restarted
    }

    /// One row; the worst of what is found decides.
    fn row(&self, id: &str, baseline: Option<&Observation>, last: Option<&Observation>) -> Row {
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
                return Row {
                    id: id.to_owned(),
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
        Row { id: id.to_owned(), status, baseline: shown(baseline), last: shown(last), because }
    }

    fn unknown(&self, a: &Observation, b: &Observation, findings: &mut Vec<(RowStatus, String)>) {
        for (when, observation) in [("baseline", a), ("final", b)] {
            for unknown in &observation.unknown {
                let state = unknown.sqlstate.as_ref().map_or(String::new(), |state| format!(" (SQLSTATE {state})"));
                findings
                    .push((RowStatus::Unknown, format!("{}: {}{state}, at the {when}", unknown.value, unknown.reason)));
            }
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
                    && (text.starts_with(&format!("{name}:")) || a.id.starts_with("relation:"))
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
        let is_relation = a.id.starts_with("relation:");
        let is_call = a.id.starts_with("function:");
        if !is_relation && !is_call && !a.id.starts_with("catalog:") {
            return;
        }
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

/// Whether what grew was expected to.
struct Growth<'a> {
    all: Vec<&'a Toleration>,
    a: &'a Observation,
    b: &'a Observation,
    counters_hold: bool,
}

impl Growth<'_> {
    /// Why a difference of this name is tolerated, if it is.
    fn status(&self, name: &str) -> Option<String> {
        let number = |observation: &Observation, name: &str| observation.values.get(name)?.parse::<i64>().ok();
        let grown = |name: &str| number(self.b, name)?.checked_sub(number(self.a, name)?);
        let own = self.all.iter().find(|toleration| toleration.value.as_deref().unwrap_or("rows") == name);
        if let Some(toleration) =
            own.filter(|toleration| grown(name).is_some_and(|by| (0..=toleration.growth).contains(&by)))
        {
            return Some(words(toleration));
        }
        // What follows from added rows is tolerated if rows were added and nothing else was done.
        let rows = self.all.iter().find(|toleration| toleration.value.as_deref().unwrap_or("rows") == "rows")?;
        let follows = matches!(name, "content" | "sha256" | "headers")
            || name.starts_with("newest ")
            || name.starts_with("rows ");
        let counters = self.moved();
        let only_added = self.counters_hold && self.counters(&counters).is_some();
        (follows && only_added && grown("rows").is_some_and(|by| (0..=rows.growth).contains(&by))).then(|| words(rows))
    }

    /// Why these counters are tolerated, if they are.
    fn counters(&self, moved: &BTreeMap<String, i64>) -> Option<String> {
        let toleration = self
            .all
            .iter()
            .find(|toleration| matches!(toleration.value.as_deref(), None | Some("rows" | "counters")))?;
        let is_relation = self.a.id.starts_with("relation:");
        let within = moved
            .iter()
            .all(|(name, count)| (0..=toleration.growth).contains(count) && (!is_relation || name == "inserted"));
        within.then(|| words(toleration))
    }

    fn moved(&self) -> BTreeMap<String, i64> {
        match (&self.a.counters, &self.b.counters) {
            (Some(a), Some(b)) => difference(&a.opening, &b.closing),
            _ => BTreeMap::from([("unknown".to_owned(), i64::MAX)]),
        }
    }
}

fn words(toleration: &Toleration) -> String {
    format!("at most {} more: {}", toleration.growth, toleration.why)
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

/// The beginning of a long value.
fn short(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}

const MOST_REASONS: usize = 5;
