//! What must hold of every request: each invariant of the bundle, and what is true of any bundle.

use super::gaps;
use super::lab::{Lab, Seen, World};
use super::places::{asked_for, locate, number, of_number, read, with};
use super::seeds::Near;
use crate::policy::annotations::Tier;
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::subject::groups;
use crate::subject::invariant::Asked;
use crate::subject::twin::{Ask, Twin};
use cedar_policy::{Effect, EntityUid};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Something that must hold of every request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Property {
    /// One question of an invariant: its place and that of the question.
    Invariant(usize, usize),
    /// No policy fails to evaluate.
    NoEvaluationError,
    /// What is allowed stays allowed when more gates open, and when a ban goes.
    MoreGatesNeverDeny,
    /// What a dry run may do, a live run may do.
    DryRunIsWithinLive,
    /// No ban is on turning something off.
    OffIsNeverBarred,
    /// Over all times, an approval opens its gate in one stretch, and not for ever.
    WindowOpensOnce,
    /// Opening the gates that its bans name lifts them: what `explain` advises changes the row.
    ItsGateLiftsABan,
    /// The gates that are named are enough, and none is too many: what `approval request` asks for.
    NeedsAreExact,
    /// What `explain` calls final no gate lifts, and after the gates that it names nothing bars but the gaps that it names.
    ExplainIsSound,
    /// Of some request that the ban of a gap, by its place, bars, other facts close the gap.
    GapCloses(usize),
    /// What is allowed is not where a policy errs beside.
    ErrorDenies,
    /// Another request for the same work, by the place of the twin, is barred wherever this one is.
    EqualWork(usize),
    /// Nothing depends on the order of the policies.
    OrderDoesNotMatter,
    /// Nothing depends on entities that the request does not reach.
    UnrelatedEntitiesDoNotMatter,
}

/// What one request says of a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is not about such requests.
    NotReached,
    Holds,
    Fails,
}

impl Verdict {
    fn when(reached: bool, holds: bool) -> Self {
        match (reached, holds) {
            (false, _) => Self::NotReached,
            (true, true) => Self::Holds,
            (true, false) => Self::Fails,
        }
    }
}

/// Every property of a bundle, in a stable order; those that cannot be about it are left out.
pub(crate) fn all(subject: &Subject) -> Vec<Property> {
    // What the prelude promises is proved, and no policy of a bundle can be near it.
    let invariants = subject.invariants.iter().enumerate().filter(|(_, invariant)| !invariant.is_promise);
    let asked = invariants.flat_map(|(at, of)| (0..of.asked.len()).map(move |n| Property::Invariant(at, n)));
    let own = subject.bundle.own();
    let has_approvals = own.iter().any(|policy| matches!(policy.annotations.tier, Some(Tier::Approval(_))));
    let opens =
        subject.actions().into_iter().find(|action| action.id().unescaped() == OPEN && is_judging(subject, action));
    let is_opened = own.iter().any(|policy| {
        policy.policy.effect() == Effect::Permit
            && opens.is_some_and(|action| subject.covers_action(&policy.policy, action))
    });
    let switches = subject.actions().into_iter().any(|action| subject.in_group(action, SWITCHING));
    // The prelude bars all that changes something.
    let may_be_dry = subject.actions().into_iter().any(|action| {
        let is_open = [groups::NON_MUTATING, SWITCHING].iter().any(|group| subject.in_group(action, group));
        is_open
            && own
                .iter()
                .any(|policy| policy.policy.effect() == Effect::Permit && subject.covers_action(&policy.policy, action))
    });
    let is_own = !subject.bundle.is_plain();
    let has_bans = own.iter().any(|policy| policy.policy.effect() == Effect::Forbid);
    let gaps = own.iter().enumerate().filter(|(_, policy)| gaps::of(policy).is_some());
    let gaps = gaps.map(|(at, _)| (Property::GapCloses(at), is_own));
    let twins = (0..subject.twins.len()).map(|at| (Property::EqualWork(at), true));
    let built_in = [
        (Property::NoEvaluationError, true),
        (Property::MoreGatesNeverDeny, is_own && has_approvals),
        (Property::DryRunIsWithinLive, is_own && may_be_dry),
        (Property::OffIsNeverBarred, switches),
        (Property::WindowOpensOnce, is_opened),
        (Property::ItsGateLiftsABan, has_approvals),
        (Property::NeedsAreExact, has_approvals),
        (Property::ExplainIsSound, is_own && has_bans),
        (Property::ErrorDenies, own.iter().any(|policy| policy.policy.effect() == Effect::Permit)),
        (Property::OrderDoesNotMatter, true),
        (Property::UnrelatedEntitiesDoNotMatter, true),
    ];
    let built_in = built_in.into_iter().chain(gaps).chain(twins).filter(|(_, applies)| *applies);
    asked.chain(built_in.map(|(property, _)| property)).collect()
}

