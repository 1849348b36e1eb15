//! Policies and invariants that were added, dropped, renamed or changed, and what became weaker by it.

use super::{Side, differing};
use crate::cedar::expression::bare;
use crate::findings::{Finding, Place, rules};
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::subject::invariant::Invariant;
use cedar_policy::{Effect, Policy};
use std::collections::{BTreeMap, BTreeSet};

/// The policies of both sides, by their ids.
pub fn changes(old: &Side, new: &Side) -> Vec<Finding> {
    let (old, new) = (old.subject.bundle.own(), new.subject.bundle.own());
    let find = |among: &'_ [BundlePolicy], id: &str| among.iter().position(|policy| policy.id() == id);
    let mut findings = Vec::new();
    let mut renamed = BTreeSet::new();
    for after in new {
        let before = find(old, after.id()).and_then(|at| old.get(at));
        let place = Place::new(&after.source, after.span.clone());
        match before {
            Some(before) => findings.extend(changed(before, after)),
            None => match old.iter().find(|was| find(new, was.id()).is_none() && is_same_rule(was, after)) {
                Some(was) => {
                    renamed.insert(was.id());
                    let message = format!("it was called `{}`", was.id());
                    findings.push(Finding::new(&rules::POLICY_CHANGED, after.id(), message).at(place));
                }
                None => {
                    let message = format!("it is a new {}", kind(after));
                    findings.push(Finding::new(&rules::POLICY_CHANGED, after.id(), message).at(place));
                }
            },
        }
    }
    for gone in old.iter().filter(|was| find(new, was.id()).is_none() && !renamed.contains(was.id())) {
        let place = Place::new(&gone.source, gone.span.clone()).label("the old bundle");
        let message = format!("the {} is gone", kind(gone));
        findings.push(match gone.policy.effect() {
            Effect::Forbid => Finding::new(&rules::POLICY_WEAKENED, gone.id(), message).at(place).help(MEANT),
            Effect::Permit => Finding::new(&rules::AUTHORITY_NARROWED, gone.id(), message).at(place),
        });
    }
    findings
}

/// The invariants of both sides, by their ids.
pub fn invariants(old: &[Invariant], new: &[Invariant]) -> Vec<Finding> {
    let find = |among: &'_ [Invariant], id: &str| among.iter().position(|invariant| invariant.id == id);
    let mut findings = Vec::new();
    let mut renamed = BTreeSet::new();
    for after in new {
        let before = find(old, &after.id).and_then(|at| old.get(at));
        let place = Place::new(&after.source, after.span.clone());
        let same = |was: &&Invariant| was.asked == after.asked && bare(&was.policy) == bare(&after.policy);
        let finding = match before {
            Some(before) if !same(&before) => {
                let message = match before.asked == after.asked {
                    true => "the invariant has other conditions or another scope".to_owned(),
                    false => format!("the invariant was asked of {} and is asked of {}", of(before), of(after)),
                };
                Finding::new(&rules::INVARIANT_WEAKENED, after.id.as_str(), message).help(MEANT)
            }
            Some(before) if before.title != after.title => {
                Finding::new(&rules::POLICY_CHANGED, after.id.as_str(), "the invariant has another title")
            }
            Some(_) => continue,
            None => match old.iter().find(|was| find(new, &was.id).is_none() && same(was)) {
                Some(was) => {
                    renamed.insert(was.id.as_str());
                    let message = format!("the invariant was called `{}`", was.id);
                    Finding::new(&rules::POLICY_CHANGED, after.id.as_str(), message)
                }
                None => Finding::new(&rules::AUTHORITY_NARROWED, after.id.as_str(), "it is a new invariant"),
            },
        };
        findings.push(finding.at(place));
    }
    for gone in old.iter().filter(|was| find(new, &was.id).is_none() && !renamed.contains(was.id.as_str())) {
        let title = gone.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
        let place = Place::new(&gone.source, gone.span.clone()).label("the old bundle");
        let message = format!("the invariant is gone{title}");
        findings.push(Finding::new(&rules::INVARIANT_WEAKENED, gone.id.as_str(), message).at(place).help(MEANT));
    }
    findings
}

