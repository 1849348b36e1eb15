//! A time that is compared on one side only.
//!
//! ## What it finds
//!
//! A ban that compares a recorded time with the present so that an old enough one passes no more, and lets one from the future
//! pass: no comparison the other way, of it or of another time of the same record, in any ban over the same actions.
//!
//! ## Why it matters
//!
//! A result from the future is younger than any limit; a clock set back makes old approvals young.
//!
//! ## Examples
//!
//! ```text
//! finding: `unless { taken_at > now.offset(duration("-60m")) }` alone
//! none:    the same with `taken_at <= now`
//! ```

use super::found;
use crate::cedar::expression::{conditions, path, paths};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::policy::BundlePolicy;
use crate::subject::Subject;
use cedar_policy::Effect;
use serde_json::Value;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = rule!("L13", "open-time-window", Warning, "open_time_window.rs");

/// Looks for times that are compared with the present from one side.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let bans = subject.bundle.own().iter().filter(|policy| policy.policy.effect() == Effect::Forbid);
    let bans: Vec<_> = bans.map(|ban| (ban, sides(ban))).filter(|(_, sides)| !sides.is_empty()).collect();
    for (policy, mine) in &bans {
        for (time, side) in mine {
            // Another ban over the same actions may close the window, also by another time of the same record.
            let closed = bans
                .iter()
                .filter(|(other, _)| same_actions(policy, other))
                .any(|(_, others)| others.iter().any(|(also, other)| record(also) == record(time) && other != side));
            if !closed {
                findings.push(
                    found(&RULE, policy, format!("`{time}` is compared with `context.run.now` from one side only"))
                        .help("compare it the other way, too: neither too old nor from the future"),
                );
            }
        }
    }
}

/// Which recorded times must be before (true) or after (false) the present, or a time made from it.
fn sides(policy: &BundlePolicy) -> BTreeSet<(String, bool)> {
    let mut sides = BTreeSet::new();
    for (kind, body) in conditions(&policy.policy) {
        gather(&body, kind == "unless", &mut sides);
    }
    sides
}

/// `lets_pass` says whether a request passes where the expression holds.
fn gather(expression: &Value, lets_pass: bool, sides: &mut BTreeSet<(String, bool)>) {
    if let Some(inner) = expression.pointer("/!/arg") {
        return gather(inner, !lets_pass, sides);
    }
    for (operator, before) in [("<", true), ("<=", true), (">", false), (">=", false)] {
        let both = expression.get(operator).and_then(|both| both.get("left").zip(both.get("right")));
        let Some((left, right)) = both else { continue };
        let of_now = |side: &Value| paths(side).iter().any(|path| path == NOW);
        match (path(left), path(right)) {
            (Some(time), _) if of_now(right) && time != NOW => drop(sides.insert((time, before == lets_pass))),
            (_, Some(time)) if of_now(left) && time != NOW => drop(sides.insert((time, before != lets_pass))),
            _ => {}
        }
    }
    match expression {
        Value::Object(map) => map.values().for_each(|value| gather(value, lets_pass, sides)),
        Value::Array(elements) => elements.iter().for_each(|value| gather(value, lets_pass, sides)),
        _ => {}
    }
}

/// What the time is an attribute of.
fn record(time: &str) -> &str {
    time.rsplit_once('.').map_or(time, |(record, _)| record)
}

fn same_actions(a: &BundlePolicy, b: &BundlePolicy) -> bool {
    a.policy.action_constraint() == b.policy.action_constraint()
}

const NOW: &str = "context.run.now";
