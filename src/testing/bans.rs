//! A case for each ban of a bundle, to begin with: a request that it alone decides, found by the solver and made small.

use super::properties::{Lab, Near, seeds};
use crate::problem::Problem;
use crate::progress::Observer;
use crate::prove::ProveOptions;
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::subject::shrink::shrink;
use cedar_policy::Effect;
use serde_json::{Value, json};

/// The cases in the form of `cedar run-tests`, and the ids of bans that no request was found for.
pub fn cases(
    subject: &Subject,
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<(Value, Vec<String>), Problem> {
    let seeds = seeds(subject, options, observer)?;
    let lab = Lab::new(subject, &[]);
    let (mut cases, mut without) = (Vec::new(), Vec::new());
    for (at, policy) in subject.bundle.own().iter().enumerate() {
        if policy.policy.effect() != Effect::Forbid {
            continue;
        }
        let near = seeds.iter().filter(|seed| seed.near == Near::Policy(at));
        let Some(seed) = near.max_by_key(|seed| (seed.decisive, std::cmp::Reverse(seed.kind))) else {
            without.push(policy.id().to_owned());
            continue;
        };
        // What is small must still be decided by this ban, and by as few others.
        let bans = |case: &Case| {
            let world = lab.world(seed.kind, case.clone(), None)?;
            let seen = lab.look(&world);
            let permitted = !seen.of(subject, Effect::Permit).is_empty();
            Some((permitted, seen.of(subject, Effect::Forbid))).filter(|_| seen.erred.is_empty())
        };
        let wanted = bans(&seed.case);
        let small = shrink(seed.case.clone(), subject, &|case| bans(case) == wanted);
        match small.into_counterexample(subject, "deny", Vec::new()) {
            Some(shown) => cases.push(json!({
                "name": policy.title(), "request": shown.request, "entities": shown.entities,
                "decision": "deny", "reason": [policy.id()], "num_errors": 0,
            })),
            None => without.push(policy.id().to_owned()),
        }
    }
    Ok((Value::Array(cases), without))
}
