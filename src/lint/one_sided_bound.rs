//! A number that may not be too large, but may be negative.
//!
//! ## What it finds
//!
//! A ban that lets a number pass whenever it is small enough, without a bound from below: `unless { n <= 3 }`, or
//! `when { n >= 4 }`, with no `n >= ...` or `n == ...` beside it in the same policy.
//!
//! ## Why it matters
//!
//! A count of -1 is a fault of whoever measured it, and passes every upper bound.
//!
//! ## Examples
//!
//! ```text
//! finding: `unless { resource.pages <= 3 }`
//! none:    `unless { resource.pages >= 1 && resource.pages <= 3 }`
//! ```

use super::found;
use crate::cedar::expression::{conditions, path};
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
            let is_closed = policies.iter().zip(&bounds).any(|(other, theirs)| {
                other.id() != policy.id()
                    && other.policy.effect() == Effect::Forbid
                    && theirs.below.contains(number)
                    && is_over_as_much(subject, other, policy)
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
                (Some(number), None) if is_number(right) => (number, false),
                (None, Some(number)) if is_number(left) => (number, true),
                _ => continue,
            };
            let side = if (is_upper != is_turned) == lets_pass { &mut self.above } else { &mut self.below };
            side.insert(number);
        }
        if let Some((left, right)) = operands(expression, "==") {
            let equal = match (path(left), path(right)) {
                // Two facts that must be equal bound each other.
                (Some(number), Some(_)) => Some(number),
                (Some(number), None) if is_number(right) => Some(number),
                (None, Some(number)) if is_number(left) => Some(number),
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

/// Whether the one covers every action of the other.
fn is_over_as_much(subject: &Subject, wide: &BundlePolicy, narrow: &BundlePolicy) -> bool {
    let actions = subject.actions().into_iter().filter(|action| subject.covers_action(&narrow.policy, action));
    actions.into_iter().all(|action| subject.covers_action(&wide.policy, action))
}

/// The two sides of an operator, or of a method of decimals.
fn operands<'a>(expression: &'a Value, operator: &str) -> Option<(&'a Value, &'a Value)> {
    match expression.get(operator)? {
        Value::Array(both) => both.first().zip(both.get(1)),
        both => both.get("left").zip(both.get("right")),
    }
}

/// A whole number, a decimal or a duration that the text writes.
fn is_number(value: &Value) -> bool {
    let negated = value.pointer("/neg/arg").is_some_and(is_number);
    let made = ["decimal", "duration"].iter().any(|call| value.get(call).is_some());
    negated || made || value.get("Value").is_some_and(Value::is_number)
}

const UPPER: [&str; 4] = ["<", "<=", "lessThan", "lessThanOrEqual"];
const LOWER: [&str; 4] = [">", ">=", "greaterThan", "greaterThanOrEqual"];
