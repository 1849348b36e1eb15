//! What of a policy no fact decides: whether it could fire for a row at all, and which preconditions are about a row and do not.

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

/// A policy, what it reads, and the part of it that asks for no fact.
pub(super) struct Reading {
    pub policy: Policy,
    pub reads: BTreeSet<Read>,
    /// Permits the requests that the part without facts leaves open, whatever the scope; none where there is no such part.
    possible: Option<PolicySet>,
    /// Whether it is a ban that facts decide.
    is_precondition: bool,
}

impl Reading {
    pub fn of(policy: &BundlePolicy) -> Self {
        let mut parts = Vec::new();
        for (kind, body) in conditions(&policy.policy) {
            let all = conjuncts(&body, kind == "unless");
            parts.extend(all.into_iter().filter(|part| !reads_of(part).iter().any(is_fact)));
        }
        let reads = reads(&policy.policy);
        let is_ban = matches!(policy.annotations.tier, Some(Tier::Precondition(_)));
        let is_precondition = is_ban && reads.iter().any(|read| matches!(read, Read::Attribute(..)) && is_fact(read));
        let possible = (!parts.is_empty()).then(|| permitting(&parts)).flatten();
        Self { policy: policy.policy.clone(), reads, possible, is_precondition }
    }

    /// Whether facts could make it fire for a request; what the request itself puts out of the question, no fact brings back.
    pub fn is_possible(&self, authorizer: &Authorizer, request: &Request, entities: &Entities) -> bool {
        self.possible.as_ref().is_none_or(|possible| {
            let answer = ask(authorizer, request, possible, entities);
            answer.allow || !answer.errors.is_empty()
        })
    }

    /// The attributes by which it holds, where it is a precondition.
    pub fn precondition(&self) -> Option<impl Iterator<Item = &Read>> {
        self.is_precondition
            .then(|| self.reads.iter().filter(|read| matches!(read, Read::Attribute(..)) && is_fact(read)))
    }
}

/// A policy that permits whatever fulfils all of these.
fn permitting(parts: &[Value]) -> Option<PolicySet> {
    let conditions: Vec<Value> = parts.iter().map(|body| json!({"kind": "when", "body": body})).collect();
    let all = json!({"op": "All"});
    let whole = json!({"effect": "permit", "principal": all, "action": all, "resource": all, "conditions": conditions});
    PolicySet::from_policies([Policy::from_json(None, whole).ok()?]).ok()
}

/// Whether it is a fact, and neither the plan's word nor the runtime's.
fn is_fact(read: &Read) -> bool {
    match read {
        Read::Attribute(Base::Context, path) => match path.as_slice() {
            [run, of_run, ..] if run == "run" => of_run == "facts",
            // A parameter may be an entity, and its attributes are facts.
            _ => path.len() > 1,
        },
        _ => true,
    }
}
