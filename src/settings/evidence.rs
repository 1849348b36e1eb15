//! `[evidence]` of `cutter.toml`: what to observe, as data. Nothing here knows a domain.

use super::effects::OnOff;
pub use super::names::{is_wildcard, join_name, matches, split_name};
use super::observation::{ObservationId, ObservationKind};

use crate::problem::{Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How much is observed; each level holds the one before.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Row counts; without the snapshot they prove little.
    Counts,
    /// Snapshot, sequences and settings: equal ones prove that no writing transaction completed.
    Quiet,
    /// Content, headers, counters and catalogs: what is left where the snapshot moved.
    #[default]
    Net,
    /// A witness that lived beside the run.
    Witness,
}

impl Level {
    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Quiet => "quiet",
            Self::Net => "net",
            Self::Witness => "witness",
        }
    }
}

/// What to observe.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceSettings {
    /// The level where the command line names none.
    pub level: Level,
    /// Connections that digest one long table together.
    pub workers: usize,
    /// How long to wait for the counters of other sessions; PostgreSQL may hold them back for 10 s.
    pub counter_lag_seconds: u32,
    /// A baseline older than this is no baseline.
    pub oldest_seconds: u64,
    /// The schemas whose sequences and catalogs are observed; all but the system's where nothing is said.
    pub schemas: Vec<String>,
    /// What of the database itself is observed; all of it where nothing is said.
    pub database: BTreeSet<String>,
    /// Which catalogs are observed; all of them where nothing is said.
    pub catalogs: BTreeSet<String>,
    /// Relations, by `schema.name`; `schema.*` are all of a schema, `*` all of the database.
    pub relations: BTreeMap<String, RelationSettings>,
    /// What a wildcard does not mean, and catalogs that are left out: `schema.name`, `schema.*` or `pg_catalog.name`.
    pub exclude: BTreeSet<String>,
    /// Functions whose calls are counted, by `schema.name`.
    pub functions: Vec<String>,
    /// Named rows: queries of two columns, name and value, by the observation's id.
    pub rows: BTreeMap<ObservationId, String>,
    /// Switches: a regular expression over a file, or a query, by name.
    pub flags: BTreeMap<String, FlagSettings>,
    /// Trees of files, by name.
    pub trees: BTreeMap<String, TreeSettings>,
    /// Services, by name.
    pub services: BTreeMap<String, ServiceSettings>,
    /// Files and folders of the host, by name.
    pub host: BTreeMap<String, HostSettings>,
    /// Growth that is expected, with its bound.
    pub tolerate: Vec<Toleration>,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self {
            level: Level::default(),
            workers: 2,
            counter_lag_seconds: 11,
            oldest_seconds: 86_400,
            schemas: Vec::new(),
            database: BTreeSet::new(),
            catalogs: BTreeSet::new(),
            relations: BTreeMap::new(),
            exclude: BTreeSet::new(),
            functions: Vec::new(),
            rows: BTreeMap::new(),
            flags: BTreeMap::new(),
            trees: BTreeMap::new(),
            services: BTreeMap::new(),
            host: BTreeMap::new(),
            tolerate: Vec::new(),
        }
    }
}

impl EvidenceSettings {
    /// The ids of what is observed because the configuration names it.
    pub fn names(&self) -> BTreeSet<String> {
        let of = |kind: ObservationKind, names: &mut dyn Iterator<Item = &String>| -> Vec<String> {
            names.map(|name| ObservationId::new(kind, name).as_str().to_owned()).collect()
        };
        let rows = self.rows.keys().map(|id| id.as_str().to_owned());
        [
            of(ObservationKind::Relation, &mut self.relations.keys()),
            of(ObservationKind::Function, &mut self.functions.iter()),
            of(ObservationKind::Flag, &mut self.flags.keys()),
            of(ObservationKind::Tree, &mut self.trees.keys()),
            of(ObservationKind::Service, &mut self.services.keys()),
            of(ObservationKind::Host, &mut self.host.keys()),
        ]
        .into_iter()
        .flatten()
        .chain(rows)
        .collect()
    }
}

