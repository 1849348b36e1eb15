//! Whether a gap can be closed at all: facts with which its ban no longer bars what it barred, and gates alone are left to open.

use super::Found;
use super::kept::{add_gates, needs};
use super::lab::{Lab, Seen, World};
use super::places::{entity, uid_json};
use super::seeds::{Near, Seed};
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use serde_json::Value;

/// What the property of a ban, by its place, is called.
pub(super) fn name(subject: &Subject, ban: usize) -> String {
    let ban = subject.bundle.policies().get(ban);
    format!("the gap {} can be closed: {}", ban.and_then(of).unwrap_or_default(), ban.map_or("", BundlePolicy::id))
}

/// The gap that a ban of the precondition tier names.
pub(super) fn of(policy: &BundlePolicy) -> Option<&str> {
    match &policy.annotations.tier {
        Some(Tier::Precondition(gap)) => Some(gap),
        _ => None,
    }
}

/// How many of the ban's seeds it bars, and, where none of them is near facts that close its gap, one of them.
///
/// Looked at is each request near a seed, and each request near that one: two that are one request with other facts, of which the
/// ban bars one, and the other waits for gates at most, show how the gap closes.
pub(super) fn closes(lab: &Lab<'_>, seeds: &[Seed], ban: usize) -> (usize, Option<Found>) {
    let near = || seeds.iter().filter(|seed| seed.near == Near::Policy(ban));
    let is_barred = |seed: &&Seed| {
        let world = lab.world(seed.kind, seed.case.clone(), None);
        world.is_some_and(|world| lab.look(&world).policies.contains(&ban))
    };
    let barred: Vec<&Seed> = near().filter(is_barred).collect();
    // The one that nothing else bars says most.
    let shown = barred.iter().find(|seed| seed.decisive).or(barred.first());
    let shown = shown.filter(|_| !near().any(|seed| is_closed_near(lab, seed, ban)));
    (barred.len(), shown.map(|seed| shown_by(lab, seed)))
}

fn is_closed_near(lab: &Lab<'_>, seed: &Seed, ban: usize) -> bool {
    let near = |from: &World| -> Vec<(World, Seen)> {
        let cases = lab.own_moves(Near::Policy(ban), from);
        let worlds = cases.into_iter().filter_map(|case| lab.world(seed.kind, case, Some(from)));
        worlds.map(|world| (world.clone(), lab.look(&world))).collect()
    };
    let Some(origin) = lab.world(seed.kind, seed.case.clone(), None) else { return false };
    let seen = lab.look(&origin);
    let closes = |(one, seen): &(World, Seen), (other, seen_there): &(World, Seen)| {
        let bars = |seen: &Seen| seen.policies.contains(&ban);
        bars(seen) != bars(seen_there)
            && is_one_request(&one.case, &other.case)
            && if bars(seen) { waits_for_gates(lab, other, seen_there) } else { waits_for_gates(lab, one, seen) }
    };
    let origin = (origin, seen);
    let first = near(&origin.0);
    first.iter().any(|one| closes(&origin, one))
        || first.iter().any(|one| near(&one.0).iter().any(|other| closes(one, other)))
}

/// Whether it is allowed, or is once the gates are open that its bans name.
fn waits_for_gates(lab: &Lab<'_>, world: &World, seen: &Seen) -> bool {
    let needed = needs(lab.subject, seen);
    let opened = || lab.look_after(world, |case| add_gates(case, &needed));
    seen.allows(lab.subject) || (!needed.is_empty() && opened().is_some_and(|seen| seen.allows(lab.subject)))
}

/// Whether two cases ask the same of the same principal; facts, the time and open gates may be others.
fn is_one_request(one: &Case, other: &Case) -> bool {
    let asked = |case: &Case| {
        let mut context = case.context.clone();
        if let Some(run) = context.get_mut("run").and_then(Value::as_object_mut) {
            FREE.iter().for_each(|name| drop(run.remove(*name)));
        }
        let [principal, _, _] = &case.uids;
        let who = entity(case, &uid_json(principal)).and_then(|at| case.entities.get(at).cloned());
        (case.uids.clone(), context, who)
    };
    asked(one) == asked(other)
}

/// A seed that the ban bars; it is no case to keep, as what fails is of all of them.
fn shown_by(lab: &Lab<'_>, seed: &Seed) -> Found {
    let shown = seed.case.clone().into_counterexample(lab.subject, "", Vec::new());
    let found = shown.map(|shown| (shown.request_line(), shown.decision, shown.policies));
    let (request, decision, policies) = found.unwrap_or_else(|| (String::new(), "deny", Vec::new()));
    Found { case: Value::Null, request, decision, policies, failing_to_evaluate: Vec::new(), essentials: Vec::new() }
}

/// What of a run is not what is asked for.
const FREE: [&str; 3] = ["facts", "gates", "now"];
