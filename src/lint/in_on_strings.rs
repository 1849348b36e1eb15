//! `in` where strings are compared.
//!
//! ## What it finds
//!
//! `in` with a string, or a set of strings, on either side, in policies that no schema validates.
//!
//! ## Why it matters
//!
//! `in` is about entities and their groups. With strings it fails whenever it is evaluated, and a policy that fails to evaluate is skipped.
//!
//! ## Examples
//!
//! ```text
//! finding: `context.role in ["admin", "owner"]`
//! none:    `["admin", "owner"].contains(context.role)`
//! ```

use super::found;
use crate::cedar::expression::{conditions, visit};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;
use serde_json::Value;

/// The rule.
pub const RULE: Rule = rule!("L21", "in-on-strings", Error, "in_on_strings.rs");

/// Looks at the operands of each `in`, unless the validator did.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own().iter().filter(|_| !subject.bundle.has_schema()) {
        let mut is_wrong = false;
        for (_, body) in conditions(&policy.policy) {
            visit(&body, &mut |value| {
                let both = value.get("in").and_then(|both| both.get("left").zip(both.get("right")));
                is_wrong |= both.is_some_and(|(left, right)| is_text(left) || is_text(right));
            });
        }
        if is_wrong {
            findings.push(
                found(&RULE, policy, "it asks whether a string is `in` something, which is an evaluation error")
                    .help("write `[\"a\", \"b\"].contains(x)` for strings; `in` is for entities and their groups"),
            );
        }
    }
}

/// A string, or a set with one.
fn is_text(value: &Value) -> bool {
    let of_set = value.get("Set").and_then(Value::as_array);
    value.get("Value").is_some_and(Value::is_string)
        || of_set.is_some_and(|elements| elements.iter().any(is_text))
        || value.get("Value").and_then(Value::as_array).is_some_and(|all| all.iter().any(Value::is_string))
}
