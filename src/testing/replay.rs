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
    /// How many could not be asked: they make no request of the schema any more, reach what is not there, fail to evaluate, are no
    /// whole decision, or were never Cedar's own.
    pub not_asked: usize,
    /// Those that could not be asked, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<Unasked>,
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

/// A decision that could not be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unasked {
    /// Where it was recorded.
    pub place: String,
    /// Why.
    pub why: String,
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

    /// Asks every decision that a document of a known form holds.
    pub fn document(&mut self, place: &str, document: &Value) -> Result<(), Problem> {
        check_version(document).map_err(|what| {
            Problem::invalid(format!("`{place}` {what}"))
                .help("replay it with the cutter that wrote it, or record again")
        })?;
        self.part(place, document);
        Ok(())
    }

    /// Asks every decision that a part of a document holds, however deep, and says how many there were.
    fn part(&mut self, place: &str, document: &Value) -> usize {
        let lacking = lacking(document);
        if lacking.is_empty() {
            self.found.decisions += 1;
            if let Err(why) = self.ask(place, document) {
                self.leave(place, why);
            }
            return 1;
        }
        if lacking.len() == 1 {
            self.found.decisions += 1;
            self.leave(place, format!("`{}` is not there, or is not what it should be", lacking.concat()));
            return 1;
        }
        match document {
            Value::Object(members) => members.values().map(|member| self.part(place, member)).sum(),
            Value::Array(elements) => elements.iter().map(|element| self.part(place, element)).sum(),
            _ => 0,
        }
    }

    /// What became of all of them.
    pub fn finish(self) -> Replay {
        self.found
    }

    fn leave(&mut self, place: &str, why: String) {
        self.found.not_asked += 1;
        if self.found.unasked.len() < MOST {
            self.found.unasked.push(Unasked { place: place.to_owned(), why });
        }
    }

    /// Asks one decision; else says why it cannot be asked.
    fn ask(&mut self, place: &str, recorded: &Value) -> Result<(), String> {
        let text = |name: &str| recorded.get(name).and_then(Value::as_str).unwrap_or_default();
        // A row that waits for another was allowed by its policies; what could not be judged or had no work was no decision.
        let was = match (text("basis"), text("decision")) {
            ("blocked_by", _) => "allow",
            (basis @ ("indeterminate" | "no_work"), _) => return Err(format!("it was not decided: `{basis}`")),
            (_, decision @ ("allow" | "deny")) => decision,
            (_, other) => return Err(format!("`decision` is `{other}`, which is neither `allow` nor `deny`")),
        };
        let uid = |name: &str| EntityUid::from_str(text(name)).map_err(|_| format!("`{name}` names no entity"));
        let (principal, action, resource) = (uid("principal")?, uid("action")?, uid("resource")?);
        for uid in [&principal, &resource] {
            if self.is_absent(uid) {
                return Err(format!("`{uid}` is not among the facts"));
            }
        }
        let schema = self.bundle.has_schema().then(|| self.bundle.schema().schema());
        let context = recorded.get("context").cloned().unwrap_or_default();
        let context = Context::from_json_value(context, schema.map(|schema| (schema, &action)));
        let context = context.map_err(|error| format!("its context does not fit: {error}"))?;
        let request = Request::new(principal, action, resource, context, schema);
        let request = request.map_err(|error| format!("it is not a valid request for the schema: {error}"))?;
        let response = Authorizer::new().is_authorized(&request, &self.policies, &self.entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(error.to_string());
        }
        let is = if response.decision() == Decision::Allow { "allow" } else { "deny" };
        match (was, is) {
            ("deny", "allow") => self.found.deny_to_allow += 1,
            ("allow", "deny") => self.found.allow_to_deny += 1,
            _ => {
                self.found.same += 1;
                return Ok(());
            }
        }
        if self.found.flips.len() >= MOST {
            return Ok(());
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
        Ok(())
    }

    /// Whether an entity is missing of which policies could read something.
    fn is_absent(&self, uid: &EntityUid) -> bool {
        let schema = self.bundle.has_schema().then(|| self.bundle.schema());
        let kind = uid.type_name();
        self.entities.get(uid).is_none()
            && schema.is_some_and(|schema| {
                !schema.is_enumerated(kind)
                    && (schema.types_with_parents().contains(kind) || {
                        let shape = schema.resolved(schema.attributes(kind));
                        shape.get("attributes").and_then(Value::as_object).is_some_and(|all| !all.is_empty())
                    })
            })
    }
}

impl Replay {
    /// Nothing yet.
    pub fn nothing() -> Self {
        Self {
            version: 1,
            decisions: 0,
            same: 0,
            deny_to_allow: 0,
            allow_to_deny: 0,
            not_asked: 0,
            unasked: Vec::new(),
            flips: Vec::new(),
        }
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
        self.unasked.extend(other.unasked);
        self.unasked.truncate(MOST);
        self
    }
}

/// Refuses a document of a form that is not known: attestations and decisions are of version 1, journals of version 2; a line of a
/// log has none.
fn check_version(document: &Value) -> Result<(), String> {
    let Value::Object(members) = document else { return Ok(()) };
    let version = members.get("version");
    match (members.get("predicateType").and_then(Value::as_str), version) {
        (Some(form), _) if form.ends_with("/v1") => Ok(()),
        (Some(form), _) => Err(format!("is of the form `{form}`, which is not known")),
        (None, None) if lacking(document).len() <= 1 => Ok(()),
        (None, None) if !members.contains_key("verdict") && !members.contains_key("records") => Ok(()),
        (None, None) => Err("does not say of which version it is".to_owned()),
        (None, Some(version)) => {
            let known = if members.contains_key("ledger") { 2 } else { 1 };
            if version.as_u64() == Some(known) {
                return Ok(());
            }
            Err(format!("is of version {version}, and {known} is known"))
        }
    }
}

/// What a document lacks of one recorded decision: a request and what came of it.
fn lacking(document: &Value) -> Vec<&'static str> {
    let is_text = |name: &str| document.get(name).is_some_and(Value::is_string);
    let parts = ["principal", "action", "resource", "context", "decision"];
    parts.into_iter().filter(|name| !(is_text(name) || (*name == "context" && document.get(name).is_some()))).collect()
}

/// How many that come out otherwise are shown.
const MOST: usize = 1_000;
