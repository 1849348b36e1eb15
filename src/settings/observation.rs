//! The name of one thing that is observed: its kind and its name within the kind, written `relation:public.births`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// What is observed, as `@evidence` and the configuration name it. Ids are ordered by their text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservationId(String);

/// What kind of thing an observation is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObservationKind {
    /// A table, a view or the like, by `schema.name`.
    Relation,
    /// One family of definitions in the catalogs.
    Catalog,
    /// A function, by `schema.name`.
    Function,
    /// One of the server's own tables, as a witness sees it.
    Table,
    /// One part of the database as a whole.
    Database,
    /// A switch.
    Flag,
    /// A tree of files.
    Tree,
    /// A service.
    Service,
    /// Files and folders of the host.
    Host,
    /// Where secrets were looked for.
    Secrets,
    /// The witness itself.
    Witness,
    /// Conduct, by the journal of a run.
    Journal,
    /// Conduct, by the approvals that a run used.
    Approvals,
    /// What a report says of itself.
    Report,
    /// Named rows; the configuration gives them kinds of its own.
    Rows,
}

/// What an observation of a kind can refute, and how long it is good for.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The kind.
    pub kind: ObservationKind,
    /// What a change of it shows, in words.
    pub refutes: &'static str,
    /// The counters and values that an `@evidence` may name alone, behind `#`.
    pub parts: &'static [&'static str],
    /// How old what somebody saved may be when the baseline is made, in seconds.
    pub fresh_seconds: i64,
    /// Whether it is of the host that the observer works on.
    pub of_host: bool,
}

/// What each kind of observation can refute.
pub const REACH: &[Reach] = &[
    reach(ObservationKind::Relation, "its content, and every row written, also one that was undone", ROWS, false),
    reach(ObservationKind::Catalog, "a definition, a right or a role that is not as it was", &[], false),
    reach(ObservationKind::Function, "a call, also one that was rolled back", &["calls", "definition"], false),
    reach(ObservationKind::Table, "a row of a server's own table that was written", &[], false),
    reach(ObservationKind::Database, "a part of the server that is not as it was", &[], false),
    reach(ObservationKind::Flag, "the value of a switch, and whether its file was written", &["value"], false),
    reach(ObservationKind::Tree, "content and presence of its files, and that one was written", &["git head"], true),
    reach(ObservationKind::Service, "a start, a stop or another image", &["value", "id", "image", "status"], true),
    reach(ObservationKind::Host, "content and presence of its files", &[], true),
    reach(ObservationKind::Secrets, "a value in the outputs that were read", &[], false),
    reach(ObservationKind::Witness, "that something was not watched", &[], false),
    reach(ObservationKind::Journal, "a row out of its order, or one that began again", &[], false),
    reach(ObservationKind::Approvals, "an approval used twice, or by no known run", &[], false),
    reach(ObservationKind::Report, "a gap that is not disclosed", &[], false),
    reach(ObservationKind::Rows, "a value that is not as it was", &[], false),
];

/// What a report derives of a run's conduct, whatever the configuration observes.
pub const CONDUCT: [&str; 5] = ["journal:order", "journal:retries", "approvals:used", "report:gaps", "report:packages"];

const fn reach(kind: ObservationKind, refutes: &'static str, parts: &'static [&'static str], of_host: bool) -> Reach {
    Reach { kind, refutes, parts, fresh_seconds: 600, of_host }
}

const ROWS: &[&str] = &["inserted", "updated", "deleted", "rows", "content"];

impl ObservationKind {
    /// The kind as ids write it; `None` for kinds that the configuration gives.
    fn prefix(self) -> Option<&'static str> {
        PREFIXES.iter().find(|(_, kind)| *kind == self).map(|(prefix, _)| *prefix)
    }

    /// Whether it belongs to the database, and not to its host or to what was written.
    pub fn is_of_database(self) -> bool {
        !matches!(self, Self::Flag | Self::Tree | Self::Service | Self::Host | Self::Secrets | Self::Witness)
            && !self.is_conduct()
    }

    /// Whether a report derives it from what was done, and nobody observes it.
    pub fn is_conduct(self) -> bool {
        matches!(self, Self::Journal | Self::Approvals | Self::Report)
    }

    /// Whether it is of the host that the observer works on.
    pub fn is_of_host(self) -> bool {
        self.reach().is_some_and(|reach| reach.of_host)
    }

    /// How old what somebody saved of it may be when the baseline is made, in seconds.
    pub fn fresh_seconds(self) -> i64 {
        self.reach().map_or(0, |reach| reach.fresh_seconds)
    }

    /// What it can refute.
    pub fn reach(self) -> Option<&'static Reach> {
        REACH.iter().find(|reach| reach.kind == self)
    }

    /// Whether tuple counters or calls belong to it, and a witness can see what was done and undone.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Relation | Self::Catalog | Self::Function)
    }
}

impl ObservationId {
    /// The id of a thing of this kind.
    pub fn new(kind: ObservationKind, name: impl fmt::Display) -> Self {
        Self(match kind.prefix() {
            Some(prefix) => format!("{prefix}:{name}"),
            None => name.to_string(),
        })
    }

    /// Reads an id: a kind, a colon and a name, neither of them empty.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        (!kind.is_empty() && !name.is_empty()).then(|| Self(text.to_owned()))
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> ObservationKind {
        let (prefix, _) = self.0.split_once(':').unwrap_or_default();
        PREFIXES.iter().find(|(known, _)| *known == prefix).map_or(ObservationKind::Rows, |(_, kind)| *kind)
    }

    /// Its name within its kind.
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, name)| name)
    }

    /// ObservationKind and name, as they are written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::ops::Deref for ObservationId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for ObservationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ObservationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let refused = || de::Error::invalid_value(de::Unexpected::Str(&text), &"`kind:name`");
        Self::parse(&text).ok_or_else(refused)
    }
}

impl JsonSchema for ObservationId {
    fn schema_name() -> Cow<'static, str> {
        "ObservationId".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[^:]+:." })
    }
}

const PREFIXES: &[(&str, ObservationKind)] = &[
    ("relation", ObservationKind::Relation),
    ("catalog", ObservationKind::Catalog),
    ("function", ObservationKind::Function),
    ("table", ObservationKind::Table),
    ("database", ObservationKind::Database),
    ("flag", ObservationKind::Flag),
    ("tree", ObservationKind::Tree),
    ("service", ObservationKind::Service),
    ("host", ObservationKind::Host),
    ("secrets", ObservationKind::Secrets),
    ("witness", ObservationKind::Witness),
    ("journal", ObservationKind::Journal),
    ("approvals", ObservationKind::Approvals),
    ("report", ObservationKind::Report),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for (text, kind, name) in [
            ("relation:public.births", ObservationKind::Relation, "public.births"),
            ("host:cron:daily", ObservationKind::Host, "cron:daily"),
            ("config:dot_config", ObservationKind::Rows, "dot_config"),
        ] {
            let id = ObservationId::parse(text).unwrap();
            assert_eq!((id.as_str(), id.kind(), id.name()), (text, kind, name));
        }
    }

    #[test]
    fn an_id_without_a_kind_or_a_name_is_none() {
        for text in ["", "births", ":births", "relation:"] {
            assert_eq!(ObservationId::parse(text), None, "{text}");
        }
    }
}
