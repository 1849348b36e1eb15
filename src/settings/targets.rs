//! `[targets]` of `cutter.toml`: which entities are candidates, what a safe one must meet, and what it must bring. Data.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What makes a candidate, and what a safe one.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetSettings {
    /// The entity type of candidates, in the schema's namespace.
    pub entity: String,
    /// The action whose resource each is judged as; a row of the plan says who would do it.
    pub action: String,
    /// The gap that stays open for lack of a safe target.
    pub gap: String,
    /// What a safe target meets, by name.
    pub criteria: BTreeMap<String, CriterionSettings>,
    /// What a target must bring.
    pub fields: Vec<FieldSettings>,
}

/// One criterion of a safe target.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionSettings {
    /// What it asks, in a phrase.
    pub what: String,
    /// The policies that judge it; without any it is unknown of every candidate.
    pub policies: Vec<String>,
}

/// One thing that a target must bring.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSettings {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub what: String,
    /// Who must bring it.
    pub who: String,
    /// The criteria that need it.
    pub criteria: Vec<String>,
}
