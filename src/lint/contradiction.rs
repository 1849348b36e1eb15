//! Conditions that exclude each other by their very text.
//!
//! ## What it finds
//!
//! The same expression under `when` and `unless`, or an expression and its negation joined by `&&`.
//!
//! ## Why it matters
//!
//! The policy never matches; the validator does not say so.
//!
//! ## Examples
//!
//! ```text
//! finding: `when { context.to } unless { context.to }`
//! none:    `when { context.to } unless { context.run.finally_counterpart }`
//! ```

use super::found;
use crate::cedar::expression::conditions;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;
use serde_json::Value;

/// The rule.
pub const RULE: Rule = rule!("L10", "contradiction", Error, "contradiction.rs");

/// Looks for an expression that must hold and must not.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own() {
        let (mut must, mut must_not) = (Vec::new(), Vec::new());
        for (kind, body) in conditions(&policy.policy) {
            gather(&body, kind == "when", &mut must, &mut must_not);
        }
        if must.iter().any(|expression| must_not.contains(expression)) {
            findings.push(
                found(&RULE, policy, "one of its conditions must hold and must not hold at once")
                    .help("remove one of the two, or correct what was meant"),
            );
        }
    }
}

/// What must be true and what must be false for the condition to pass.
fn gather(body: &Value, wanted: bool, must: &mut Vec<Value>, must_not: &mut Vec<Value>) {
    let both = |operator: &str| body.get(operator).and_then(|both| both.get("left").zip(both.get("right")));
    if let Some(inner) = body.pointer("/!/arg") {
        gather(inner, !wanted, must, must_not);
    } else if let Some((left, right)) = both(if wanted { "&&" } else { "||" }) {
        gather(left, wanted, must, must_not);
        gather(right, wanted, must, must_not);
    } else if wanted {
        must.push(body.clone());
    } else {
        must_not.push(body.clone());
    }
}
