//! What matches a request: each policy whatever else matches, and each single condition of a policy.

use crate::cedar::expression::{conditions, visit};
use cedar_policy::{AuthorizationError, Authorizer, Entities, Policy, PolicyId, PolicySet, Request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Policies of which each that matches is told, whatever it would decide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reporters(PolicySet);

/// What matched and what failed, by the names that were given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Matched {
    pub(crate) matched: BTreeSet<String>,
    pub(crate) errors: BTreeSet<String>,
}

impl Reporters {
    /// Policies by name; Cedar tells every `forbid` that matches, so each of them becomes one.
    pub(crate) fn new<'a>(policies: impl IntoIterator<Item = (String, &'a Policy)>) -> Self {
        let reporters = policies.into_iter().filter_map(|(name, policy)| reporter(&name, policy.to_json().ok()?));
        Self(PolicySet::from_policies(reporters).unwrap_or_default())
    }

    /// Single conditions by name, each within the scope of its policy.
    pub(crate) fn of_conditions<'a>(atoms: impl IntoIterator<Item = (String, &'a Policy, &'a Value)>) -> Self {
        let reporters = atoms.into_iter().filter_map(|(name, policy, atom)| {
            let mut json = policy.to_json().ok()?;
            json.as_object_mut()?.insert("conditions".to_owned(), json!([{ "kind": "when", "body": atom }]));
            reporter(&name, json)
        });
        Self(PolicySet::from_policies(reporters).unwrap_or_default())
    }

    /// What matches a request.
    pub(crate) fn ask(&self, request: &Request, entities: &Entities) -> Matched {
        let response = Authorizer::new().is_authorized(request, &self.0, entities);
        let errors = response.diagnostics().errors().map(|error| match error {
            AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
        });
        Matched {
            matched: response.diagnostics().reason().map(ToString::to_string).collect(),
            errors: errors.collect(),
        }
    }
}

fn reporter(name: &str, mut json: Value) -> Option<Policy> {
    let members = json.as_object_mut()?;
    members.insert("effect".to_owned(), json!("forbid"));
    members.remove("annotations");
    Policy::from_json(Some(PolicyId::new(name)), json).ok()
}

/// The conditions of a policy taken apart, down to what is true or false by itself.
pub(crate) fn atoms(policy: &Policy) -> Vec<Value> {
    let mut found = Vec::new();
    conditions(policy).iter().for_each(|(_, body)| split(body, &mut found));
    let mut distinct: Vec<Value> = Vec::new();
    found.retain(|atom| {
        !distinct.contains(atom) && {
            distinct.push(atom.clone());
            true
        }
    });
    found
}

fn split(expression: &Value, found: &mut Vec<Value>) {
    let below = |name: &str| expression.get(name).and_then(Value::as_object);
    let all = ["&&", "||", "!", "if-then-else"].into_iter().find_map(below);
    match all {
        Some(parts) => parts.values().for_each(|part| split(part, found)),
        None if expression.get("Value").is_some() => {}
        None => {
            found.push(expression.clone());
            // What is compared can itself depend on a condition.
            visit(expression, &mut |part| {
                part.pointer("/if-then-else/if").into_iter().for_each(|condition| split(condition, found));
            });
        }
    }
}

/// An expression as Cedar writes it.
pub(crate) fn text(expression: &Value) -> Option<String> {
    let all = json!({ "op": "All" });
    let policy = json!({
        "effect": "permit", "principal": all, "action": all, "resource": all,
        "conditions": [{ "kind": "when", "body": expression }],
    });
    let text = Policy::from_json(None, policy).ok()?.to_cedar()?;
    let (_, body) = text.split_once("when {")?;
    Some(body.trim().trim_end_matches(';').trim_end().strip_suffix('}')?.trim().to_owned())
}

/// The length of a duration as Cedar writes it: `-1h30m`.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let (unit, tail) = tail.split_at_checked(tail.find(|l: char| l.is_ascii_digit()).unwrap_or(tail.len()))?;
        let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(unit)?)?;
        rest = tail;
    }
    Some(sign * sum)
}

const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_taken_apart_down_to_what_is_true_or_false_by_itself() {
        let policy = "permit (principal, action, resource) when { context.a && !(context.n < 3) } \
                      unless { if context.b then principal in G::\"g\" else true };";
        let policy = Policy::parse(None, policy).unwrap();
        let mut texts: Vec<String> = atoms(&policy).iter().map(|atom| text(atom).unwrap()).collect();
        texts.sort();
        assert_eq!(
            texts,
            ["context.a", "context.b", "context.n < 3", "principal in G::\"g\""].map(|text| {
                // Cedar writes what is compared in brackets of its own.
                texts.iter().find(|found| found.replace(['(', ')', ' '], "") == text.replace(' ', "")).unwrap().clone()
            })
        );
    }
}
