//! Replay: decisions that were recorded, asked again of other policies; what comes out otherwise, and why.

use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems, Source};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// What became of recorded decisions; those of several parts of a log can be added up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The version of this form, 1.
    pub version: u32,
    /// How many decisions were read.
    pub decisions: usize,
    /// How many came out as they were.
    pub same: usize,
    /// How many were denied and would be allowed.
    pub deny_to_allow: usize,
    /// How many were allowed and would be denied.
    pub allow_to_deny: usize,
    /// How many could not be asked: they make no request of the schema any more, or were never Cedar's own.
    pub not_asked: usize,
    /// Those that come out otherwise, the first of them.
    pub flips: Vec<Flip>,
}

/// A decision that comes out otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// Where it was recorded: `decisions.ndjson:12`.
    pub place: String,
    /// `Agent::"a" publish Page::"p"`.
    pub request: String,
    /// What it was.
    pub was: String,
    /// What it would be.
    pub is: String,
    /// The policies that decided it.
    pub decided_by: Vec<String>,
    /// The policies that would.
    pub would_be_by: Vec<String>,
}

/// Asks recorded decisions again, one after the other; what is kept does not grow with them.
pub struct Replayer<'a> {
    bundle: &'a PolicyBundle,
    policies: PolicySet,
    entities: Entities,
    found: Replay,
}

impl<'a> Replayer<'a> {
    /// The policies that are asked, and the facts beside what each decision recorded of its run.
    pub fn new(bundle: &'a PolicyBundle, facts: &[Source]) -> Result<Self, Problems> {
        let mut all = Vec::new();
        for source in bundle.people().iter().chain(facts) {
            let value = crate::json::to_serde(&crate::json::parse(source)?);
            all.extend(value.as_array().cloned().unwrap_or_default());
        }
        let schema = bundle.has_schema().then(|| bundle.schema().schema());
        let entities = Entities::from_json_value(Value::Array(all), schema)
            .map_err(|error| Problem::invalid(format!("the facts do not fit the policies: {error}")))?;
        let policies = bundle.policies().iter().map(|policy| policy.policy.clone());
        let policies = PolicySet::from_policies(policies)
            .map_err(|error| Problem::invalid(format!("the policies cannot be joined: {error}")))?;
        Ok(Self { bundle, policies, entities, found: Replay::nothing() })
    }

    /// Asks every decision that a document holds, however deep, and says how many there were.
    pub fn document(&mut self, place: &str, document: &Value) -> usize {
        if is_decision(document) {
            self.ask(place, document);
            return 1;
        }
        match document {
            Value::Object(members) => members.values().map(|member| self.document(place, member)).sum(),
            Value::Array(elements) => elements.iter().map(|element| self.document(place, element)).sum(),
            _ => 0,
        }
    }

    /// What became of all of them.
    pub fn finish(self) -> Replay {
        self.found
    }

    fn ask(&mut self, place: &str, recorded: &Value) {
        self.found.decisions += 1;
        let text = |name: &str| recorded.get(name).and_then(Value::as_str).unwrap_or_default();
        // A row that waits for another was allowed by its policies; what could not be judged or had no work was no decision.
        let was = match (text("basis"), text("decision")) {
            ("blocked_by", _) => Some("allow"),
            ("indeterminate" | "no_work", _) => None,
            (_, decision @ ("allow" | "deny")) => Some(decision),
            _ => None,
        };
        let uid = |name: &str| EntityUid::from_str(text(name)).ok();
        let schema = self.bundle.has_schema().then(|| self.bundle.schema().schema());
        let request =
            uid("principal").zip(uid("action")).zip(uid("resource")).and_then(|((principal, action), resource)| {
                let context = recorded.get("context").cloned().unwrap_or_default();
                let context = Context::from_json_value(context, schema.map(|schema| (schema, &action))).ok()?;
                Request::new(principal, action, resource, context, schema).ok()
            });
        let (Some(was), Some(request)) = (was, request) else {
            self.found.not_asked += 1;
            return;
        };
        let response = Authorizer::new().is_authorized(&request, &self.policies, &self.entities);
        let errs = response.diagnostics().errors().next().is_some();
        let is = if response.decision() == Decision::Allow && !errs { "allow" } else { "deny" };
        match (was, is) {
            ("deny", "allow") => self.found.deny_to_allow += 1,
            ("allow", "deny") => self.found.allow_to_deny += 1,
            _ => {
                self.found.same += 1;
                return;
            }
        }
        if self.found.flips.len() >= MOST {
            return;
        }
        let would: BTreeSet<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        let decided = recorded.get("policies").and_then(Value::as_array).into_iter().flatten();
        self.found.flips.push(Flip {
            place: place.to_owned(),
            request: format!("{} {} {}", text("principal"), text("action"), text("resource")),
            was: was.to_owned(),
            is: is.to_owned(),
            decided_by: decided.filter_map(|id| id.as_str().map(str::to_owned)).collect(),
            would_be_by: would.into_iter().collect(),
        });
    }
}

impl Replay {
    /// Nothing yet.
    pub fn nothing() -> Self {
        Self { version: 1, decisions: 0, same: 0, deny_to_allow: 0, allow_to_deny: 0, not_asked: 0, flips: Vec::new() }
    }

    /// Adds what became of another part.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.decisions += other.decisions;
        self.same += other.same;
        self.deny_to_allow += other.deny_to_allow;
        self.allow_to_deny += other.allow_to_deny;
        self.not_asked += other.not_asked;
        self.flips.extend(other.flips);
        self.flips.truncate(MOST);
        self
    }
}

/// Whether a document is one recorded decision: a request and what came of it.
fn is_decision(document: &Value) -> bool {
    ["principal", "action", "resource", "context", "decision"].iter().all(|name| document.get(name).is_some())
        && document.get("decision").is_some_and(Value::is_string)
}

/// How many that come out otherwise are shown.
const MOST: usize = 1_000;
