//! What cases reach: which policies fired, which were decisive, and which conditions were seen true, and false.

use super::matching::{Matched, Reporters, atoms, text};
use super::{Case, Expected};
use crate::policy::annotations::Tier;
use crate::policy::{BundlePolicy, PolicyBundle};
use cedar_policy::{Effect, Entities, Request};
use serde::Serialize;
use std::collections::BTreeSet;

/// What all cases of a policy set reach.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// The version of this form, 1.
    pub version: u32,
    /// Policies that fired in a case, of all.
    pub fired: Share,
    /// Policies without which a case comes out differently, of all.
    pub decisive: Share,
    /// Conditions that were true in a case, of all.
    pub seen_true: Share,
    /// Conditions that were false in a case, of all.
    pub seen_false: Share,
    /// The least of each that is enough, in percent, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<usize>,
    /// Each policy of the bundle, in the order of the files.
    pub policies: Vec<PolicyCoverage>,
}

impl Coverage {
    /// The shares with their names.
    pub fn shares(&self) -> [(&'static str, Share); 4] {
        [
            ("policies fired", self.fired),
            ("policies decisive", self.decisive),
            ("conditions seen true", self.seen_true),
            ("conditions seen false", self.seen_false),
        ]
    }

    /// The shares that are smaller than was asked for.
    pub fn short(&self) -> Vec<(&'static str, Share)> {
        self.shares().into_iter().filter(|(_, share)| self.min.is_some_and(|min| share.percent() < min)).collect()
    }
}

/// Some of all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Share {
    /// Some.
    pub of: usize,
    /// All.
    pub all: usize,
}

impl Share {
    /// In whole percent, rounded down; nothing of nothing is all of it.
    pub fn percent(self) -> usize {
        (self.of * 100).checked_div(self.all).unwrap_or(100)
    }
}

/// What cases reach of one policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyCoverage {
    /// Its `@id`.
    pub id: String,
    /// Where it stands: `policies/gates.cedar:12`.
    pub place: String,
    /// In how many requests it matched.
    pub fired: usize,
    /// In how many of them it was decisive.
    pub decisive: usize,
    /// Its conditions, taken apart.
    pub conditions: Vec<ConditionCoverage>,
}

/// What cases reach of one condition, asked within the scope of its policy.
#[derive(Clone, Debug, Serialize)]
pub struct ConditionCoverage {
    /// As Cedar writes it.
    pub text: String,
    /// The line of the policy's file where it stands, or its policy.
    pub line: usize,
    /// In how many requests it was true.
    pub seen_true: usize,
    /// In how many it was false.
    pub seen_false: usize,
}

/// Counts what requests reach, one after the other.
pub struct Tally {
    policies: Vec<PolicyCoverage>,
    whole: Reporters,
    single: Reporters,
}

impl Tally {
    /// A tally of the bundle's own policies; actions of the group `never` and the prelude are not counted.
    pub fn new(bundle: &PolicyBundle) -> Self {
        let counted = |policy: &&BundlePolicy| !policy.is_action;
        let own: Vec<&BundlePolicy> = bundle.own().iter().filter(counted).collect();
        let parts: Vec<_> = own.iter().map(|policy| atoms(&policy.policy)).collect();
        let of_policy = |at: usize, policy: &&BundlePolicy| PolicyCoverage {
            id: policy.id().to_owned(),
            place: format!("{}:{}", policy.source.name(), policy.source.position(policy.span.start).0),
            fired: 0,
            decisive: 0,
            conditions: parts
                .get(at)
                .into_iter()
                .flatten()
                .map(|atom| {
                    let text = text(atom).unwrap_or_default();
                    ConditionCoverage { line: line(policy, &text), text, seen_true: 0, seen_false: 0 }
                })
                .collect(),
        };
        let always = serde_json::json!({ "Value": true });
        let singles = own.iter().zip(&parts).enumerate().flat_map(|(at, (policy, atoms))| {
            let named = atoms.iter().enumerate().map(move |(number, atom)| (format!("{at}.{number}"), atom));
            // Its conditions are looked at where its scope holds.
            let scope = std::iter::once((format!("{at}.scope"), &always));
            scope.chain(named).map(|(name, atom)| (name, &policy.policy, atom))
        });
        let single = Reporters::of_conditions(singles);
        Self {
            policies: own.iter().enumerate().map(|(at, policy)| of_policy(at, policy)).collect(),
            // All of them, as what is decisive depends on the prelude's, too.
            whole: Reporters::new(bundle.policies().iter().map(|policy| (policy.id().to_owned(), &policy.policy))),
            single,
        }
    }

