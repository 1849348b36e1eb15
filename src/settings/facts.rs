//! `[facts]` of `cutter.toml`: which queries give facts, as data.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// `[facts]` of `cutter.toml`.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactsSettings {
    /// What to ask the database, by name.
    #[serde(default)]
    pub queries: BTreeMap<String, FactQuery>,
}

/// One query whose rows are entities.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactQuery {
    /// One SELECT statement.
    pub query: String,
    /// The entity type of the rows, in the schema's namespace; `Run` without `id` is the plan's own run.
    pub entity: String,
    /// The column with the entity's id.
    pub id: Option<String>,
    /// The columns that are attributes; dots in a name make records.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Attribute columns that hold the id of another entity, and its type.
    #[serde(default)]
    pub references: BTreeMap<String, String>,
    /// Columns that hold the id of a parent, and its type; NULL is no parent.
    #[serde(default)]
    pub parents: BTreeMap<String, String>,
    /// Attributes that no column gives, with the value of an entity of which nothing else is recorded.
    #[serde(default)]
    pub otherwise: BTreeMap<String, Value>,
    /// What the query's silence says of a recorded entity of its type. An attribute that a column gives and that is
    /// not named here is then not known, whatever a file says of it.
    #[serde(default)]
    pub absent: BTreeMap<String, Value>,
    /// More rows than this are an error; 10000 where nothing is said.
    pub most_rows: Option<usize>,
}
