//! The facts that policies read, as records keep them: value, source, time, who, and the source that was needed.

use crate::decision::DecisionRow;
use crate::facts::{FactRead, Provenance};
use crate::schema::FactSource;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One fact that policies read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct FactRecord {
    /// Its name: `run.facts.switch.enabled`, or an entity and the path of its attribute.
    pub fact: String,
    /// Its value in Cedar's syntax, or `absent`.
    pub value: String,
    /// Where it comes from.
    pub source: FactSource,
    /// Which query, observation, capture or file that is.
    pub name: String,
    /// When it was asked or observed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who asked or observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Where the schema says that it must come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<FactSource>,
}

impl From<&FactRead> for FactRecord {
    fn from(read: &FactRead) -> Self {
        let FactRead { fact, value, by, needed } = read.clone();
        let Provenance { source, name, at, by } = by;
        Self { fact, value, source, name, at, by, needs: needed }
    }
}

impl FactRecord {
    /// The fact as it was read.
    pub fn read(&self) -> FactRead {
        let Self { fact, value, source, name, at, by, needs } = self.clone();
        FactRead { fact, value, by: Provenance { source, name, at, by }, needed: needs }
    }

    /// Whether its source is good enough for an allow.
    pub fn suffices(&self) -> bool {
        self.needs.is_none_or(|needed| self.source.suffices_for(needed))
    }
}

/// The facts that rows of a plan read before anything ran, each once.
pub fn gathered(rows: &[DecisionRow]) -> Vec<FactRecord> {
    let before = distinct(rows.iter().filter(|row| !row.at_use));
    crate::facts::gathered(before.into_iter().flatten()).into_iter().map(FactRecord::from).collect()
}

/// What rows read, each list once: rows that ask the same share it.
fn distinct<'a>(rows: impl Iterator<Item = &'a DecisionRow>) -> Vec<&'a [FactRead]> {
    let lists: BTreeMap<*const Vec<FactRead>, &[FactRead]> =
        rows.map(|row| (Arc::as_ptr(&row.facts), row.facts.as_slice())).collect();
    lists.into_values().collect()
}

/// The names of facts by which rows are allowed although they do not come from where they must.
pub fn unmeasured(rows: &[DecisionRow]) -> Vec<String> {
    let allowed = distinct(rows.iter().filter(|row| row.basis.allows()));
    let lacking = crate::facts::gathered(allowed.into_iter().flatten().filter(|fact| !fact.suffices()));
    lacking.into_iter().map(|fact| fact.fact.clone()).collect()
}