/// What of a relation is looked at beside all its rows.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelationSettings {
    /// Scoped counts: a condition in SQL, by the name of the count.
    pub scopes: BTreeMap<String, String>,
    /// A column whose greatest value is recorded, by its type's own order.
    pub newest: Option<String>,
}

/// Where a switch stands.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagSettings {
    /// The file.
    pub file: Option<PathBuf>,
    /// A regular expression that matches once; its first group is the value.
    pub pattern: Option<String>,
    /// A query of one row and one column.
    pub query: Option<String>,
    /// The statement that sets what the query reads; `$1` is the new value, a text.
    pub set: Option<String>,
    /// The value at which it must stand at the end of a run, whatever else holds.
    pub rest: Option<String>,
    /// The value that is on.
    pub on: Option<String>,
    /// The value that is off.
    pub off: Option<String>,
}

impl FlagSettings {
    /// The statement that asks a query of a switch: its value as a text, and of how many columns that is; two rows where it gives more.
    pub fn asked(query: &str) -> String {
        let columns = "(SELECT count(*) FROM json_object_keys(row_to_json(answer)))::text";
        format!("SELECT answer.value::text, {columns} FROM (\n{query}\n) AS answer(value) LIMIT 2")
    }

    /// Its declared value for on or off.
    pub fn value(&self, to: OnOff) -> Option<&str> {
        match to {
            OnOff::On => self.on.as_deref(),
            OnOff::Off => self.off.as_deref(),
        }
    }
}

/// A tree of files.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeSettings {
    /// Its folder.
    pub path: PathBuf,
    /// Names of files and folders in it that are not looked at.
    #[serde(default)]
    pub ignore: BTreeSet<String>,
    /// Whether it is a work tree of git, whose head and status are recorded.
    #[serde(default)]
    pub git: bool,
}

/// How a service is recognised; exactly one.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// A systemd unit.
    pub unit: Option<String>,
    /// A file with the number of its process.
    pub pid_file: Option<PathBuf>,
    /// What `docker inspect` printed, as an operator saved it.
    pub inspect: Option<PathBuf>,
    /// Whether it is the database server itself.
    #[serde(default)]
    pub database: bool,
}

/// Files and folders of the host.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSettings {
    /// Their paths; one that is absent is recorded as absent.
    pub paths: Vec<PathBuf>,
}

/// Growth that is expected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toleration {
    /// The observation.
    pub id: ObservationId,
    /// One number of it; its rows or counters where nothing is said.
    pub value: Option<String>,
    /// By how much it may grow.
    pub growth: i64,
    /// Why that is expected.
    pub why: String,
}

impl EvidenceSettings {
    /// Whether this part of the database is to be observed.
    pub fn wants_database(&self, part: &str) -> bool {
        self.database.is_empty() || self.database.contains(part)
    }

    /// Whether this catalog is to be observed.
    pub fn wants_catalog(&self, family: &str) -> bool {
        self.catalogs.is_empty() || self.catalogs.contains(family)
    }

    /// Whether this relation or catalog is left out.
    pub fn is_excluded(&self, schema: &str, name: &str) -> bool {
        self.exclude.iter().any(|pattern| matches(pattern, schema, name))
    }

