//! What a report says beside its tables: what does not fit, and what must not be overlooked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where evidence and decisions do not fit each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Contradiction {
    /// For machines.
    pub kind: ContradictionKind,
    /// The rows of the plan, the observation or the ban it is about.
    pub about: Vec<String>,
    /// For people.
    pub text: String,
}

/// How evidence and decisions do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContradictionKind {
    /// Something changed, and nothing that was allowed explains it.
    UnexplainedChange,
    /// What a done action declares to change did not change.
    EffectAbsent,
    /// It changed otherwise than declared.
    EffectDiffers,
    /// A denied action is in the journal.
    DeniedAndDone,
    /// An action that the plan does not have is in the journal.
    NotInPlan,
    /// A switch does not stand where it must at the end.
    LeftOn,
    /// The journal or the approvals show conduct that is forbidden.
    Conduct,
}

/// What a reader must not overlook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Disclosure {
    /// For machines.
    pub kind: DisclosureKind,
    /// For people.
    pub text: String,
}

/// What is disclosed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisclosureKind {
    /// An emergency gate was open.
    Mark,
    /// The run was ended for good before all of it was done.
    Voided,
    /// A gap is open.
    OpenGap,
    /// A gap will be asked for at the moment of use.
    DeferredGap,
    /// Something could not be measured.
    Unknown,
    /// Something grew within its declared bound.
    Tolerated,
    /// An action that began did not end well.
    Failed,
    /// Something changed as declared, without a bound.
    Unbounded,
    /// Something rests on the run's own word.
    SelfReported,
    /// Something is not signed or not chained.
    Unsigned,
}
