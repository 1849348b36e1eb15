//! An approval ban that tests anything but parameters and its own gate.
//!
//! ## What it finds
//!
//! A `forbid` of the approval tier whose body is not `[when { parameters }] unless { context.run.gates.contains(G) }` with G its
//! `@gate`: another gate, a fact, the mode, the principal's membership, or a gate in `when`.
//!
//! ## Why it matters
//!
//! With a fact beside the gate, the report asks for an approval too late, or says that none is needed.
//!
//! ## Examples
//!
//! ```text
//! finding: `unless { context.run.gates.contains(Cutter::Gate::"RELEASE") || context.run.facts.tests.failed == 0 }`
//! none:    `unless { context.run.gates.contains(Cutter::Gate::"RELEASE") }`
//! ```

use super::found;
use crate::cedar::expression::{conditions, path, paths};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::annotations::Tier;
use crate::subject::Subject;
use serde_json::Value;

/// The rule.
pub const RULE: Rule = rule!("L04", "approval-ban-tests-more", Error, "approval_ban_tests_more.rs");

/// Looks at the body of each approval ban.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own() {
        let Some(Tier::Approval(gate)) = &policy.annotations.tier else { continue };
        let conditions = conditions(&policy.policy);
        let unless: Vec<_> = conditions.iter().filter(|(kind, _)| kind == "unless").map(|(_, body)| body).collect();
        let own = |body: &&Value| opened_gate(body).is_some_and(|opened| opened == *gate);
        let message = if !matches!(unless.as_slice(), [body] if own(body)) {
            format!("its only `unless` should be that `context.run.gates` contains `{gate}`")
        } else {
            let when = conditions.iter().filter(|(kind, _)| kind == "when").map(|(_, body)| body);
            let reads: Vec<String> = when.flat_map(paths).filter(|path| path.starts_with("context.run")).collect();
            match reads.first() {
                Some(path) => format!("its `when` reads `{path}`, which is not a parameter"),
                None => continue,
            }
        };
        findings
            .push(found(&RULE, policy, message).help("move facts into a precondition of their own; one gate a policy"));
    }
}

/// The gate of `context.run.gates.contains(Gate::"...")`.
fn opened_gate(body: &Value) -> Option<&str> {
    let contains = body.get("contains")?;
    let gates = path(contains.get("left")?)? == "context.run.gates";
    contains.pointer("/right/Value/__entity/id").and_then(Value::as_str).filter(|_| gates)
}
