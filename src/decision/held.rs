//! Preconditions that hold: a ban of that tier that is about a row and does not fire, by facts alone.

use super::ask;
use crate::cedar::expression::{conditions, conjuncts};
use crate::cedar::reads::{Base, Read, reads, reads_of};
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use cedar_policy::{Authorizer, Entities, Policy, PolicySet, Request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A precondition that held for a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The ban's id.
    pub policy: String,
    /// The facts by which it did not fire, by their names.
    pub facts: Vec<String>,
}

/// A ban of the precondition tier, and the part of it that asks for no fact.
pub(super) struct Precondition {
    pub id: String,
    pub reads: BTreeSet<Read>,
    /// Permits exactly what the ban is about.
    about: PolicySet,
}

impl Precondition {
    /// The ban, if it is one that facts decide.
    pub fn of(policy: &BundlePolicy) -> Option<Self> {
        if !matches!(policy.annotations.tier, Some(Tier::Precondition(_))) {
            return None;
        }
        let mut about = Vec::new();
        for (kind, body) in conditions(&policy.policy) {
            let parts = conjuncts(&body, kind == "unless");
            about.extend(parts.into_iter().filter(|part| !reads_of(part).iter().any(is_fact)));
        }
        let about: Vec<Value> = about.into_iter().map(|body| json!({"kind": "when", "body": body})).collect();
        let mut whole = policy.policy.to_json().ok()?;
        whole["effect"] = json!("permit");
        whole["conditions"] = Value::Array(about);
        let about = PolicySet::from_policies([Policy::from_json(None, whole).ok()?]).ok()?;
        let reads: BTreeSet<Read> = reads(&policy.policy).into_iter().filter(is_fact).collect();
        (!reads.is_empty()).then(|| Self { id: policy.id().to_owned(), reads, about })
    }

    /// Whether it is about a request.
    pub fn is_about(&self, authorizer: &Authorizer, request: &Request, entities: &Entities) -> bool {
        ask(authorizer, request, &self.about, entities).allow
    }
}

/// Who is in which group is no precondition that a run could bring about.
fn is_fact(read: &Read) -> bool {
    match read {
        Read::Attribute(Base::Context, path) => {
            path.first().is_some_and(|first| first == "run") && path.get(1).is_some_and(|second| second == "facts")
        }
        Read::Attribute(..) | Read::AnyAttribute(_) => true,
        Read::Membership(..) | Read::AnyMembership => false,
    }
}
