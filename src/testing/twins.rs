//! Which requests are for the same work: effects that run the same, and a program that a row could name by itself.

use crate::plan::{RUN_PROGRAM, argv_digest};
use crate::settings::Config;
use crate::settings::effects::Effect;
use crate::subject::Subject;
use crate::subject::twin::{Ask, Twin};
use cedar_policy::{Effect as Answer, EntityUid};
use serde_json::{Map, Value, json};
use std::str::FromStr as _;

/// Each pair of effects that run the same and are other actions; and each effect whose program a permit lets rows name themselves.
pub fn twins(config: &Config, subject: &Subject) -> Vec<Twin> {
    let all: Vec<(&String, &Effect, Ask)> =
        config.effects.iter().filter_map(|(name, effect)| Some((name, effect, ask(effect)?))).collect();
    let mut twins = Vec::new();
    for (name, effect, one) in &all {
        // What is one action does as its parameters say.
        let same = all.iter().filter(|(_, twin, other)| effect.runs_what(twin) && other.action != one.action);
        twins.extend(same.map(|(other_name, _, other)| Twin {
            name: format!("`{other_name}` needs what `{name}` needs, whose work it does"),
            one: one.clone(),
            other: other.clone(),
        }));
        twins.extend(by_itself(effect).filter(|other| is_permitted(subject, &other.action)).map(|other| Twin {
            name: format!("a row that runs the program of `{name}` by itself needs what `{name}` needs"),
            one: one.clone(),
            other,
        }));
    }
    twins
}

/// The request that an effect is.
fn ask(effect: &Effect) -> Option<Ask> {
    let context = effect.context.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    // A type leaves the entity to the row.
    let resource = EntityUid::from_str(&effect.resource).ok();
    Some(Ask { action: EntityUid::from_str(&effect.action).ok()?, resource, context })
}

/// The request that a row is which names the program and its arguments itself.
fn by_itself(effect: &Effect) -> Option<Ask> {
    let (program, arguments) = effect.argv.split_first().filter(|_| !effect.has_holes())?;
    let digest = effect.sha256.map(|digest| digest.to_string()).unwrap_or_default();
    let context = json!({
        "sha256": digest,
        "argv_sha256": argv_digest(&effect.argv).to_string(),
        "argc": effect.argv.len(),
        "arguments": arguments,
        // Whoever writes the plan may list it.
        "is_input": true,
    });
    let resource = EntityUid::from_str(&format!("Cutter::Program::{}", Value::from(program.as_str()))).ok()?;
    let context: Map<String, Value> = context.as_object().cloned()?;
    Some(Ask { action: EntityUid::from_str(RUN_PROGRAM).ok()?, resource: Some(resource), context })
}

fn is_permitted(subject: &Subject, action: &EntityUid) -> bool {
    let permits = |policy: &&crate::policy::BundlePolicy| policy.policy.effect() == Answer::Permit;
    subject.bundle.own().iter().filter(permits).any(|policy| subject.covers_action(&policy.policy, action))
}