/// What became weaker, and what else is not the same, each in one finding.
fn changed(before: &BundlePolicy, after: &BundlePolicy) -> Vec<Finding> {
    let (mut weaker, mut other) = (Vec::new(), Vec::new());
    let tiers = [before, after].map(|policy| policy.annotations.tier.as_ref());
    if before.policy.effect() != after.policy.effect() {
        weaker.push(format!("it was a {} and is a {}", effect(before), effect(after)));
    } else if tiers.first() != tiers.last() {
        let [was, is] = tiers.map(tier);
        let said = format!("it was of the tier {was} and is of {is}");
        if matches!(after.annotations.tier, Some(Tier::Absolute)) { &mut other } else { &mut weaker }.push(said);
    }
    let annotations = [before, after].map(|policy| policy.policy.annotations().collect::<BTreeMap<&str, &str>>());
    let [was, is] = &annotations;
    for (key, was, is) in differing(was, is) {
        let shown = |value: Option<&&str>| value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
        let said = format!("`@{key}` was {} and is {}", shown(was), shown(is));
        match *key {
            "tier" | "gate" | "gap" | "code" if before.annotations.tier != after.annotations.tier => {}
            "id" => {}
            "evidence" => {
                let words = |value: Option<&&str>| -> BTreeSet<String> {
                    value.map(|list| list.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
                };
                let (was, is) = (words(was), words(is));
                let lost: Vec<&str> = was.difference(&is).map(String::as_str).filter(|name| *name != "none").collect();
                match lost.as_slice() {
                    [] => other.push(said),
                    lost => weaker.push(format!("it has lost the evidence `{}`", lost.join("`, `"))),
                }
            }
            "severity" if rank(is.copied()) < rank(was.copied()) => weaker.push(said),
            "presupposes" => weaker.push(said),
            _ => other.push(said),
        }
    }
    if bare(&before.policy) != bare(&after.policy) {
        other.push("its scope or conditions are others".to_owned());
    }
    let finding = |rule, said: Vec<String>| {
        let place = Place::new(&after.source, after.span.clone());
        (!said.is_empty()).then(|| Finding::new(rule, after.id(), said.join("; ")).at(place))
    };
    let weaker = finding(&rules::POLICY_WEAKENED, weaker).map(|finding| finding.help(MEANT));
    weaker.into_iter().chain(finding(&rules::POLICY_CHANGED, other)).collect()
}

/// Whether two policies of different names say and weigh the same.
fn is_same_rule(a: &BundlePolicy, b: &BundlePolicy) -> bool {
    let rest = |policy: &Policy| -> BTreeMap<String, String> {
        let other = policy.annotations().filter(|(key, _)| *key != "id");
        other.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    bare(&a.policy) == bare(&b.policy) && rest(&a.policy) == rest(&b.policy)
}

fn of(invariant: &Invariant) -> String {
    let gate = |of: &crate::subject::invariant::Asked| match of {
        crate::subject::invariant::Asked::Need(gate) | crate::subject::invariant::Asked::Lift(gate) => {
            format!("the gate `{gate}`")
        }
        other => format!("`{}`", other.of()),
    };
    invariant.asked.iter().map(gate).collect::<Vec<_>>().join(" and ")
}

fn kind(policy: &BundlePolicy) -> String {
    match &policy.annotations.tier {
        Some(of) => format!("{} of the tier {}", effect(policy), tier(Some(of))),
        None => effect(policy).to_owned(),
    }
}

fn effect(policy: &BundlePolicy) -> &'static str {
    match policy.policy.effect() {
        Effect::Forbid => "ban",
        Effect::Permit => "permit",
    }
}

fn tier(tier: Option<&Tier>) -> String {
    match tier {
        None => "none".to_owned(),
        Some(Tier::Absolute) => "`absolute`".to_owned(),
        Some(Tier::Approval(gate)) => format!("`approval` with the gate `{gate}`"),
        Some(Tier::Precondition(gap)) => format!("`precondition` with the gap `{gap}`"),
        Some(Tier::Gate(code)) => format!("`gate` with the code `{}`", code.name()),
    }
}

/// How grave a severity is; one that is missing or unknown least of all.
fn rank(severity: Option<&str>) -> usize {
    ["low", "medium", "high", "critical"].iter().position(|known| Some(*known) == severity).map_or(0, |at| at + 1)
}

/// What to do about a change that weakens something.
pub(super) const MEANT: &str = "if this is meant, say so with --accept and the rule's number and a reason";
