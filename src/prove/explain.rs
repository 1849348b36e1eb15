//! A refutation as a finding: what does not hold, where to look first, and a request that shows it.

use super::Refutation;
use super::claim::{Claim, One, Side, Which};
use super::property::Property;
use crate::findings::rule::Severity;
use crate::findings::{Finding, Place, rules};
use crate::policy::BundlePolicy;
use crate::subject::counterexample::{Case, Counterexample, Trial};
use crate::subject::invariant::Asked;
use crate::subject::{Subject, request_type_name};
use crate::subject::{essentials, shrink};
use cedar_policy::{Effect, Entities, Policy, Request, RequestEnv};

/// The finding of a property that has refutations.
pub fn refuted(subject: &Subject, property: Property, refutations: &[Refutation]) -> Finding {
    let about = property.about(subject);
    let types: Vec<String> =
        refutations.iter().filter_map(|refutation| name(subject, refutation.request_type)).collect();
    let list = shortened(&types);
    let has = |opening: bool| {
        let found = move |of: &&Refutation| of.example.as_ref().is_some_and(|example| example.opening || !opening);
        refutations.iter().find(found)
    };
    let shown = has(true).or_else(|| has(false)).or(refutations.first());
    let expected = match property.asked(subject) {
        Some(Asked::Always | Asked::AlwaysByBans | Asked::Lift(_)) => "allow",
        _ => "deny",
    };
    let (counterexample, confirmed) = match shown {
        Some(refutation) => example(subject, refutation, expected),
        None => (None, true),
    };
    let title = match property {
        Property::Invariant(index, _) => subject.invariants.get(index).and_then(|invariant| invariant.title.as_deref()),
        _ => None,
    };
    let message = match property {
        Property::NeverFails(at) => {
            let shown = counterexample.as_ref().zip(One::Policy(at).policy(subject));
            let error = shown.and_then(|(shown, policy)| shown.error(subject, policy));
            let error = error.map(|error| format!(": {error}")).unwrap_or_default();
            format!("its evaluation can fail, and a policy that fails is skipped ({list}){error}")
        }
        _ => format!("{} ({list})", said(property.asked(subject), title)),
    };
    let mut finding = match confirmed {
        true => Finding::new(property.rule(subject), about, message),
        false => Finding::new(
            &rules::UNPROVED_COUNTEREXAMPLE,
            about,
            format!("the solver refutes `{}`, and the authorizer does not confirm it", property.name(subject)),
        ),
    };
    finding.places = places(subject, property, shown, counterexample.as_ref());
    let help = match finding.places.first() {
        Some(Place { label: Some(label), .. }) if label != OWN => {
            format!("look at the {label}, or change the invariant if it is meant")
        }
        _ => help(property.asked(subject)),
    };
    finding.help(help).shown_by(counterexample)
}

/// The finding of a policy or invariant that matches no request, or of a permit that matches all.
pub fn dead(subject: &Subject, property: Property) -> Finding {
    let (what, help) = match property {
        Property::Conditional(_) => (
            "it permits anyone to do this to anything: its conditions hold for every request",
            "correct its conditions, or name in its scope who may do it",
        ),
        _ => ("no request of any type matches it", "correct its conditions, or remove it"),
    };
    let finding = Finding::new(property.rule(subject), property.about(subject), what);
    let finding = match own_place(subject, property) {
        Some(place) => finding.at(place),
        None => finding,
    };
    finding.help(help)
}

/// The note on a policy that is dead for some request types, unless its own text says for which.
pub fn partly_dead(subject: &Subject, property: Property, alive: &[usize]) -> Option<Finding> {
    let Property::Alive(index) = property else { return None };
    let policy = subject.bundle.policies().get(index)?;
    if says_where(policy) {
        return None;
    }
    let all = subject.request_types.iter().enumerate();
    let dead = all.filter(|(at, env)| !alive.contains(at) && subject.can_match(&policy.policy, env));
    let dead: Vec<String> = dead.map(|(_, env)| request_type_name(env)).collect();
    let message = format!("it can never match some request types of its scope ({})", shortened(&dead));
    let mut finding =
        Finding::new(&rules::ALIVE, policy.id(), message).at(Place::new(&policy.source, policy.span.clone()));
    finding.severity = Severity::Note;
    Some(finding)
}

/// Whether the policy's own text says for which request types it is meant: scopes and conditions that speak of types, groups or
/// literals are meant to be narrower than their scope.
pub fn says_where(policy: &BundlePolicy) -> bool {
    let Some(text) = policy.source.text().get(policy.span.clone()) else { return false };
    let conditions = text.split_once(')').map_or("", |(_, rest)| rest);
    ["action", "principal", "resource"].iter().any(|word| conditions.contains(word))
        || text.contains("principal in ")
        || text.contains("resource in ")
        || text.contains("resource ==")
        || text.contains("principal ==")
}

/// The solver's example, confirmed by the authorizer and made small; and whether it was confirmed.
fn example(subject: &Subject, refutation: &Refutation, expected: &'static str) -> (Option<Counterexample>, bool) {
    let Some(example) = &refutation.example else { return (None, true) };
    let Some(case) = Case::of(&example.at.request, &example.at.entities) else { return (None, true) };
    let request_type = subject.request_types.get(refutation.request_type);
    let keep = |policy: &Policy| request_type.is_none_or(|of| subject.can_match(policy, of));
    let refuter = example.claim.refuter(subject, keep);
    let shows =
        |request: &Request, entities: &Entities| refuter.as_ref().is_ok_and(|refuter| refuter.shows(request, entities));
    if !Trial::new(subject, &shows).holds(&case) {
        return (case.into_counterexample(subject, expected, Vec::new()), false);
    }
    (shrunk(case, subject, expected, shows), true)
}

