//! The same work as two requests: what one of them needs, the other must not be without.

use cedar_policy::EntityUid;
use serde_json::{Map, Value};

/// Two requests for the same work.
#[derive(Clone, PartialEq, Debug)]
pub struct Twin {
    /// What must hold, in a sentence.
    pub name: String,
    /// The request whose gates count.
    pub one: Ask,
    /// The one that must need them, too.
    pub other: Ask,
}

/// What is fixed of a request.
#[derive(Clone, PartialEq, Debug)]
pub struct Ask {
    /// Its action.
    pub action: EntityUid,
    /// What it touches; where nothing is said, whatever is asked for.
    pub resource: Option<EntityUid>,
    /// The parameters that are fixed, in Cedar's JSON form.
    pub context: Map<String, Value>,
}
