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
use crate::cedar::expression::{conditions, path, visit};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;
use cedar_policy::Effect;
use serde_json::Value;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = rule!("L06", "one-sided-bound", Warning, "one_sided_bound.rs");

/// Looks at the comparisons of each ban with a number.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own().iter().filter(|policy| policy.policy.effect() == Effect::Forbid) {
        let (mut above, mut below) = (BTreeSet::new(), BTreeSet::new());
        for (kind, body) in conditions(&policy.policy) {
            // What passes an `unless` is allowed; what passes a `when` is not.
            let allowed = kind == "unless";
            visit(&body, &mut |value| {
                for (operator, upper, lower) in [
                    ("<", true, false),
                    ("<=", true, false),
                    (">", false, true),
                    (">=", false, true),
                    ("==", true, true),
                ] {
                    let Some((left, right)) =
                        value.get(operator).and_then(|both| both.get("left").zip(both.get("right")))
                    else {
                        continue;
                    };
                    let (number, turned) = match (path(left), path(right)) {
                        (Some(number), None) if is_number(right) => (number, false),
                        (None, Some(number)) if is_number(left) => (number, true),
                        // Two facts that must be equal bound each other.
                        (Some(number), Some(_)) if operator == "==" => (number, false),
                        _ => continue,
                    };
                    let (upper, lower) =
                        if turned == allowed && upper != lower { (lower, upper) } else { (upper, lower) };
                    if upper {
                        above.insert(number.clone());
                    }
                    if lower {
                        below.insert(number);
                    }
                }
            });
        }
        for number in above.difference(&below) {
            findings.push(
                found(&RULE, policy, format!("`{number}` is bounded from above only, so that a negative one passes"))
                    .help("bound it from below, too, or ask for equality"),
            );
        }
    }
}

fn is_number(value: &Value) -> bool {
    value.get("Value").is_some_and(Value::is_number)
}