/// The smallest case that still shows it, with the facts that matter.
pub fn shrunk(
    case: Case,
    subject: &Subject,
    expected: &'static str,
    shows: impl Fn(&Request, &Entities) -> bool,
) -> Option<Counterexample> {
    let trial = Trial::new(subject, shows);
    let small = shrink::shrink(case, subject, &|case| trial.holds(case));
    let facts = essentials::essentials(&small, subject, &|case| trial.judge(case));
    small.into_counterexample(subject, expected, facts)
}

/// Where to look: first what decides wrongly, then the invariant.
fn places(
    subject: &Subject,
    property: Property,
    shown: Option<&Refutation>,
    counterexample: Option<&Counterexample>,
) -> Vec<Place> {
    let own = own_place(subject, property);
    let Property::Invariant(index, _) = property else { return own.into_iter().collect() };
    let mut places = Vec::new();
    let mut push = |policy: &BundlePolicy, what: &str| {
        let label = format!("{what} `{}`", policy.id());
        places.push(Place::new(&policy.source, policy.span.clone()).label(label));
    };
    match shown.map(|refutation| &refutation.claim) {
        Some(Claim::Disjoint(One::Policy(ban), _)) => {
            if let Some(policy) = subject.bundle.policies().get(*ban) {
                push(policy, if policy.policy.effect() == Effect::Forbid { "ban" } else { "permit" });
            }
        }
        Some(Claim::Implies(Side::Invariant(_), _))
        | Some(Claim::Implies(Side::Bundle(Which::Permits | Which::Shipped, _), _)) => {
            let deciding = counterexample.map(|shown| shown.policies.clone()).unwrap_or_default();
            for policy in deciding.iter().filter_map(|id| subject.bundle.policy(id)) {
                push(policy, if policy.policy.effect() == Effect::Forbid { "ban" } else { "permit" });
            }
        }
        Some(Claim::Implies(Side::Bundle(..), _)) => {
            let request_type = shown.and_then(|refutation| subject.request_types.get(refutation.request_type));
            let ban = request_type.and_then(|request_type| closest(subject, request_type, index));
            ban.into_iter().for_each(|policy| push(policy, "closest ban"));
        }
        _ => {}
    }
    let label = own.map(|place| place.label(OWN));
    places.into_iter().chain(label).collect()
}

/// The ban of the same request type that speaks most of what the invariant speaks of.
fn closest<'a>(subject: &'a Subject, request_type: &RequestEnv, invariant: usize) -> Option<&'a BundlePolicy> {
    // It may have lost this very request type from its scope, so that every ban is looked at; of equals, one that has it.
    let mut all: Vec<usize> = (0..subject.bundle.policies().len()).collect();
    let matching = subject.matching(request_type);
    all.sort_by_key(|at| matching.contains(at));
    let alike = subject.closest_ban(&all, invariant, request_type.action()).filter(|(_, score)| *score >= ALIKE);
    alike.and_then(|(ban, _)| subject.bundle.policies().get(ban))
}

fn own_place(subject: &Subject, property: Property) -> Option<Place> {
    match property {
        Property::NeverFails(index) | Property::Alive(index) | Property::Conditional(index) => {
            subject.bundle.policies().get(index).map(|policy| Place::new(&policy.source, policy.span.clone()))
        }
        Property::Invariant(index, _) | Property::InvariantAlive(index) => {
            subject.invariants.get(index).map(|invariant| Place::new(&invariant.source, invariant.span.clone()))
        }
    }
}

fn said(asked: Option<&Asked>, title: Option<&str>) -> String {
    let title = title.map(|title| format!("`{title}` does not hold: ")).unwrap_or_default();
    let what = match asked {
        Some(Asked::NeverByBans) => "no ban matches some of what it names",
        Some(Asked::NeverByPermits) => "a permit matches some of what it names",
        Some(Asked::Never) => "some of what it names is allowed",
        Some(Asked::Need(_)) => "no approval ban of its gate matches some of what it names",
        Some(Asked::Always) => "some of what it names is denied",
        Some(Asked::AlwaysByBans) => "a ban matches some of what it names",
        Some(Asked::Lift(_)) => "an approval ban still matches when its gate is open",
        None => "it does not hold",
    };
    format!("{title}{what}")
}

fn help(asked: Option<&Asked>) -> String {
    match asked {
        Some(Asked::NeverByBans | Asked::Need(_)) => "restore the ban, or change the invariant if this is meant",
        Some(Asked::Always) => "restore the permit, or change the invariant if this is meant",
        _ => "correct the policy, or change the invariant if this is meant",
    }
    .to_owned()
}

fn name(subject: &Subject, request_type: usize) -> Option<String> {
    subject.request_types.get(request_type).map(request_type_name)
}

fn shortened(types: &[String]) -> String {
    match types {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}

/// How alike a ban and an invariant must be, of 1250, to be named together.
const ALIKE: usize = 150;

/// The label of the invariant itself.
const OWN: &str = "invariant";