fn is_judging(subject: &Subject, action: &EntityUid) -> bool {
    subject.in_group(action, groups::JUDGING)
}

impl Property {
    /// A name that is unique in one bundle: `never of bans: no-hard-delete`.
    pub(crate) fn name(self, subject: &Subject) -> String {
        match self {
            Self::Invariant(at, question) => {
                let invariant = subject.invariants.get(at);
                let asked = invariant.and_then(|invariant| invariant.asked.get(question));
                let asked = asked.map(|asked| format!("{} of {}: ", asked.kind(), asked.of())).unwrap_or_default();
                format!("{asked}{}", invariant.map(|invariant| invariant.id.as_str()).unwrap_or_default())
            }
            Self::NoEvaluationError => "no policy fails to evaluate".to_owned(),
            Self::MoreGatesNeverDeny => "more gates or fewer bans never deny".to_owned(),
            Self::DryRunIsWithinLive => "a dry run may do no more than a live run".to_owned(),
            Self::OffIsNeverBarred => "turning off is never barred".to_owned(),
            Self::WindowOpensOnce => "an approval opens its gate once, and closes it once".to_owned(),
            Self::ItsGateLiftsABan => "opening its gate lifts an approval ban".to_owned(),
            Self::NeedsAreExact => "the gates that are needed are enough, and none is too many".to_owned(),
            Self::ExplainIsSound => {
                "no gate lifts what is final, and after its gates only its gaps bar a row".to_owned()
            }
            Self::GapCloses(at) => gaps::name(subject, at),
            Self::ErrorDenies => "a policy that fails to evaluate denies".to_owned(),
            Self::EqualWork(at) => subject.twins.get(at).map(|twin| twin.name.clone()).unwrap_or_default(),
            Self::OrderDoesNotMatter => "the order of policies does not matter".to_owned(),
            Self::UnrelatedEntitiesDoNotMatter => "entities that are not reached do not matter".to_owned(),
        }
    }

