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
    /// Named rows; the configuration gives them kinds of its own.
    Rows,
}

impl ObservationKind {
    /// The kind as ids write it; `None` for kinds that the configuration gives.
    fn prefix(self) -> Option<&'static str> {
        PREFIXES.iter().find(|(_, kind)| *kind == self).map(|(prefix, _)| *prefix)
    }

    /// Whether it belongs to the database, and not to its host or to what was written.
    pub fn is_of_database(self) -> bool {
        !matches!(self, Self::Flag | Self::Tree | Self::Service | Self::Host | Self::Secrets | Self::Witness)
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
