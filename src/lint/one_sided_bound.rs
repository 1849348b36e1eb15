//! A number that may not be too large, but may be negative.
//!
//! ## What it finds
//!
//! A policy that lets a number, a decimal or a duration pass if it is small enough, without a bound from below: a ban with
//! `unless { n <= 3 }` or `when { n >= 4 }`, a permit with `when { n <= 3 }`. It is bounded from below where the same policy asks for
//! `n >= ...` or `n == ...`, too, or where another ban bars whatever is smaller: for every principal, action and resource that the
//! policy is about, and on no condition but that one and those that the policy has itself.
//!
//! ## Why it matters
//!
//! A count of -1 is a fault of whoever measured it, and passes every upper bound.
//!
//! ## Examples
//!
//! ```text
//! finding: `unless { resource.pages <= 3 }`
//! finding: the same beside a ban of negative pages for one agent
//! none:    `unless { resource.pages >= 1 && resource.pages <= 3 }`
//! ```

use super::found;
use super::redundant_policy::covers;
use crate::cedar::expression::{conditions, conjuncts, path};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::BundlePolicy;
use crate::subject::Subject;
use cedar_policy::Effect;
use serde_json::Value;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = rule!("L06", "one-sided-bound", Warning, "one_sided_bound.rs");

/// Looks at what each policy lets pass, compared with a number, a decimal or a duration.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let policies = subject.bundle.own();
    let bounds: Vec<Bounds> = policies.iter().map(Bounds::of).collect();
    for (policy, mine) in policies.iter().zip(&bounds) {
        for number in mine.above.difference(&mine.below) {
            let is_closed = policies.iter().any(|other| {
                other.id() != policy.id()
                    && other.policy.effect() == Effect::Forbid
                    && covers(subject, other, policy)
                    && Below { number, given: given(policy) }.is_barred_by(other)
            });
            if !is_closed {
                let message = format!("`{number}` is bounded from above only, so that a negative one passes");
                findings.push(found(&RULE, policy, message).help("bound it from below, too, or ask for equality"));
            }
        }
    }
}

/// The paths that a policy bounds from above and from below in what it lets pass.
#[derive(Default)]
struct Bounds {
    above: BTreeSet<String>,
    below: BTreeSet<String>,
}

impl Bounds {
    fn of(policy: &BundlePolicy) -> Self {
        let mut bounds = Self::default();
        for (kind, body) in conditions(&policy.policy) {
            // A permit lets pass what its `when` holds for, a ban what its `unless` holds for.
            let lets_pass = (kind == "when") == (policy.policy.effect() == Effect::Permit);
            bounds.gather(&body, lets_pass);
        }
        bounds
    }

    /// `lets_pass` says whether a request passes where the expression holds.
    fn gather(&mut self, expression: &Value, lets_pass: bool) {
        if let Some(inner) = expression.pointer("/!/arg") {
            return self.gather(inner, !lets_pass);
        }
        for (operator, is_upper) in
            UPPER.into_iter().map(|of| (of, true)).chain(LOWER.into_iter().map(|of| (of, false)))
        {
            let Some((left, right)) = operands(expression, operator) else { continue };
            let (number, is_turned) = match (path(left), path(right)) {
                (Some(number), None) if is_literal(right) => (number, false),
                (None, Some(number)) if is_literal(left) => (number, true),
                _ => continue,
            };
            let side = if (is_upper != is_turned) == lets_pass { &mut self.above } else { &mut self.below };
            side.insert(number);
        }
        if let Some((left, right)) = operands(expression, "==") {
            let equal = match (path(left), path(right)) {
                // Two facts that must be equal bound each other.
                (Some(number), Some(_)) => Some(number),
                (Some(number), None) if is_literal(right) => Some(number),
                (None, Some(number)) if is_literal(left) => Some(number),
                _ => None,
            };
            self.above.extend(equal.clone());
            self.below.extend(equal);
        }
        match expression {
            Value::Object(map) => map.values().for_each(|value| self.gather(value, lets_pass)),
            Value::Array(elements) => elements.iter().for_each(|value| self.gather(value, lets_pass)),
            _ => {}
        }
    }
}

/// What holds of every request that a policy is about, as its conditions say it.
fn given(policy: &BundlePolicy) -> Vec<Value> {
    let conditions = conditions(&policy.policy);
    // What a ban's `unless` asks for, it lets pass.
    let is_given = |kind: &str| kind == "when" || policy.policy.effect() == Effect::Permit;
    conditions
        .iter()
        .filter(|(kind, _)| is_given(kind))
        .flat_map(|(kind, body)| conjuncts(body, kind != "when"))
        .collect()
}

/// A number that is below every bound, and what else is known of the request.
struct Below<'a> {
    number: &'a str,
    given: Vec<Value>,
}

impl Below<'_> {
    /// Whether the ban matches, whatever else the request is.
    fn is_barred_by(&self, ban: &BundlePolicy) -> bool {
        let conditions = conditions(&ban.policy);
        !conditions.is_empty() && conditions.iter().all(|(kind, body)| self.is(body, kind == "when"))
    }

    /// Whether the expression is true, or false, of every such request.
    fn is(&self, expression: &Value, wanted: bool) -> bool {
        if let Some(inner) = expression.pointer("/!/arg") {
            return self.is(inner, !wanted);
        }
        for (operator, all) in [("&&", wanted), ("||", !wanted)] {
            if let Some((left, right)) = operands(expression, operator) {
                let [left, right] = [left, right].map(|side| self.is(side, wanted));
                return if all { left && right } else { left || right };
            }
        }
        // What is compared is there.
        let has = expression.get("has").and_then(|has| Some((path(has.get("left")?)?, has.get("attr")?.as_str()?)));
        if let Some((of, attribute)) = has {
            return wanted && format!("{}.", self.number).starts_with(&format!("{of}.{attribute}."));
        }
        let is_number = |value: &Value| path(value).as_deref() == Some(self.number);
        // What the comparison is with the number on its left, and on its right.
        let upper = UPPER.into_iter().map(|operator| (operator, [true, false]));
        let lower = LOWER.into_iter().map(|operator| (operator, [false, true]));
        for (operator, is) in upper.chain(lower).chain([("==", [false; 2]), ("!=", [true; 2])]) {
            let Some((left, right)) = operands(expression, operator) else { continue };
            let mut is =
                is.into_iter().zip([is_number(left) && is_literal(right), is_number(right) && is_literal(left)]);
            if let Some((is, _)) = is.find(|(_, compared)| *compared) {
                return is == wanted;
            }
        }
        conjuncts(expression, !wanted).iter().all(|asked| self.given.contains(asked))
    }
}

/// The two sides of an operator, or of a method of decimals.
fn operands<'a>(expression: &'a Value, operator: &str) -> Option<(&'a Value, &'a Value)> {
    match expression.get(operator)? {
        Value::Array(both) => both.first().zip(both.get(1)),
        both => both.get("left").zip(both.get("right")),
    }
}

/// A whole number, a decimal or a duration that the text writes.
fn is_literal(value: &Value) -> bool {
    let negated = value.pointer("/neg/arg").is_some_and(is_literal);
    let made = ["decimal", "duration"].iter().any(|call| value.get(call).is_some());
    negated || made || value.get("Value").is_some_and(Value::is_number)
}

const UPPER: [&str; 4] = ["<", "<=", "lessThan", "lessThanOrEqual"];
const LOWER: [&str; 4] = [">", ">=", "greaterThan", "greaterThanOrEqual"];