    /// What the whole bundle should decide where it fails, if that follows.
    pub(crate) fn expected(self, subject: &Subject) -> Option<&'static str> {
        match self {
            Self::Invariant(at, question) => match subject.invariants.get(at)?.asked.get(question)? {
                Asked::Never | Asked::NeverByBans | Asked::NeverByPermits => Some("deny"),
                Asked::Always => Some("allow"),
                Asked::AlwaysByBans | Asked::Need(_) | Asked::Lift(_) => None,
            },
            _ => None,
        }
    }

    /// Whether it is about a request by itself, so that one request near each seed is enough.
    pub(crate) fn is_of_seeds(self) -> bool {
        use Property::{EqualWork, ErrorDenies, OrderDoesNotMatter, UnrelatedEntitiesDoNotMatter, WindowOpensOnce};
        matches!(self, OrderDoesNotMatter | UnrelatedEntitiesDoNotMatter | WindowOpensOnce | ErrorDenies | EqualWork(_))
    }

    /// Whether it holds where it holds of one request.
    pub(crate) fn is_of_some(self) -> bool {
        matches!(self, Self::GapCloses(_))
    }

    /// Whether it can be about requests of the type at this place, near this.
    pub(crate) fn concerns(self, subject: &Subject, near: Near, kind: usize) -> bool {
        match self {
            Self::GapCloses(at) => near == Near::Policy(at),
            Self::Invariant(at, _) => subject.invariants_at(kind).contains(&at),
            _ => true,
        }
    }

    /// What a request says of it.
    pub(crate) fn judge(self, lab: &Lab<'_>, world: &World, seen: &Seen) -> Verdict {
        let subject = lab.subject;
        let allows = seen.allows(subject);
        match self {
            Self::Invariant(at, question) => invariant(subject, seen, at, question),
            Self::NoEvaluationError => Verdict::when(true, seen.errors.is_empty()),
            Self::MoreGatesNeverDeny => {
                if !allows {
                    return Verdict::NotReached;
                }
                let opened = lab.look_after(world, |case| set_gates(case, all_gates(subject)));
                Verdict::when(opened.is_some(), opened.is_none_or(|opened| opened.allows(subject)))
            }
            Self::DryRunIsWithinLive => {
                let is_dry = world.case.context.pointer(MODE) == Some(&mode("dry_run"));
                let reached = is_dry && allows;
                let live = |case: &mut Case| {
                    if let Some(place) = case.context.pointer_mut(MODE) {
                        *place = mode("live");
                    }
                };
                let holds = !reached || lab.look_after(world, live).is_none_or(|live| live.allows(subject));
                Verdict::when(reached, holds)
            }
            Self::OffIsNeverBarred => {
                let [_, action, _] = &world.case.uids;
                let off = subject.in_group(action, SWITCHING) && world.case.context.get("to") == Some(&json!(false));
                Verdict::when(off, seen.of(subject, Effect::Forbid).is_empty())
            }
            Self::WindowOpensOnce => {
                let [_, action, _] = &world.case.uids;
                let is_approval = action.id().unescaped() == OPEN && is_judging(subject, action);
                Verdict::when(allows && is_approval, !(allows && is_approval) || opens_once(lab, world))
            }
            Self::ItsGateLiftsABan => {
                let needed = needs(subject, seen);
                if needed.is_empty() || !seen.errors.is_empty() {
                    return Verdict::NotReached;
                }
                let opened = lab.look_after(world, |case| add_gates(case, &needed));
                let lifted = opened.as_ref().is_none_or(|seen| needs(subject, seen).is_empty());
                Verdict::when(opened.is_some(), lifted)
            }
            Self::NeedsAreExact => {
                let needed = needs(subject, seen);
                let bans = seen.of(subject, Effect::Forbid);
                let only_approvals = !bans.is_empty() && bans.iter().all(|at| gate_of(subject, *at).is_some());
                if !only_approvals || seen.of(subject, Effect::Permit).is_empty() || !seen.errors.is_empty() {
                    return Verdict::NotReached;
                }
                let with = |gates: &BTreeSet<String>| {
                    lab.look_after(world, |case| add_gates(case, gates)).is_some_and(|seen| seen.allows(subject))
                };
                let without = |gate: &String| needed.iter().filter(|other| *other != gate).cloned().collect();
                Verdict::when(true, with(&needed) && needed.iter().all(|gate| !with(&without(gate))))
            }
            Self::ExplainIsSound => explained(lab, world, seen),
            // It is asked of all seeds of its ban together.
            Self::GapCloses(_) => Verdict::NotReached,
            Self::ErrorDenies => Verdict::when(allows, !allows || lab.denies_beside_errors(world)),
            Self::EqualWork(at) => {
                subject.twins.get(at).map_or(Verdict::NotReached, |twin| twin_asks_as_much(lab, world, twin))
            }
            Self::OrderDoesNotMatter => {
                let [forward, backward] = lab.decided(world);
                Verdict::when(true, forward == backward)
            }
            Self::UnrelatedEntitiesDoNotMatter => {
                let more = lab.look_after(world, |case| double_entities(case, subject));
                Verdict::when(more.is_some(), more.is_none_or(|more| more == *seen))
            }
        }
    }
}

