//! A request and entities that show a finding: checked by the authorizer, and small enough to read.

use super::Subject;
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicySet, Request};
use serde_json::{Value, json};
use std::cell::RefCell;

/// What shows a finding, in the form that `cedar authorize` takes.
#[derive(Clone, PartialEq, Debug)]
pub struct Counterexample {
    /// `principal`, `action`, `resource` and `context`.
    pub request: Value,
    /// Every entity that the request reaches, actions and enumerated ones excepted.
    pub entities: Value,
    /// What the whole bundle decides.
    pub decision: &'static str,
    /// What it should decide.
    pub expected: &'static str,
    /// The policies that decide, sorted.
    pub policies: Vec<String>,
    /// The facts that matter: `context.to = true`.
    pub essentials: Vec<String>,
}

/// A request and its entities as JSON, which can be changed bit by bit.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// The principal, action and resource.
    pub uids: [EntityUid; 3],
    /// The context.
    pub context: Value,
    /// The entities.
    pub entities: Value,
}

impl Case {
    /// The case of a concrete request; `None` if it is not concrete.
    pub fn of(request: &Request, entities: &Entities) -> Option<Self> {
        let uids = [request.principal()?.clone(), request.action()?.clone(), request.resource()?.clone()];
        let context = request.context()?.to_json_value().ok()?;
        let mut entities = entities.to_json_value().ok()?;
        let is_action = |entity: &Value| {
            let name = entity.pointer("/uid/type").and_then(Value::as_str).unwrap_or_default();
            name == "Action" || name.ends_with("::Action")
        };
        let all = entities.as_array_mut()?;
        all.retain(|entity| !is_action(entity));
        // Cedar hands both over in any order; what follows from a case must be the same every time.
        for parents in all.iter_mut().filter_map(|entity| entity.get_mut("parents")?.as_array_mut()) {
            parents.sort_by_cached_key(Value::to_string);
        }
        all.sort_by_cached_key(|entity| entity.get("uid").map(Value::to_string));
        Some(Self { uids, context, entities })
    }

    /// Request and entities, if they conform to the schema.
    pub fn read(&self, subject: &Subject) -> Option<(Request, Entities)> {
        self.request(subject).zip(self.entities(subject))
    }

    /// The request, if it conforms to the schema.
    pub fn request(&self, subject: &Subject) -> Option<Request> {
        let schema = subject.bundle.schema().schema();
        let [principal, action, resource] = self.uids.clone();
        let context = Context::from_json_value(self.context.clone(), Some((schema, &action))).ok()?;
        Request::new(principal, action, resource, context, Some(schema)).ok()
    }

    /// The entities, if they conform to the schema.
    pub fn entities(&self, subject: &Subject) -> Option<Entities> {
        Entities::from_json_value(self.entities.clone(), Some(subject.bundle.schema().schema())).ok()
    }

    /// The counterexample that this case is, with the whole bundle's decision.
    pub fn into_counterexample(
        self,
        subject: &Subject,
        expected: &'static str,
        essentials: Vec<String>,
    ) -> Option<Counterexample> {
        let (request, entities) = (self.request(subject)?, self.entities(subject)?);
        let all = subject.bundle.policies().iter().map(|policy| policy.policy.clone());
        let response = Authorizer::new().is_authorized(&request, &PolicySet::from_policies(all).ok()?, &entities);
        let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        policies.sort();
        let decision = if response.decision() == Decision::Allow { "allow" } else { "deny" };
        // With `__entity` and `__extn` written out, it needs no schema to be read.
        let context = request.context()?.to_json_value().ok()?;
        let [principal, action, resource] = self.uids.each_ref().map(ToString::to_string);
        let request = json!({
            "principal": principal, "action": action, "resource": resource, "context": context,
        });
        Some(Counterexample { request, entities: self.entities, decision, expected, policies, essentials })
    }
}

/// Tries one case after the other; entities that stay the same are read once, which is most of the work.
pub struct Trial<'a, F> {
    subject: &'a Subject,
    shows: F,
    last: RefCell<Option<(Value, Option<Entities>)>>,
}

impl<'a, F: Fn(&Request, &Entities) -> bool> Trial<'a, F> {
    /// A trial of whatever `shows` judges.
    pub fn new(subject: &'a Subject, shows: F) -> Self {
        Self { subject, shows, last: RefCell::new(None) }
    }

    /// Whether the case shows it; `None` if it does not conform to the schema.
    pub fn judge(&self, case: &Case) -> Option<bool> {
        let request = case.request(self.subject)?;
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(of, _)| *of != case.entities) {
            *last = Some((case.entities.clone(), case.entities(self.subject)));
        }
        let (_, entities) = last.as_ref()?;
        Some((self.shows)(&request, entities.as_ref()?))
    }

    /// Whether the case conforms to the schema and shows it.
    pub fn holds(&self, case: &Case) -> bool {
        self.judge(case) == Some(true)
    }
}

impl Counterexample {
    /// What Cedar says of a policy that fails to evaluate at this request.
    pub fn error(&self, subject: &Subject, policy: &Policy) -> Option<String> {
        let part = |key: &str| self.request.get(key)?.as_str()?.parse::<EntityUid>().ok();
        let uids = [part("principal")?, part("action")?, part("resource")?];
        let case = Case { uids, context: self.request.get("context")?.clone(), entities: self.entities.clone() };
        let (request, entities) = case.read(subject)?;
        let policies = PolicySet::from_policies([policy.clone()]).ok()?;
        let response = Authorizer::new().is_authorized(&request, &policies, &entities);
        let error = response.diagnostics().errors().next()?.to_string();
        Some(error.split_once("`: ").map_or(error.clone(), |(_, what)| what.to_owned()))
    }

    /// The case as `cedar run-tests` and `cutter test` take it.
    pub fn test_case(&self, name: &str) -> Value {
        json!([{
            "name": name, "request": self.request, "entities": self.entities,
            "decision": self.expected, "reason": [], "num_errors": 0,
        }])
    }

    /// The same without namespaces, and with the name of the action alone.
    pub fn short_request_line(&self) -> String {
        let part = |key: &str| {
            let uid = self.request.get(key).and_then(Value::as_str).unwrap_or_default();
            let (name, id) = uid.split_once("::\"").unwrap_or((uid, ""));
            match (name.rsplit("::").next().unwrap_or(name), id.trim_end_matches('"')) {
                ("Action", action) => action.to_owned(),
                (name, id) => format!("{name}::\"{id}\""),
            }
        };
        format!("{} {} {}", part("principal"), part("action"), part("resource"))
    }

    /// Principal, action and resource on one line.
    pub fn request_line(&self) -> String {
        let part = |key: &str| self.request.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{} {} {}", part("principal"), part("action"), part("resource"))
    }
}

/// An entity in either of Cedar's two JSON forms.
pub fn uid(value: &Value) -> Option<String> {
    let inner = value.get("__entity").unwrap_or(value);
    let (name, id) = (inner.get("type")?.as_str()?, inner.get("id")?.as_str()?);
    (inner.as_object()?.len() == 2).then(|| format!("{name}::{id:?}"))
}

/// The text of an extension value that is made from one argument.
pub fn extension(value: &Value) -> Option<String> {
    let call = value.get("__extn")?;
    match call.get("arg").and_then(Value::as_str) {
        Some(argument) => Some(argument.to_owned()),
        None => Some(call.to_string()),
    }
}
