//! Invariants for policies that none would miss: proposed as text for a person to read, each proved before it is proposed.

mod draft;
mod floor;

use self::draft::Draft;
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::problem::Problem;
use crate::progress::Observer;
use crate::prove::{ProveOptions, solver};
use crate::subject::{Subject, request_type_name};
use cedar_policy::Effect;
use std::collections::BTreeSet;

/// What is proposed.
#[derive(Debug)]
pub struct Proposals {
    /// The invariants, as a file of them.
    pub text: String,
    /// How many there are.
    pub count: usize,
    /// The ids of policies that nothing is proposed for, and why.
    pub without: Vec<(String, String)>,
}

/// A ceiling for each ban among these, by their places, and a floor for each permit.
pub fn proposals(
    subject: &Subject,
    missed: &[usize],
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<Proposals, Problem> {
    solver::tried(&options.solver)?;
    let of = |at: &usize| subject.bundle.policies().get(*at).filter(|policy| !policy.is_action);
    let (mut drafts, mut without) = (Vec::new(), Vec::new());
    let mut permits = Vec::new();
    for (at, policy) in missed.iter().filter_map(|at| Some((*at, of(at)?))) {
        match policy.policy.effect() {
            Effect::Permit => permits.push(at),
            Effect::Forbid => match ceiling(subject, policy) {
                Some(draft) => drafts.push((at, draft)),
                None => without.push((policy.id().to_owned(), "its text cannot be taken apart".to_owned())),
            },
        }
    }
    for (at, floor) in floor::floors(subject, &permits, options, observer)? {
        match floor {
            Ok(draft) => drafts.push((at, draft)),
            Err(why) => without.push((of(&at).map(|policy| policy.id().to_owned()).unwrap_or_default(), why)),
        }
    }
    drafts.sort_by_key(|(at, _)| *at);
    let mut known: BTreeSet<String> = subject.invariants.iter().map(|invariant| invariant.id.clone()).collect();
    let mut text = String::from(HEAD);
    for (_, draft) in &mut drafts {
        draft.name_apart(&mut known);
        text.push_str(&draft.text());
    }
    Ok(Proposals { text, count: drafts.len(), without })
}

/// What the ban bars must stay barred, with its actions named one by one.
fn ceiling(subject: &Subject, policy: &BundlePolicy) -> Option<Draft> {
    let mut draft = Draft::of(policy)?;
    if draft.action != "action" {
        let actions = subject.actions().into_iter().filter(|action| subject.covers_action(&policy.policy, action));
        let actions: Vec<String> = actions.map(ToString::to_string).collect();
        draft.action = match actions.as_slice() {
            [one] => format!("action == {one}"),
            all => format!("action in [{}]", all.join(", ")),
        };
    }
    draft.id = format!("{}-holds", policy.id());
    draft.says = format!("proposed: it bars as it does today: {}", policy.title());
    draft.of = "bans".to_owned();
    if let Some(Tier::Approval(gate)) = &policy.annotations.tier {
        (draft.of, draft.gate) = ("gate".to_owned(), Some(gate.clone()));
    }
    Some(draft)
}

/// What a floor is about, for people.
fn about(subject: &Subject, kind: usize) -> String {
    subject.request_types.get(kind).map(request_type_name).unwrap_or_default()
}

const HEAD: &str = "// Proposed by `cutter review coverage --write`: what holds today, and nothing else would notice if it did not.\n\
                    // Read each, keep what is meant in a file of your own, and say there why.\n//\n";