/// What `explain` says of a row that is denied, applied: opening all that approvals can, or just the gates that it names.
fn explained(lab: &Lab<'_>, world: &World, seen: &Seen) -> Verdict {
    let subject = lab.subject;
    let bans: BTreeSet<usize> = seen.of(subject, Effect::Forbid).into_iter().collect();
    let permits = seen.of(subject, Effect::Permit);
    if !seen.errors.is_empty() || (bans.is_empty() && !permits.is_empty()) {
        return Verdict::NotReached;
    }
    let tier = |at: &usize| subject.bundle.policies().get(*at).and_then(|policy| policy.annotations.tier.as_ref());
    let is_final = |at: &&usize| !matches!(tier(at), Some(Tier::Approval(_) | Tier::Precondition(_)));
    if permits.is_empty() || bans.iter().any(|at| is_final(&at)) {
        let finals: Vec<usize> = bans.iter().filter(is_final).copied().collect();
        let opened = lab.look_after(world, |case| set_gates(case, all_gates(subject)));
        let holds = opened.as_ref().is_none_or(|opened| match finals.as_slice() {
            [] => opened.of(subject, Effect::Permit).is_empty(),
            finals => finals.iter().all(|at| opened.policies.contains(at)),
        });
        return Verdict::when(opened.is_some(), holds);
    }
    let gaps: BTreeSet<usize> =
        bans.iter().filter(|at| matches!(tier(at), Some(Tier::Precondition(_)))).copied().collect();
    let opened = lab.look_after(world, |case| add_gates(case, &needs(subject, seen)));
    let holds = opened.as_ref().is_none_or(|opened| {
        let left: BTreeSet<usize> = opened.of(subject, Effect::Forbid).into_iter().collect();
        left == gaps && !opened.of(subject, Effect::Permit).is_empty()
    });
    Verdict::when(opened.is_some(), holds)
}

/// Whether the other request for the same work is barred wherever this one is, with no gate open and with those that lift its bans.
fn twin_asks_as_much(lab: &Lab<'_>, world: &World, twin: &Twin) -> Verdict {
    let subject = lab.subject;
    let [_, action, _] = &world.case.uids;
    if twin.one.action != *action {
        return Verdict::NotReached;
    }
    let with = |ask: &Ask, gates: &BTreeSet<String>| {
        let mut case = asked_for(&world.case, ask, subject)?;
        add_gates(&mut case, gates);
        let kind = lab.kind_of(&case)?;
        lab.world(kind, case, None).map(|world| lab.look(&world))
    };
    let closed = BTreeSet::new();
    let (Some(own), Some(other)) = (with(&twin.one, &closed), with(&twin.other, &closed)) else {
        return Verdict::NotReached;
    };
    let needed = needs(subject, &other);
    let asks_as_much = |own: &Seen, other: &Seen| own.allows(subject) || !other.allows(subject);
    let opened = with(&twin.one, &needed).zip(with(&twin.other, &needed));
    Verdict::when(true, asks_as_much(&own, &other) && opened.is_none_or(|(own, other)| asks_as_much(&own, &other)))
}

pub(super) fn invariant(subject: &Subject, seen: &Seen, at: usize, question: usize) -> Verdict {
    let Some(asked) = subject.invariants.get(at).and_then(|invariant| invariant.asked.get(question)) else {
        return Verdict::NotReached;
    };
    let bans = || seen.of(subject, Effect::Forbid);
    let of_gate = |gate: &String| bans().iter().any(|ban| gate_of(subject, *ban).as_ref() == Some(gate));
    let holds = match asked {
        Asked::NeverByBans => !bans().is_empty(),
        Asked::NeverByPermits => seen.of(subject, Effect::Permit).is_empty(),
        Asked::Never => !seen.allows(subject),
        Asked::Need(gate) => of_gate(gate),
        Asked::Always => seen.allows(subject),
        Asked::AlwaysByBans => bans().is_empty(),
        Asked::Lift(gate) => !of_gate(gate),
    };
    Verdict::when(seen.invariants.contains(&at), holds)
}