    /// Says what of it cannot be observed as written.
    pub(super) fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        let mut wrong = |text: String, help: &str| problems.push(Problem::invalid(text).help(help));
        let relations = self.relations.keys().chain(&self.exclude).filter(|name| *name != "*");
        for name in relations.chain(&self.functions) {
            if split_name(name).is_none() {
                let help = "write `schema.name`; put a schema with a dot or a quote in double quotes";
                wrong(format!("`{name}` of `[evidence]` has no schema"), help);
            }
        }
        for toleration in &self.tolerate {
            let family = toleration.id.strip_prefix("catalog:");
            if family.is_some_and(|family| RIGHTS.contains(&family)) {
                wrong(
                    format!("`tolerate` of `[evidence]` names `{}`, which holds rights", toleration.id),
                    "rights are never tolerated; temporary tables move `catalog:relations` and its like only",
                );
            }
        }
        for part in &self.database {
            if !DATABASE.contains(&part.as_str()) {
                wrong(
                    format!("`database` of `[evidence]` names `{part}`"),
                    &format!("it may name {}", DATABASE.join(", ")),
                );
            }
        }
        for family in &self.catalogs {
            let mut known: Vec<&str> = CATALOGS.iter().map(|(name, _)| *name).collect();
            if !known.contains(&family.as_str()) && !family.starts_with("pg_") {
                known.push("any other catalog by its own name, such as pg_publication");
                wrong(
                    format!("`catalogs` of `[evidence]` names `{family}`"),
                    &format!("it may name {}", known.join(", ")),
                );
            }
        }
        for (name, flag) in &self.flags {
            let of_file = flag.file.is_some() && flag.pattern.is_some() && flag.query.is_none();
            let of_query = flag.file.is_none() && flag.pattern.is_none() && flag.query.is_some();
            if !of_file && !of_query {
                wrong(
                    format!("the flag `{name}` of `[evidence]` is not complete"),
                    "it has `file` and `pattern`, or `query`",
                );
            }
            if let Some(Err(_)) = flag.pattern.as_deref().map(regex::Regex::new) {
                wrong(
                    format!("the `pattern` of the flag `{name}` is not a valid regular expression"),
                    "try it in a smaller form",
                );
            }
        }
        for (name, service) in &self.services {
            let ways =
                [service.unit.is_some(), service.pid_file.is_some(), service.inspect.is_some(), service.database];
            if ways.iter().filter(|way| **way).count() != 1 {
                wrong(
                    format!("the service `{name}` of `[evidence]` needs exactly one way to be found"),
                    "it has one of `unit`, `pid_file`, `inspect`, `database = true`",
                );
            }
        }
        if self.workers == 0 || self.workers > 64 {
            wrong("`workers` of `[evidence]` is not between 1 and 64".to_owned(), "2 is a good number");
        }
        problems.or(())
    }
}

/// The system catalogs whose counters show what of a family was written and put back.
pub fn tables_of(family: &str) -> Vec<&str> {
    match CATALOGS.iter().find(|(name, _)| *name == family) {
        Some((_, tables)) => tables.to_vec(),
        None => vec![family],
    }
}

/// What of the database itself can be observed.
const DATABASE: &[&str] =
    &["identity", "start", "sequences", "settings", "configuration_files", "prepared", "slots", "statistics"];

/// Families that hold nothing but rights.
const RIGHTS: &[&str] =
    &["default_acl", "pg_init_privs", "pg_parameter_acl", "relation_acl", "role_memberships", "roles"];

/// The families of definitions that have a name of their own, sorted, each with the catalogs whose counters show what of it
/// came and went; a right that is taken again leaves its mark on what it was given on. Other catalogs go by their own name.
///
/// `roles` stands for the passwords, too: nothing but the counters of `pg_authid` shows that one was changed.
pub const CATALOGS: &[(&str, &[&str])] = &[
    ("columns", &["pg_attribute", "pg_attrdef"]),
    ("constraints", &["pg_constraint"]),
    ("database", &["pg_database"]),
    ("default_acl", &["pg_default_acl"]),
    ("event_triggers", &["pg_event_trigger"]),
    ("extensions", &["pg_extension"]),
    ("functions", &["pg_proc"]),
    ("indexes", &["pg_index"]),
    ("policies", &["pg_policy"]),
    ("relation_acl", &[]),
    ("relations", &["pg_class"]),
    ("role_memberships", &["pg_auth_members"]),
    ("role_settings", &["pg_db_role_setting"]),
    ("roles", &["pg_authid"]),
    ("rules", &["pg_rewrite"]),
    ("schemas", &["pg_namespace"]),
    ("sequences", &["pg_sequence"]),
    ("triggers", &["pg_trigger"]),
];

/// Catalogs that nobody writes by using temporary tables: a counter of one that moved tells of a change by itself.
pub const SELDOM: &[&str] = &[
    "pg_am",
    "pg_auth_members",
    "pg_authid",
    "pg_cast",
    "pg_database",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_language",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_parameter_acl",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_replication_origin",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_subscription",
    "pg_tablespace",
    "pg_transform",
    "pg_user_mapping",
];
