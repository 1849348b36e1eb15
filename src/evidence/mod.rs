//! What was observed, and how far that reaches. An observation that could not be made is recorded as unknown, never left out.

mod compare;
mod comparison;
pub mod fresh;
pub mod witness;
mod witnessed;

pub use crate::settings::observation::{ObservationId, ObservationKind};
pub use compare::{ComparisonLimits, compare};
pub use comparison::{ComparedRow, Comparison, RowStatus, SignedBy, Signers};
pub use witnessed::add_witness;

use crate::digest::Digest;
use crate::json;
use crate::problem::{Problem, Problems, Source};
use crate::settings::evidence::Level;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Everything that was observed at one time, version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// The version of this form, 1.
    pub version: u32,
    /// When the observer began, RFC 3339.
    pub started_at: Timestamp,
    /// When it ended, RFC 3339.
    pub finished_at: Timestamp,
    /// Sha-256 over the configuration that says what to observe.
    pub config_sha256: Digest,
    /// Sha-256 over the machine id of the observer's host, where it has one; files and services are those of this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Digest>,
    /// What was asked for and what was reached.
    pub level: LevelRecord,
    /// How much of the database is watched, and what of its catalogs is not.
    #[serde(default, skip_serializing_if = "Coverage::is_unknown")]
    pub coverage: Coverage,
    /// The database that was observed.
    pub database: DatabaseRecord,
    /// What was observed, sorted by id.
    pub observations: Vec<Observation>,
}

/// How much of a database is watched.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// How many of its relations are watched.
    pub relations: u64,
    /// How many it has: tables, foreign ones too, and materialized views; partitions belong to their tables.
    pub of: u64,
    /// What of the catalogs is left out, and why.
    pub left_out: Vec<String>,
}

impl Coverage {
    /// Whether nothing is said of it.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// The level that was asked for, and the highest one whose observations were all made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelRecord {
    /// What the configuration or the command line asks for.
    pub requested: Level,
    /// What was reached; none where not even the counts were.
    pub reached: Option<Level>,
    /// Whether ordered copies were digested instead of sums.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// The observations that are missing for a higher level, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// Which database it was, and where it stood.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseRecord {
    /// The cluster's own number.
    pub system_identifier: String,
    /// The database's name.
    pub name: String,
    /// The database's number in its cluster.
    pub oid: String,
    /// The role that observed.
    pub role: String,
    /// When the server was started.
    pub server_started_at: String,
    /// The timeline of the last checkpoint.
    pub timeline: String,
    /// The server's version.
    pub server_version: String,
    /// `pg_current_snapshot()` in which everything was read: the whole text, not its ends alone.
    pub snapshot: String,
    /// The same when the observer was done.
    pub closing_snapshot: String,
    /// The server's own clock before anything was read, RFC 3339; a witness is placed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// The same when the observer was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The position in the log; it moves for many reasons and proves nothing.
    pub wal_position: Option<String>,
    /// Whether counters had time to arrive, and who may still hold some back.
    pub counters: Option<CounterRecord>,
}

/// How far the tuple counters can be believed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CounterRecord {
    /// Transactions that ran when the observer began.
    pub running: Vec<String>,
    /// Sessions of others that may still have held counters back at the end.
    pub in_flight: Vec<InFlight>,
    /// When counters were last set to zero.
    pub reset_at: String,
    /// How many transactions of the database had been rolled back, before the snapshot and at the end.
    #[schemars(with = "Vec<i64>")]
    pub rolled_back: [i64; 2],
}

/// A session whose counters may not have arrived: the server hands them out only while it is idle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InFlight {
    /// Its process and who it is, as far as the observer may know.
    pub session: String,
    /// The transaction in which it was at the last look.
    pub transaction: Option<String>,
    /// Whether it was idle since the snapshot, but not for long enough.
    pub idle: bool,
    /// Since when it replicates, by the server's clock: it does nothing else meanwhile, and hands out nothing until it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicates_since: Option<Timestamp>,
}

/// Whether an observation was made in full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was.
    Observed,
    /// Something of it could not be read.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Its kind and name, as `@evidence` names it: `relation:public.pages`.
    pub id: ObservationId,
    /// Whether all of it could be read.
    pub status: Status,
    /// What is there, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Marks that every write leaves, also one that was put back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traces: BTreeMap<String, String>,
    /// Counters that only grow, read before the snapshot and at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// When what it says was saved, where somebody else saved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Rows by the transaction that wrote them, for the youngest ones; only of a relation that may grow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generations: BTreeMap<String, Generation>,
    /// What could not be read, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unknown>,
}

/// The rows that one transaction wrote.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// How many.
    pub rows: u64,
    /// Their part of the content digest.
    pub content: String,
    /// Their part of the header digest.
    pub headers: String,
}

/// Begins the name of the trace of a folder or link on the way to what is observed.
pub const WAY: &str = "way ";

