//! Requests of the sizes that people use: what keeps the solver from answers in which a sum overflows, and a policy is skipped.

use crate::cedar::expression::paths;
use crate::subject::Subject;
use cedar_policy::{Policy, PolicyId, RequestEnv};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A policy that matches what is of such a size among all that policies and invariants read of requests of this type.
pub(super) fn tame(subject: &Subject, request_type: &RequestEnv, id: &str) -> Option<Policy> {
    let policies = subject.bundle.policies().iter().map(|policy| &policy.policy);
    let all = policies.chain(subject.invariants.iter().map(|invariant| &invariant.policy));
    let mut reads = Reads { subject, paths: BTreeSet::new(), largest: LARGEST };
    for policy in all.filter(|policy| subject.can_match(policy, request_type)) {
        let json = policy.to_json().unwrap_or_default();
        let conditions = json.get("conditions").unwrap_or(&Value::Null);
        reads.paths.extend(paths(conditions).into_iter().map(|path| format!("{path}.")));
        crate::cedar::expression::visit(conditions, &mut |part| {
            let number = part.get("Value").and_then(Value::as_i64).unwrap_or(0);
            // Twice as large is still far from where a product of two ends.
            reads.largest = reads.largest.max(number.saturating_abs().saturating_mul(2).min(MOST));
        });
    }
    let schema = subject.bundle.schema();
    let (principal, resource) = (request_type.principal(), request_type.resource());
    let mut bounds = Vec::new();
    for (name, shape) in [
        ("context", schema.context(request_type.action())),
        ("principal", schema.attributes(principal)),
        ("resource", schema.attributes(resource)),
    ] {
        reads.bound(name, name, shape, &mut bounds);
    }
    let bounds: Vec<String> = bounds.iter().map(|bound| format!("({bound})")).collect();
    // Where nothing has a size, nothing overflows.
    (!bounds.is_empty()).then_some(())?;
    let scope = format!("principal is {principal}, action == {}, resource is {resource}", request_type.action());
    let text = format!("permit ({scope}) when {{ {} }};", bounds.join(" && "));
    Policy::parse(Some(PolicyId::new(id)), text).ok()
}

/// What is read, and how large numbers may be.
struct Reads<'a> {
    subject: &'a Subject,
    paths: BTreeSet<String>,
    largest: i64,
}

impl Reads<'_> {
    /// Adds what bounds every number and time below a value of this shape; `path` is how conditions name it, `text` how Cedar does.
    fn bound(&self, path: &str, text: &str, shape: &Value, bounds: &mut Vec<String>) {
        let inside = format!("{path}.");
        if !self.paths.iter().any(|read| read.starts_with(&inside)) {
            return;
        }
        let schema = self.subject.bundle.schema();
        let shape = schema.resolved(shape);
        let kind = shape.get("type").and_then(Value::as_str).unwrap_or_default();
        let name = shape.get("name").and_then(Value::as_str).unwrap_or(kind).trim_start_matches("__cedar::");
        let largest = self.largest;
        match name {
            "Long" => bounds.push(format!("{text} >= -{largest} && {text} <= {largest}")),
            "datetime" => {
                bounds.push(format!("{text} >= datetime(\"{FIRST}\") && {text} <= datetime(\"{LAST}\")"));
            }
            "duration" => {
                bounds.push(format!("{text} >= duration(\"-{LONGEST}\") && {text} <= duration(\"{LONGEST}\")"))
            }
            "Record" => {
                let members = shape.get("attributes").and_then(Value::as_object);
                for (key, of) in members.into_iter().flatten() {
                    let key_text = json!(key);
                    let mut inner = Vec::new();
                    self.bound(&format!("{path}.{key}"), &format!("{text}[{key_text}]"), of, &mut inner);
                    let is_optional = of.get("required") == Some(&json!(false));
                    let bound = |bound| {
                        if is_optional { format!("if {text} has {key_text} then {bound} else true") } else { bound }
                    };
                    bounds.extend(inner.into_iter().map(bound));
                }
            }
            name => {
                if let Ok(kind) = name.parse() {
                    self.bound(path, text, schema.attributes(&kind), bounds);
                }
            }
        }
    }
}

/// The largest number, unless a policy names larger ones.
const LARGEST: i64 = 1_000_000;
/// The largest number whatever policies name.
const MOST: i64 = 2_000_000_000;
const FIRST: &str = "1970-01-01";
const LAST: &str = "2100-01-01";
const LONGEST: &str = "36500d";
