//! Reading conditions in Cedar's JSON form: attribute paths, operators, and everything below an expression.

use cedar_policy::Policy;
use serde_json::{Value, json};

/// The conditions of a policy: `when` or `unless`, and its body.
pub fn conditions(policy: &Policy) -> Vec<(String, Value)> {
    let json = policy.to_json().unwrap_or_default();
    let conditions = json.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let pair = |condition: Value| Some((condition.get("kind")?.as_str()?.to_owned(), condition.get("body")?.clone()));
    conditions.into_iter().filter_map(pair).collect()
}

/// A policy as it decides: without its annotations and its id.
pub fn bare(policy: &Policy) -> Value {
    let mut json = policy.to_json().unwrap_or_default();
    if let Some(object) = json.as_object_mut() {
        object.remove("annotations");
    }
    json
}

/// `context.run.gates` for an expression that reads just that.
pub fn path(expression: &Value) -> Option<String> {
    if let Some(variable) = expression.get("Var").and_then(Value::as_str) {
        return Some(variable.to_owned());
    }
    let access = expression.get(".")?;
    Some(format!("{}.{}", path(access.get("left")?)?, access.get("attr")?.as_str()?))
}

/// Every path that an expression reads or asks for, longest forms only.
pub fn paths(expression: &Value) -> Vec<String> {
    let mut found = Vec::new();
    gather(expression, &mut found);
    found
}

fn gather(expression: &Value, found: &mut Vec<String>) {
    if let Some(path) = path(expression) {
        found.push(path);
        return;
    }
    match expression {
        Value::Object(map) => map.values().for_each(|value| gather(value, found)),
        Value::Array(elements) => elements.iter().for_each(|value| gather(value, found)),
        _ => {}
    }
}

/// How many calculations that may overflow lie in one another.
pub fn calculation_depth(expression: &Value) -> usize {
    let below = |value: &Value| match value {
        Value::Object(map) => map.values().map(calculation_depth).max().unwrap_or_default(),
        Value::Array(elements) => elements.iter().map(calculation_depth).max().unwrap_or_default(),
        _ => 0,
    };
    let is_calculation = |name: &String| matches!(name.as_str(), "+" | "-" | "*" | "neg" | "offset" | "durationSince");
    let own = expression.as_object().filter(|map| map.len() == 1).is_some_and(|map| map.keys().any(is_calculation));
    below(expression) + usize::from(own)
}

/// What must all be true for an expression to be true, or, negated, to be false.
pub fn conjuncts(expression: &Value, negated: bool) -> Vec<Value> {
    let operator = if negated { "||" } else { "&&" };
    if let Some(both) = expression.get(operator) {
        let side = |name: &str| both.get(name).map(|side| conjuncts(side, negated)).unwrap_or_default();
        return [side("left"), side("right")].concat();
    }
    if let Some(inner) = expression.pointer("/!/arg") {
        return conjuncts(inner, !negated);
    }
    vec![if negated { json!({"!": {"arg": expression}}) } else { expression.clone() }]
}

/// Calls `see` with the expression and everything below it.
pub fn visit(expression: &Value, see: &mut dyn FnMut(&Value)) {
    see(expression);
    match expression {
        Value::Object(map) => map.values().for_each(|value| visit(value, see)),
        Value::Array(elements) => elements.iter().for_each(|value| visit(value, see)),
        _ => {}
    }
}

/// Calls `change` with everything below the expression and then with itself.
pub fn visit_mut(expression: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    match expression {
        Value::Object(map) => map.values_mut().for_each(|value| visit_mut(value, change)),
        Value::Array(elements) => elements.iter_mut().for_each(|value| visit_mut(value, change)),
        _ => {}
    }
    change(expression);
}