/// Parts the mark of a folder on the way from that of the folder in which it lies.
pub const IN: &str = " in ";

/// Of so many transactions at most.
pub const MOST_GENERATIONS: usize = 1000;

/// Counters at both ends of a capture.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Before the snapshot.
    pub opening: BTreeMap<String, i64>,
    /// At the end.
    pub closing: BTreeMap<String, i64>,
}

/// One value that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// Which value.
    pub value: String,
    /// Why, in a phrase.
    pub reason: String,
    /// The server's SQLSTATE, where it was the server that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
}

impl Unknown {
    /// What could not be read and why, with the SQLSTATE: `content: permission denied (SQLSTATE 42501)`.
    pub fn words(&self) -> String {
        let state = self.sqlstate.as_ref().map_or(String::new(), |state| format!(" (SQLSTATE {state})"));
        format!("{}: {}{state}", self.value, self.reason)
    }
}

impl Observation {
    /// Nothing seen yet.
    pub fn new(kind: ObservationKind, name: impl fmt::Display) -> Self {
        Self::of(ObservationId::new(kind, name))
    }

    /// Nothing seen yet of what has this id.
    pub fn of(id: ObservationId) -> Self {
        Self {
            id,
            status: Status::Observed,
            values: BTreeMap::new(),
            traces: BTreeMap::new(),
            counters: None,
            as_of: None,
            generations: BTreeMap::new(),
            unknown: Vec::new(),
        }
    }

    /// Adds what is there.
    pub fn value(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// Adds a mark that every write leaves.
    pub fn trace(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.traces.insert(name.into(), value.into());
    }

    /// Adds what could not be read.
    pub fn unknown(&mut self, value: impl Into<String>, reason: impl Into<String>) {
        self.status = Status::Unknown;
        self.unknown.push(Unknown { value: value.into(), reason: reason.into(), sqlstate: None });
    }

    /// Adds what the database did not let us read.
    pub fn refused(&mut self, value: impl Into<String>, reason: impl Into<String>, sqlstate: Option<&str>) {
        self.unknown(value, reason);
        if let Some(last) = self.unknown.last_mut() {
            last.sqlstate = sqlstate.map(str::to_owned);
        }
    }

    /// What it comes to, for one cell of a table.
    pub fn summary(&self) -> String {
        let scopes: Vec<String> = self
            .values
            .iter()
            .filter_map(|(name, value)| Some(format!("{value} {}", name.strip_prefix("rows ")?)))
            .collect();
        match (self.values.get("rows"), self.values.get("value"), self.values.len()) {
            (Some(rows), _, _) if scopes.is_empty() => format!("{rows} rows"),
            (Some(rows), _, _) => format!("{rows} rows ({})", scopes.join(", ")),
            (None, Some(value), _) => value.clone(),
            (None, None, 0) => "nothing".to_owned(),
            (None, None, 1) => self.values.values().next().cloned().unwrap_or_default(),
            (None, None, several) => format!("{several} values"),
        }
    }
}

impl Capture {
    /// Reads a capture as it was written; any other form is an error.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        let value = json::to_serde(&json::parse(source)?);
        let invalid = |cause: String| {
            Problem::invalid(format!("`{}` is not a capture: {cause}", source.name()))
                .help("`cutter evidence capture` writes captures")
        };
        let capture: Self = serde_json::from_value(value).map_err(|error| invalid(error.to_string().to_lowercase()))?;
        if capture.version != 1 {
            return Err(invalid(format!("version {} is not 1", capture.version)).into());
        }
        if !capture.observations.is_sorted_by(|a, b| a.id < b.id) {
            return Err(invalid("its observations are not sorted, or one is listed twice".to_owned()).into());
        }
        let inconsistent =
            |observation: &&Observation| (observation.status == Status::Observed) != observation.unknown.is_empty();
        if let Some(observation) = capture.observations.iter().find(inconsistent) {
            return Err(invalid(format!("the status of `{}` does not fit what it says", observation.id)).into());
        }
        Ok(capture)
    }

    /// That it is of another cluster than the plan's, where the plan names one, or of another database than this; said after the
    /// capture's own name.
    pub fn off_target(&self, target: Option<&str>, name: Option<&str>) -> Option<String> {
        let DatabaseRecord { system_identifier: cluster, name: observed, .. } = &self.database;
        if let Some(target) = target.filter(|target| target != cluster) {
            return Some(format!("observes the database `{cluster}`, not the plan's `{target}`"));
        }
        let name = name.filter(|name| name != observed)?;
        Some(format!("observes the database named `{observed}`, not `{name}`, to which `[database]` leads"))
    }

    /// The observation of this id.
    pub fn observation(&self, id: &str) -> Option<&Observation> {
        let at = self.observations.binary_search_by(|observation| observation.id.as_str().cmp(id)).ok()?;
        self.observations.get(at)
    }
}
