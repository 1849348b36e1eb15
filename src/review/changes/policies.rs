//! Policies and invariants that were added, dropped, renamed or changed, and what became weaker by it.

use super::{Side, differing};
use crate::cedar::expression::bare;
use crate::findings::rule::Severity;
use crate::findings::{Finding, Place, rules};
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, UnlinkedTemplate};
use crate::subject::invariant::Invariant;
use cedar_policy::{Effect, Policy};
use std::collections::{BTreeMap, BTreeSet};

/// The policies of both sides, by their ids; one without a name is the same where its text is.
pub fn changes(old: &Side, new: &Side) -> Vec<Finding> {
    let (old, new) = (old.subject.bundle.own(), new.subject.bundle.own());
    let earlier = earlier(old, new);
    let mut findings = Vec::new();
    let mut left: Vec<usize> = (0..old.len()).filter(|at| !earlier.contains(&Some(*at))).collect();
    for (after, before) in new.iter().zip(&earlier) {
        let place = Place::new(&after.source, after.span.clone());
        match before.and_then(|at| old.get(at)) {
            Some(before) => findings.extend(changed(before, after)),
            None => match left.iter().position(|at| old.get(*at).is_some_and(|was| is_same_rule(was, after))) {
                Some(found) => {
                    let was = old.get(left.remove(found)).map_or("", BundlePolicy::id);
                    let message = format!("it was called `{was}`");
                    findings.push(Finding::new(&rules::POLICY_CHANGED, after.id(), message).at(place));
                }
                None => {
                    let message = format!("it is a new {}", kind(after));
                    findings.push(Finding::new(&rules::POLICY_CHANGED, after.id(), message).at(place));
                }
            },
        }
    }
    for gone in left.into_iter().filter_map(|at| old.get(at)) {
        let place = Place::new(&gone.source, gone.span.clone()).label("the old bundle");
        let message = format!("the {} is gone", kind(gone));
        findings.push(match gone.policy.effect() {
            Effect::Forbid => Finding::new(&rules::POLICY_WEAKENED, gone.id(), message).at(place).help(MEANT),
            Effect::Permit => Finding::new(&rules::AUTHORITY_NARROWED, gone.id(), message).at(place),
        });
    }
    findings
}

/// Of each new policy the place of the old one that it was: of the same name, or where it has none, with the same text.
pub fn earlier(old: &[BundlePolicy], new: &[BundlePolicy]) -> Vec<Option<usize>> {
    let mut by_text: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, was) in old.iter().enumerate().rev().filter(|(_, was)| was.is_unnamed()) {
        by_text.entry(said(was)).or_default().push(at);
    }
    let mut earlier: Vec<Option<usize>> = new
        .iter()
        .map(|after| match after.is_unnamed() {
            true => by_text.get_mut(&said(after)).and_then(Vec::pop),
            false => old.iter().position(|was| was.id() == after.id() && !was.is_unnamed()),
        })
        .collect();
    // What is left is what stood in the same place.
    for (at, after) in new.iter().enumerate().filter(|(_, after)| after.is_unnamed()) {
        if earlier.get(at).is_some_and(Option::is_none) {
            let before = old.iter().position(|was| was.is_unnamed() && was.id() == after.id());
            let before = before.filter(|before| !earlier.contains(&Some(*before)));
            earlier.get_mut(at).into_iter().for_each(|place| *place = before);
        }
    }
    earlier
}

/// What a policy says and weighs, whatever it is called and however it is laid out.
fn said(policy: &BundlePolicy) -> String {
    format!("{}{:?}", bare(&policy.policy), rest(&policy.policy))
}

/// The templates of both sides that nothing links: whoever links them decides otherwise, which no proof shows.
pub fn templates(old: &Side, new: &Side) -> Vec<Finding> {
    let by_name = |side: &'_ Side| -> BTreeMap<String, UnlinkedTemplate> {
        let templates = side.subject.bundle.unlinked_templates();
        templates.iter().map(|template| (template.name.clone(), template.clone())).collect()
    };
    let (was, is) = (by_name(old), by_name(new));
    let finding = |(name, before, after): (&String, Option<&UnlinkedTemplate>, Option<&UnlinkedTemplate>)| {
        let template = after.or(before)?;
        let effect = match template.effect {
            Effect::Forbid => "ban",
            Effect::Permit => "permit",
        };
        let (rule, message): (_, String) = match (before, after) {
            (Some(before), Some(after)) if before.text() == after.text() => return None,
            (Some(_), Some(_)) => (
                &rules::POLICY_CHANGED,
                format!("the template of a {effect} is another: what its links decide is not proved"),
            ),
            (None, Some(_)) => (
                &rules::POLICY_CHANGED,
                format!("it is a new template of a {effect}: what its links decide is not proved"),
            ),
            _ if effect == "ban" => (&rules::POLICY_WEAKENED, "the template of a ban is gone".to_owned()),
            _ => (&rules::AUTHORITY_NARROWED, "the template of a permit is gone".to_owned()),
        };
        let mut finding =
            Finding::new(rule, name.as_str(), message).at(Place::new(&template.source, template.span.clone()));
        if after.is_some() {
            finding.severity = Severity::Warning;
        }
        Some(if *rule == rules::AUTHORITY_NARROWED { finding } else { finding.help(MEANT) })
    };
    differing(&was, &is).filter_map(finding).collect()
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
    bare(&a.policy) == bare(&b.policy) && rest(&a.policy) == rest(&b.policy)
}

/// Every annotation but the name.
fn rest(policy: &Policy) -> BTreeMap<String, String> {
    let other = policy.annotations().filter(|(key, _)| *key != "id");
    other.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
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
