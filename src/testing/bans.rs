//! A case for each ban of a bundle, to begin with: a request that it alone decides, found by the solver and made small.

use super::properties::{Lab, Near, Witnesses, seeds};
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
    let Witnesses { seeds, open } = seeds(subject, options, observer)?;
    let lab = Lab::new(subject, &[]);
    let (mut cases, mut without) = (Vec::new(), Vec::new());
    for (at, policy) in subject.bundle.own().iter().enumerate() {
        if policy.policy.effect() != Effect::Forbid {
            continue;
        }
        // What is small must still be decided by this ban, and by as few others.
        let bans = |kind: usize, case: &Case| {
            let world = lab.world(kind, case.clone(), None)?;
            let seen = lab.look(&world);
            let permitted = !seen.of(subject, Effect::Permit).is_empty();
            Some((permitted, seen.of(subject, Effect::Forbid))).filter(|_| seen.errors.is_empty())
        };
        let near = seeds.iter().filter(|seed| seed.near == Near::Policy(at));
        let near = near.filter_map(|seed| Some((seed, bans(seed.kind, &seed.case)?)));
        let near = near.filter(|(_, (_, bans))| bans.contains(&at));
        let Some((seed, wanted)) = near.max_by_key(|(seed, _)| (seed.decisive, std::cmp::Reverse(seed.kind))) else {
            let why = open.iter().find(|open| open.near == Near::Policy(at)).map(|open| format!(" ({})", open.why));
            without.push(format!("{}{}", policy.id(), why.unwrap_or_default()));
            continue;
        };
        let small = shrink(seed.case.clone(), subject, &|case| bans(seed.kind, case).as_ref() == Some(&wanted));
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