    /// Counts one request of a case.
    pub fn add(&mut self, case: &Case, bundle: &PolicyBundle, request: &Request, entities: &Entities) {
        let Matched { matched, .. } = self.whole.ask(request, entities);
        let single = self.single.ask(request, entities);
        for (at, policy) in self.policies.iter_mut().enumerate() {
            if matched.contains(&policy.id) {
                policy.fired += 1;
                policy.decisive += usize::from(is_decisive(&policy.id, &matched, &case.expected, bundle));
            }
            let scope = single.matched.contains(&format!("{at}.scope"));
            for (number, condition) in policy.conditions.iter_mut().enumerate().filter(|_| scope) {
                let name = format!("{at}.{number}");
                if single.matched.contains(&name) {
                    condition.seen_true += 1;
                } else if !single.errors.contains(&name) {
                    condition.seen_false += 1;
                }
            }
        }
    }

    /// What was reached in the end.
    pub fn finish(self) -> Coverage {
        let policies = self.policies;
        let share = |of: usize, all: usize| Share { of, all };
        let count = |keep: &dyn Fn(&PolicyCoverage) -> bool| policies.iter().filter(|policy| keep(policy)).count();
        let conditions = || policies.iter().flat_map(|policy| &policy.conditions);
        Coverage {
            version: 1,
            fired: share(count(&|policy| policy.fired > 0), policies.len()),
            decisive: share(count(&|policy| policy.decisive > 0), policies.len()),
            seen_true: share(conditions().filter(|one| one.seen_true > 0).count(), conditions().count()),
            seen_false: share(conditions().filter(|one| one.seen_false > 0).count(), conditions().count()),
            min: None,
            policies,
        }
    }
}

/// Whether a case would come out differently without the policy.
fn is_decisive(id: &str, matched: &BTreeSet<String>, expected: &Expected, bundle: &PolicyBundle) -> bool {
    let names = |set: &Option<BTreeSet<String>>| set.as_ref().is_some_and(|ids| ids.contains(id));
    let in_document =
        expected.document.as_ref().is_some_and(|document| document.to_string().contains(&format!("\"{id}\"")));
    if names(&expected.policies) || names(&expected.only) || in_document {
        return true;
    }
    let without: BTreeSet<String> = matched.iter().filter(|other| *other != id).cloned().collect();
    let (before, after) = (Standing::of(matched, bundle), Standing::of(&without, bundle));
    let looks = expected.basis.is_some() || expected.document.is_some();
    (looks && before != after)
        || (expected.decision.is_some() && (before == Standing::Allowed) != (after == Standing::Allowed))
        || (expected.needs.is_some() && named(matched, bundle) != named(&without, bundle))
        || (expected.gaps.is_some() && named(matched, bundle) != named(&without, bundle))
}

/// What a set of policies that match makes of a request.
#[derive(PartialEq, Eq)]
enum Standing {
    Allowed,
    Forbidden,
    NotPermitted,
    ApprovalRequired,
    Precondition,
}

impl Standing {
    fn of(matched: &BTreeSet<String>, bundle: &PolicyBundle) -> Self {
        let policies: Vec<&BundlePolicy> = matched.iter().filter_map(|id| bundle.policy(id)).collect();
        let has = |wanted: &dyn Fn(&Tier) -> bool| {
            policies.iter().any(|policy| policy.annotations.tier.as_ref().is_some_and(wanted))
        };
        let plain_ban =
            |policy: &&&BundlePolicy| policy.policy.effect() == Effect::Forbid && policy.annotations.tier.is_none();
        if has(&|tier| matches!(tier, Tier::Absolute | Tier::Gate(_))) || policies.iter().any(|p| plain_ban(&p)) {
            return Self::Forbidden;
        }
        if !policies.iter().any(|policy| policy.policy.effect() == Effect::Permit) {
            return Self::NotPermitted;
        }
        match (has(&|tier| matches!(tier, Tier::Approval(_))), has(&|tier| matches!(tier, Tier::Precondition(_)))) {
            (true, _) => Self::ApprovalRequired,
            (false, true) => Self::Precondition,
            (false, false) => Self::Allowed,
        }
    }
}

/// The gates and gaps that the bans among these name.
fn named(matched: &BTreeSet<String>, bundle: &PolicyBundle) -> BTreeSet<String> {
    let name = |id: &String| match bundle.tier(id)? {
        Tier::Approval(gate) => Some(gate.clone()),
        Tier::Precondition(gap) => Some(gap.clone()),
        _ => None,
    };
    matched.iter().filter_map(name).collect()
}

/// The line where a condition stands; blanks do not count, as Cedar lays it out again.
fn line(policy: &BundlePolicy, text: &str) -> usize {
    let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace() && !"()".contains(*c)).collect::<String>();
    let source = policy.source.text().get(policy.span.clone()).unwrap_or_default();
    let wanted = bare(text);
    let starts = source.char_indices().filter(|(_, letter)| !letter.is_whitespace() && !"()".contains(*letter));
    let all: Vec<(usize, char)> = starts.collect();
    let whole: String = all.iter().map(|(_, letter)| *letter).collect();
    let found = whole.find(&wanted).map(|at| whole.get(..at).unwrap_or_default().chars().count());
    let offset = found.and_then(|at| all.get(at)).map_or(0, |(offset, _)| *offset);
    policy.source.position(policy.span.start + offset).0
}
