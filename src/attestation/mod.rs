//! in-toto statements (Statement v1): over decisions alone, and over a whole run. What is signed, and what every report
//! is drawn from.

pub mod between;
pub mod derive;
pub mod envelope;
mod fit;
pub mod gather;
pub mod grounds;
mod kept;
mod outputs;
pub mod produced;
pub mod report;
mod rows;
mod said;
pub mod schema;
#[cfg(feature = "postgres")]
pub mod secrets;

use crate::digest::Digest;
use crate::problem::{Problem, Problems, Source};
use crate::record::{Decisions, Hashed};
use report::Report;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An in-toto Statement v1 with a predicate of ours.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Statement<P> {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about: the plan first.
    pub subject: Vec<Subject>,
    /// [`DECISIONS_TYPE`] or [`REPORT_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is stated.
    pub predicate: P,
}

/// Something that a statement is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Hashed,
}

/// What is stated before a run: the decisions alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct DecisionPredicate {
    /// What made it.
    pub tool: Tool,
    /// What was decided.
    pub decisions: Decisions,
}

/// The program that decided, and the engine it asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Tool {
    /// `cutter`.
    pub name: String,
    /// The version of `cutter`.
    pub version: String,
    /// The version of Cedar's engine.
    pub cedar: String,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cedar: cedar_policy::get_sdk_version().to_string(),
        }
    }

    /// Whether this program knows it: itself, or one before it that derives the same.
    pub fn is_known(&self) -> bool {
        let known = |(version, cedar): &(&str, &str)| self.version == *version && self.cedar == *cedar;
        *self == Self::this() || (self.name == env!("CARGO_PKG_NAME") && EARLIER.iter().any(known))
    }
}

impl Statement<DecisionPredicate> {
    /// The statement over these decisions.
    pub fn of_decisions(decisions: Decisions) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: decision_subjects(&decisions),
            predicate_type: DECISIONS_TYPE.to_owned(),
            predicate: DecisionPredicate { tool: Tool::this(), decisions },
        }
    }
}

impl Statement<Report> {
    /// The statement over this report.
    pub fn of_report(report: Report) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: report_subjects(&report),
            predicate_type: REPORT_TYPE.to_owned(),
            predicate: report,
        }
    }
}

impl<P: Serialize + DeserializeOwned> Statement<P> {
    /// Its exact bytes: what is signed, digested and chained.
    pub fn text(&self) -> Result<String, Problem> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n")
            .map_err(|error| Problem::failure(format!("the statement has no JSON form: {error}")))
    }

    /// Reads a statement of one predicate type; a text that differs from what [`Self::text`] writes is refused, so that
    /// there is one text for one statement.
    pub fn parse(source: &Source, predicate_type: &str) -> Result<Self, Problems> {
        let refused = |cause: &str| {
            Problem::untrusted(format!("`{}` is not a statement of cutter: {cause}", source.name()))
                .help("`cutter attest --attest FILE` writes statements; any change to one is a forgery")
        };
        let statement: Self = serde_json::from_str(source.text()).map_err(|error| refused(&cause(&error)))?;
        if statement.statement_type != STATEMENT_TYPE {
            return Err(refused("`_type` is not that of in-toto Statement v1").into());
        }
        if statement.predicate_type != predicate_type {
            return Err(refused(&format!("`predicateType` is not `{predicate_type}`")).into());
        }
        if statement.text()? != source.text() {
            return Err(refused("it is not written as cutter writes it").into());
        }
        Ok(statement)
    }
}

/// What a statement over decisions is about.
pub(crate) fn decision_subjects(decisions: &Decisions) -> Vec<Subject> {
    let subject = |name: &str, sha256| Subject { name: name.to_owned(), digest: Hashed { sha256 } };
    vec![subject(&decisions.plan.name, decisions.plan.sha256), subject("policies", decisions.policies.sha256)]
}

/// What a report is about: the same, the facts, and both captures.
pub(crate) fn report_subjects(report: &Report) -> Vec<Subject> {
    let mut subjects = decision_subjects(&report.decisions);
    let mut add = |name: &str, sha256: Digest| {
        subjects.push(Subject { name: name.to_owned(), digest: Hashed { sha256 } });
    };
    add("facts", report.decisions.facts.sha256);
    for (name, record) in [("baseline", &report.grounds.baseline), ("final", &report.grounds.last)] {
        record.iter().for_each(|record| add(name, record.sha256));
    }
    report.grounds.witness.iter().for_each(|witness| add("witness", witness.sha256));
    subjects
}

/// What is wrong with a text, and where, without a type's name.
pub(crate) fn cause(error: &serde_json::Error) -> String {
    error.to_string()
}

/// Versions before this one that derive the same from the same, each with its engine's.
const EARLIER: [(&str, &str); 0] = [];

/// The type of every in-toto Statement v1 (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>).
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The type of a predicate over decisions; its last part is the version. `docs/predicates/README.md` says why it is a URN.
pub const DECISIONS_TYPE: &str = "urn:uuid:f080be5f-0a03-4717-ad7d-c83eb72b6b37#decisions/v1";

/// The type of a predicate over a whole run; its last part is the version.
pub const REPORT_TYPE: &str = "urn:uuid:f080be5f-0a03-4717-ad7d-c83eb72b6b37#attestation/v1";
