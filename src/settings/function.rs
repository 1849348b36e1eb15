//! `[effects.NAME.sql]` of `cutter.toml`: a function of the database, its pins, and where its arguments come from.

use crate::digest::Digest;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One call of a function, in one transaction of its own.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlSettings {
    /// The function with its argument types: `schema.name(text, uuid)`.
    pub function: String,
    /// Its arguments by name.
    #[serde(default)]
    pub arguments: BTreeMap<String, Argument>,
    /// Who calls it: the name of a connection in `[connections]`, and the login role of its session.
    pub role: String,
    /// Who must own it.
    pub owner: String,
    /// The sha-256 of what `pg_get_functiondef` says of it.
    pub definition_sha256: Digest,
    /// The triggers of each relation that it writes, each with the sha-256 of its definition, state and function.
    #[serde(default)]
    pub triggers: BTreeMap<String, BTreeMap<String, Digest>>,
    /// It is called for each row of this file, all in the one transaction; once where nothing is said.
    pub each: Option<Each>,
    /// What every answer must hold, member by member; else nothing of it lasts.
    #[serde(default)]
    pub answers: BTreeMap<String, Value>,
    /// Whether all that the calls did is rolled back after them: a probe of what would be done.
    #[serde(default)]
    pub rolls_back: bool,
}

/// A JSON array of objects: the function is called once for each.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// The file.
    pub file: String,
    /// The fact of the run that holds the sha-256 of the file.
    pub sha256_fact: String,
}

/// Where an argument of a function comes from.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`{ value = ... }`, `{ parameter = \"name\" }`, `{ fact = \"path\" }` or `{ field = \"name\" }`"
)]
pub enum Argument {
    /// This very value.
    Value(ValueArgument),
    /// A parameter of the row.
    Parameter(ParameterArgument),
    /// A fact of the run, as it is at the moment of use.
    Fact(FactArgument),
    /// A member of the row of `each`.
    Field(FieldArgument),
}

/// This very value.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueArgument {
    /// The value.
    pub value: Value,
}

/// A parameter of the row.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterArgument {
    /// Its name.
    pub parameter: String,
}

/// A fact of the run.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactArgument {
    /// Where it lies below `context.run.facts`.
    pub fact: String,
}

/// A member of the row of `each`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldArgument {
    /// Its name.
    pub field: String,
}