/// The gate that a ban of the approval tier names.
fn gate_of(subject: &Subject, policy: usize) -> Option<String> {
    match &subject.bundle.policies().get(policy)?.annotations.tier {
        Some(Tier::Approval(gate)) => Some(gate.clone()),
        _ => None,
    }
}

/// The gates that the approval bans that match name.
pub(super) fn needs(subject: &Subject, seen: &Seen) -> BTreeSet<String> {
    seen.policies.iter().filter_map(|at| gate_of(subject, *at)).collect()
}

fn all_gates(subject: &Subject) -> Vec<Value> {
    subject.bundle.schema().gates().iter().map(|gate| gate_value(gate)).collect()
}

fn mode(id: &str) -> Value {
    json!({ "__entity": { "type": "Cutter::Mode", "id": id } })
}

fn gate_value(gate: &str) -> Value {
    json!({ "__entity": { "type": "Cutter::Gate", "id": gate } })
}

fn set_gates(case: &mut Case, gates: Vec<Value>) {
    if let Some(place) = case.context.pointer_mut(GATES) {
        *place = Value::Array(gates);
    }
}

pub(super) fn add_gates(case: &mut Case, gates: &BTreeSet<String>) {
    if let Some(open) = case.context.pointer_mut(GATES).and_then(Value::as_array_mut) {
        for gate in gates.iter().map(|gate| gate_value(gate)) {
            if !open.contains(&gate) {
                open.push(gate);
            }
        }
    }
}

/// Adds a twin of each entity that no request names.
fn double_entities(case: &mut Case, subject: &Subject) {
    let Some(entities) = case.entities.as_array_mut() else { return };
    let mut twins = entities.clone();
    for twin in &mut twins {
        let name = twin.pointer("/uid/type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_listed = name.parse().is_ok_and(|name| subject.bundle.schema().is_enumerated(&name));
        match twin.pointer_mut("/uid/id").filter(|_| !is_listed) {
            Some(Value::String(id)) => id.push_str(" unrelated"),
            _ => *twin = Value::Null,
        }
    }
    entities.extend(twins.into_iter().filter(|twin| !twin.is_null()));
}

/// Whether the gate is open in one stretch of time that ends, tried at every edge that a condition gives.
fn opens_once(lab: &Lab<'_>, world: &World) -> bool {
    let Some(place) = locate(&world.case, NOW) else { return true };
    let Some(like) = read(&world.case, &place).cloned() else { return true };
    let Some(now) = number(&like) else { return true };
    let mut times: BTreeSet<i64> = [now, now.saturating_add(CENTURY), now.saturating_sub(CENTURY)].into();
    for condition in lab.conditions(world.kind).filter(|condition| condition.paths.contains(NOW)) {
        let moved = condition.moves(world, lab.subject, &|_| Vec::new());
        times.extend(moved.iter().filter_map(|case| number(read(case, &place)?)));
    }
    let open = |time: &i64| {
        let case = of_number(&like, *time).and_then(|value| with(&world.case, &place, Some(value)));
        let world = case.and_then(|case| lab.world(world.kind, case, Some(world)));
        world.is_some_and(|world| lab.look(&world).allows(lab.subject))
    };
    let opened: Vec<bool> = times.iter().map(open).collect();
    let begins = opened.iter().zip(opened.iter().skip(1)).filter(|(before, after)| !**before && **after).count();
    begins == 1 && opened.first() == Some(&false) && opened.last() == Some(&false)
}

const SWITCHING: &str = "switching";
const OPEN: &str = "open_gate";
const GATES: &str = "/run/gates";
const MODE: &str = "/run/mode";
const NOW: &str = "context.run.now";
/// In milliseconds.
const CENTURY: i64 = 3_155_760_000_000;
