//! Conditions that hold for every request, by their very text and the types of the scope.

use super::Subject;
use crate::cedar::expression::conditions;
use cedar_policy::{Policy, PrincipalConstraint, ResourceConstraint};
use serde_json::Value;

/// Whether no condition of the policy can fail.
pub fn always_passes(policy: &Policy, subject: &Subject) -> bool {
    conditions(policy).iter().all(|(kind, body)| truth(body, policy, subject) == Some(kind == "when"))
}

/// Whether the scope leaves nobody and nothing out for which its actions can be asked: types count only where they part something.
pub fn is_for_all(policy: &Policy, subject: &Subject) -> bool {
    let (principal, resource) = (policy.principal_constraint(), policy.resource_constraint());
    let of_types = matches!(principal, PrincipalConstraint::Any | PrincipalConstraint::Is(_))
        && matches!(resource, ResourceConstraint::Any | ResourceConstraint::Is(_));
    if principal == PrincipalConstraint::Any && resource == ResourceConstraint::Any {
        return true;
    }
    let (matched, others): (Vec<_>, Vec<_>) =
        subject.request_types.iter().partition(|of| subject.can_match(policy, of));
    of_types && !matched.is_empty() && !others.iter().any(|of| matched.iter().any(|one| one.action() == of.action()))
}

/// What an expression is in every request, where its text says it.
fn truth(expression: &Value, policy: &Policy, subject: &Subject) -> Option<bool> {
    let both = |operator: &str| expression.get(operator).and_then(|both| both.get("left").zip(both.get("right")));
    let of = |inner: &Value| truth(inner, policy, subject);
    if let Some(value) = expression.get("Value").and_then(Value::as_bool) {
        return Some(value);
    }
    if let Some(inner) = expression.pointer("/!/arg") {
        return of(inner).map(|truth| !truth);
    }
    if let Some((left, right)) = both("&&") {
        return match (of(left), of(right)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), other) | (other, Some(true)) => other,
            _ => None,
        };
    }
    if let Some((left, right)) = both("||") {
        let opposite = |a: &Value, b: &Value| a.pointer("/!/arg") == Some(b);
        return match (of(left), of(right)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            _ if opposite(left, right) || opposite(right, left) => Some(true),
            (Some(false), other) | (other, Some(false)) => other,
            _ => None,
        };
    }
    if let Some(branches) = expression.get("if-then-else") {
        let part = |key: &str| branches.get(key).and_then(of);
        return match (part("if"), part("then"), part("else")) {
            (Some(true), then, _) => then,
            (Some(false), _, other) => other,
            (None, then, other) if then == other => then,
            _ => None,
        };
    }
    for operator in ["==", "in", "<=", ">=", "containsAll"] {
        if both(operator).is_some_and(|(left, right)| left == right) {
            return Some(true);
        }
    }
    for operator in ["!=", "<", ">"] {
        if both(operator).is_some_and(|(left, right)| left == right) {
            return Some(false);
        }
    }
    if let Some(answer) = both_literal(expression) {
        return Some(answer);
    }
    if let Some(like) = expression.get("like") {
        let pattern = like.get("pattern").and_then(Value::as_array)?;
        let is_any = !pattern.is_empty() && pattern.iter().all(|part| part.as_str() == Some("Wildcard"));
        return is_any.then_some(true);
    }
    is_of_its_type(expression, policy, subject)
}

/// A comparison of two literals.
fn both_literal(expression: &Value) -> Option<bool> {
    let (operator, both) = expression.as_object().filter(|map| map.len() == 1)?.iter().next()?;
    let (left, right) = (both.pointer("/left/Value")?, both.pointer("/right/Value")?);
    let order = left.as_i64().zip(right.as_i64()).map(|(left, right)| left.cmp(&right));
    match operator.as_str() {
        "==" => Some(left == right),
        "!=" => Some(left != right),
        "<" => order.map(std::cmp::Ordering::is_lt),
        "<=" => order.map(std::cmp::Ordering::is_le),
        ">" => order.map(std::cmp::Ordering::is_gt),
        ">=" => order.map(std::cmp::Ordering::is_ge),
        _ => None,
    }
}

/// `principal is T` where the actions of the scope apply to principals of no other type, and the same of resources.
fn is_of_its_type(expression: &Value, policy: &Policy, subject: &Subject) -> Option<bool> {
    let is = expression.get("is").filter(|is| is.get("in").is_none())?;
    let (variable, name) = (is.pointer("/left/Var")?.as_str()?, is.get("entity_type")?.as_str()?);
    let mut types = subject.request_types.iter().filter(|of| subject.can_match(policy, of)).peekable();
    types.peek()?;
    let of_type = types.all(|of| match variable {
        "principal" => of.principal().to_string() == name,
        "resource" => of.resource().to_string() == name,
        _ => false,
    });
    of_type.then_some(true)
}
