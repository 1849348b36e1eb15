//! The in-toto statement over decisions (in-toto Statement v1): what is signed, and what every report is drawn from.

use crate::document::{Decisions, Hashed};
use serde::{Deserialize, Serialize};

/// An in-toto Statement v1 over one plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The plan first, then the policy bundle.
    pub subject: Vec<Subject>,
    /// Always [`PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is stated.
    pub predicate: Predicate,
}

/// Something the statement is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Hashed,
}

/// What is stated of a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Predicate {
    /// What made it.
    pub tool: Tool,
    /// What was decided.
    pub decisions: Decisions,
}

/// The program that decided, and the engine it asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tool {
    /// `cutter`.
    pub name: String,
    /// The version of `cutter`.
    pub version: String,
    /// The version of Cedar's engine.
    pub cedar: String,
}

impl Statement {
    /// The statement over these decisions.
    pub fn new(decisions: Decisions) -> Self {
        let subject =
            |name: &str, sha256: &str| Subject { name: name.to_owned(), digest: Hashed { sha256: sha256.to_owned() } };
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![
                subject(&decisions.plan.name, &decisions.plan.sha256),
                subject("policies", &decisions.policies.sha256),
            ],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                tool: Tool {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    cedar: cedar_policy::get_sdk_version().to_string(),
                },
                decisions,
            },
        }
    }
}

/// The type of every in-toto Statement v1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The type of our predicate; its last part is the version.
pub const PREDICATE_TYPE: &str = "https://cutter.invalid/attestation/v1";
