//! `[facts]` of `cutter.toml`: which queries and observations give facts, as data.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[facts]` of `cutter.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FactsSettings {
    /// The database role that must be asking; whoever the connection names where nothing is said.
    pub role: Option<String>,
    /// How old a signed capture may be that gives facts, in seconds.
    pub oldest_seconds: u64,
    /// What to ask the database, by name.
    pub queries: BTreeMap<String, FactQuery>,
    /// Switches of `[evidence.flags]`, or with a `file` of their own, whose values are facts, by name.
    pub flags: BTreeMap<String, ObservedFact>,
    /// Trees of `[evidence.trees]` whose values are facts, by name.
    pub trees: BTreeMap<String, ObservedFact>,
    /// Functions whose definitions are facts, by `schema.name`.
    pub functions: BTreeMap<String, ObservedFact>,
}

impl Default for FactsSettings {
    fn default() -> Self {
        Self {
            role: None,
            oldest_seconds: 3600,
            queries: BTreeMap::new(),
            flags: BTreeMap::new(),
            trees: BTreeMap::new(),
            functions: BTreeMap::new(),
        }
    }
}

impl FactsSettings {
    /// Whether there is anything to ask or to observe.
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty() && self.observed().next().is_none()
    }

    /// What is observed, by the observation's id.
    pub fn observed(&self) -> impl Iterator<Item = (String, &ObservedFact)> {
        let all = [("flag", &self.flags), ("tree", &self.trees), ("function", &self.functions)];
        all.into_iter().flat_map(|(kind, all)| all.iter().map(move |(name, fact)| (format!("{kind}:{name}"), fact)))
    }
}

/// An observation whose values are facts.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedFact {
    /// The entity type, as the schema names it; the plan's own run where nothing is said.
    pub entity: Option<String>,
    /// The entity's id.
    pub id: Option<String>,
    /// The file of a switch that is declared here alone, and is no evidence.
    pub file: Option<PathBuf>,
    /// The regular expression that finds its value, as in `[evidence.flags]`.
    pub pattern: Option<String>,
    /// Which value of the observation each attribute is; dots in an attribute's name make records.
    pub attributes: BTreeMap<String, String>,
    /// What a value's text means; where this is given, another text is an error.
    #[serde(default)]
    pub means: BTreeMap<String, Value>,
    /// What kind of value the text is.
    #[serde(default, rename = "as")]
    pub kind: ValueKind,
}

/// What kind of value the text of an observation is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// A text.
    #[default]
    Text,
    /// A whole number.
    Long,
}

/// One query whose rows are entities.
///
/// `$run` in it is the run's id as text, `$target` the plan's target as `jsonb`; both are bound, and never text of the query.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactQuery {
    /// One SELECT statement.
    pub query: String,
    /// The entity type of the rows, as the schema names it; `Run` without `id` is the plan's own run.
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
    /// What the query's silence says of a known entity of its type. An attribute that a column gives and that is
    /// not named here is then not known, whatever a file says of it.
    #[serde(default)]
    pub absent: BTreeMap<String, Value>,
    /// More rows than this are an error; 10000 where nothing is said.
    pub most_rows: Option<usize>,
    /// Roles that may write what the query reads, each with why that is not a way to an allow.
    #[serde(default)]
    pub accepted: BTreeMap<String, String>,
}

impl FactQuery {
    /// Every fact that the query alone says, by its path.
    pub fn paths(&self) -> Vec<String> {
        let parents = (!self.parents.is_empty()).then(|| "parents".to_owned());
        self.attributes.iter().chain(self.references.keys()).cloned().chain(parents).collect()
    }
}
