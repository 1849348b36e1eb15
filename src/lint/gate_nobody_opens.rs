//! A gate that no permit lets anybody open, or that bars nothing.
//!
//! ## What it finds
//!
//! A gate of the schema for which no `permit` covers `open_gate` with that gate as resource, or that no approval ban names.
//!
//! ## Why it matters
//!
//! What needs such a gate can never be done; what was to be barred by it is not.
//!
//! ## Examples
//!
//! ```text
//! finding: `RELEASE` where every permit of `open_gate` says `unless { resource == Cutter::Gate::"RELEASE" }`
//! none:    each gate has who opens it and what it bars
//! ```

use super::in_schema;
use crate::cedar::expression::conditions;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::subject::Subject;
use cedar_policy::{Effect, ResourceConstraint};
use serde_json::Value;

/// The rule.
pub const RULE: Rule = rule!("L14", "gate-nobody-opens", Error, "gate_nobody_opens.rs");

/// Looks at each gate's permits and bans.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let schema = subject.bundle.schema();
    let Some(open) = schema.prelude_action("open_gate").filter(|_| schema.declares_gates()) else { return };
    let permits: Vec<&BundlePolicy> = subject
        .bundle
        .own()
        .iter()
        .filter(|policy| policy.policy.effect() == Effect::Permit && subject.covers_action(&policy.policy, &open))
        .collect();
    for gate in schema.gates() {
        let opened = permits.iter().any(|permit| match permit.policy.resource_constraint() {
            ResourceConstraint::Eq(uid) => AsRef::<str>::as_ref(uid.id()) == gate,
            _ => !conditions(&permit.policy).iter().any(|(kind, body)| kind == "unless" && excludes(body, gate)),
        });
        let bars = subject
            .bundle
            .own()
            .iter()
            .any(|policy| matches!(&policy.annotations.tier, Some(Tier::Approval(named)) if named == gate));
        let message = match (opened, bars) {
            (true, true) => continue,
            (false, _) => "nobody may open the gate",
            (true, false) => "no approval ban names the gate, so that opening it does nothing",
        };
        findings.push(
            in_schema(&RULE, subject, gate.clone(), message).help("add the permit or the ban, or remove the gate"),
        );
    }
}

/// Whether the body holds for the gate: `resource == Gate::"..."`, alone or in an `||`.
fn excludes(body: &Value, gate: &str) -> bool {
    if let Some((left, right)) = body.get("||").and_then(|both| both.get("left").zip(both.get("right"))) {
        return excludes(left, gate) || excludes(right, gate);
    }
    let resource = body.pointer("/==/left/Var").and_then(Value::as_str) == Some("resource");
    resource && body.pointer("/==/right/Value/__entity/id").and_then(Value::as_str) == Some(gate)
}
