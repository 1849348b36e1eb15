//! Cases for the people who own policies: what a policy set must decide, as data, and what it does decide.

pub mod bans;
pub mod coverage;
mod direct;
mod evaluate;
mod folder;
pub(crate) mod matching;
pub mod mutants;
pub mod properties;
pub mod proposals;
pub mod replay;
mod runtests;
#[cfg(feature = "testing")]
pub mod strategies;
mod table;
pub mod twins;
mod world;

pub use evaluate::{Evaluator, Inputs};

use self::coverage::Coverage;
use self::mutants::MutantReport;
use self::properties::PropertyReport;
use crate::explain::Fact;
use crate::problem::Source;
use crate::request::Stage;
use crate::time::Timestamp;
use cedar_policy::EntityUid;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// One thing that is asked, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it says, and what tells it from its neighbours.
    pub(crate) name: String,
    /// The file that it stands in.
    pub(crate) source: Source,
    /// The bytes of the file that it stands at.
    pub(crate) at: std::ops::Range<usize>,
    /// The plan that it is asked of, as a path.
    pub(crate) plan: Option<String>,
    /// The row, or a request of its own.
    pub(crate) asked: Asked,
    /// What is replaced in the plan: mode, principal, resource and parameters of the row.
    pub(crate) replaced: Vec<(String, Value)>,
    /// What is replaced in the facts, by path.
    pub(crate) patches: Vec<(String, Value)>,
    /// How many of these, the first, are of its world: what the case itself says lies over them.
    pub(crate) of_world: usize,
    /// When.
    pub(crate) now: Timestamp,
    /// Before anything ran, or at the moment of use.
    pub(crate) stage: Stage,
    /// The gates that are open.
    pub(crate) gates: BTreeSet<String>,
    /// What must come of it.
    pub(crate) expected: Expected,
}

impl Case {
    /// Whether its name or its file holds a text.
    pub fn holds(&self, text: &str) -> bool {
        self.name.contains(text) || self.source.name().contains(text)
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// A row of the plan, by itself.
    Row(String),
    /// Every row of the plan, denied rows blocking those after them.
    Plan,
    /// A request in the form of a plan's row, with the run whose facts it is judged by.
    Request(Value),
    /// A request as Cedar's own tools take it.
    Cedar(Box<CedarCase>),
}

/// A request as Cedar's own tools take it; without entities of its own it is asked of the recorded ones.
#[derive(Clone, Debug)]
pub(crate) struct CedarCase {
    /// Principal, action and resource.
    pub(crate) uids: [EntityUid; 3],
    pub(crate) context: Value,
    pub(crate) entities: Option<Value>,
}

/// What must come of it; what is not named may be anything.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Expected {
    /// `permitted`, `approved`, `forbidden`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) basis: Option<String>,
    /// `allow` or `deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<String>,
    /// Policies that are among those that decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policies: Option<BTreeSet<String>>,
    /// Exactly the bans that stand before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) only: Option<BTreeSet<String>>,
    /// Exactly the gates that it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) needs: Option<BTreeSet<String>>,
    /// Exactly the gaps that are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gaps: Option<BTreeSet<String>>,
    /// Members of the decisions document, for a whole plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<Value>,
    /// How many policies err.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) errors: Option<usize>,
    /// The property that must hold of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) property: Option<String>,
}

/// What became of one case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// What it says.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// The line of the file.
    pub line: usize,
    /// Whether it came out as it must.
    pub passed: bool,
    /// What differs, one line each; empty where it passed.
    pub differences: Vec<String>,
    /// The policies that decided, with what they looked at; empty where it passed.
    pub decided_by: Vec<Decider>,
}

/// A policy that decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Decider {
    /// Its `@id`.
    pub id: String,
    /// Where it stands: `policies/gates.cedar:12`.
    pub place: String,
    /// The facts that it looked at.
    pub facts: Vec<Fact>,
}

/// What became of all cases.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this form, 1.
    pub version: u32,
    /// How many came out as they must.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// Each case, in the order of the files.
    pub cases: Vec<CaseResult>,
    /// What the cases reach, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// What became of the properties, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<PropertyReport>,
    /// What became of mutants, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutants: Option<MutantReport>,
}

impl Report {
    /// Counts what became of cases.
    pub fn new(cases: Vec<CaseResult>) -> Self {
        let passed = cases.iter().filter(|case| case.passed).count();
        Self {
            version: 1,
            passed,
            failed: cases.len() - passed,
            cases,
            coverage: None,
            properties: None,
            mutants: None,
        }
    }
}

/// Reads the cases of a file: `*.toml` with tables.
pub fn read_tables(source: &Source) -> Result<Vec<Case>, crate::problem::Problems> {
    table::read(source)
}

/// Reads cases in the form of `cedar run-tests`, or a single request; `beside` reads a file of entities that a case names.
pub fn read_json(
    source: &Source,
    beside: &dyn Fn(&str) -> Result<Source, crate::problem::Problems>,
) -> Result<Vec<Case>, crate::problem::Problems> {
    runtests::read(source, beside)
}

/// Whether a document holds cases in one of these forms.
pub fn is_json_case(document: &Value) -> bool {
    runtests::is_one(document)
}

/// Reads the case of a folder: `plan.json`, `entities.json` and `expected.json`, given as they were read.
pub fn read_folder(plan: &str, entities: &Source, expected: &Source) -> Result<Case, crate::problem::Problems> {
    folder::read(plan, entities, expected)
}
