//! What is reviewed: a bundle that could be read, its invariants, and which request types each policy can match.

pub mod counterexample;
pub mod essentials;
pub mod invariant;
pub mod likeness;
pub mod sample;
pub mod short;
pub mod shrink;
pub mod truth;
pub mod twin;

use self::invariant::Invariant;
use self::likeness::{Weights, Words};
use self::twin::Twin;
use crate::cedar::{expression, scope};
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems, Source};
use cedar_policy::{Effect, Entities, EntityTypeName, EntityUid, Policy, RequestEnv};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// A bundle and everything that the parts of the review ask of it.
#[derive(Debug)]
pub struct Subject {
    /// The validated policies and their schema.
    pub bundle: PolicyBundle,
    /// The properties to prove.
    pub invariants: Vec<Invariant>,
    /// The files that were read for them, those without one among them.
    pub invariant_sources: Vec<Source>,
    /// Every request type of the schema, sorted by its name.
    pub request_types: Vec<RequestEnv>,
    /// The ids of what is observed, where that is known.
    pub observed: Option<BTreeSet<String>>,
    /// Requests that are for the same work, where that is known.
    pub twins: Vec<Twin>,
    /// Whether the prelude's own policies are asked about, too: once a version, by the project's own tests.
    pub asks_prelude: bool,
    actions: Entities,
    /// Every action that can be asked for.
    asked_for: BTreeSet<EntityUid>,
    weights: Weights,
    /// Per policy of the bundle.
    words: Vec<Words>,
    /// Per policy of the bundle, the actions of its scope.
    reach: Vec<BTreeSet<EntityUid>>,
    /// Per invariant, the actions of its scope.
    invariant_reach: Vec<BTreeSet<EntityUid>>,
    /// Per invariant: all of it, and each clause.
    invariant_words: Vec<(Words, Vec<Words>)>,
    /// By the id of a policy or invariant, why it cannot be proved in time.
    unprovable: BTreeMap<String, String>,
    /// Per request type the policies of the bundle, and the invariants, whose scope leaves room for it.
    tables: OnceLock<[Vec<Vec<usize>>; 2]>,
}

impl Subject {
    /// A bundle with the invariants of these files, and those that the prelude promises of it.
    pub fn of_bundle(bundle: PolicyBundle, sources: Vec<Source>) -> Result<Self, Problems> {
        let invariants = invariant::of_bundle(&sources, &bundle)?;
        Ok(Self { invariant_sources: sources, ..Self::new(bundle, invariants)? })
    }

    /// Sorts the schema's request types.
    pub fn new(bundle: PolicyBundle, invariants: Vec<Invariant>) -> Result<Self, Problem> {
        let schema = bundle.schema().schema();
        let actions = schema
            .action_entities()
            .map_err(|error| Problem::invalid(format!("the schema's actions cannot be read: {error}")))?;
        let mut request_types: Vec<RequestEnv> = schema.request_envs().collect();
        request_types.sort_by_cached_key(request_type_name);
        let asked_for: BTreeSet<EntityUid> = request_types.iter().map(|of| of.action().clone()).collect();
        let words: Vec<Words> = bundle.policies().iter().map(|policy| likeness::words(&policy.policy)).collect();
        let weights = Weights::of(words.iter());
        let of = |invariant: &Invariant| {
            (likeness::words(&invariant.policy), invariant.clauses.iter().map(likeness::words).collect())
        };
        let invariant_words = invariants.iter().map(of).collect();
        let invariant_sources = invariants.iter().map(|invariant| invariant.source.clone()).collect();
        let mut subject = Self {
            bundle,
            invariants,
            invariant_sources,
            request_types,
            observed: None,
            twins: Vec::new(),
            asks_prelude: false,
            actions,
            asked_for,
            weights,
            words,
            reach: Vec::new(),
            invariant_reach: Vec::new(),
            invariant_words,
            unprovable: BTreeMap::new(),
            tables: OnceLock::new(),
        };
        let of = |policy: &Policy| {
            subject.actions().into_iter().filter(|a| subject.covers_action(policy, a)).cloned().collect()
        };
        let reach = subject.bundle.policies().iter().map(|policy| of(&policy.policy)).collect();
        let invariant_reach = subject.invariants.iter().map(|invariant| of(&invariant.policy)).collect();
        (subject.reach, subject.invariant_reach) = (reach, invariant_reach);
        subject.unprovable = subject.too_long();
        Ok(subject)
    }

    /// Whether the policy's scope leaves room for requests of this type.
    pub fn can_match(&self, policy: &Policy, request_type: &RequestEnv) -> bool {
        let schema = self.bundle.schema().schema();
        scope::covers_principal(policy, request_type.principal(), schema)
            && scope::covers_resource(policy, request_type.resource(), schema)
            && self.covers_action(policy, request_type.action())
    }

    /// Whether the policy's scope names the action, one of its groups, or every action.
    pub fn covers_action(&self, policy: &Policy, action: &EntityUid) -> bool {
        scope::covers_action(policy, action, &self.actions)
    }

    /// Whether the action is this one or in this group.
    pub fn is_in(&self, action: &EntityUid, group: &EntityUid) -> bool {
        scope::is_in(action, group, &self.actions)
    }

    /// Whether the action is in the group of this name, where the schema has it.
    pub fn in_group(&self, action: &EntityUid, group: &str) -> bool {
        self.bundle.schema().prelude_action(group).is_some_and(|group| self.is_in(action, &group))
    }

    /// Why a policy of the bundle, or an invariant, cannot be proved in time, by its id.
    pub fn unprovable(&self, id: &str) -> Option<String> {
        self.unprovable.get(id).cloned()
    }

    /// What cannot be proved in time, and why.
    fn too_long(&self) -> BTreeMap<String, String> {
        let policies = self.bundle.policies().iter().map(|policy| (policy.id(), &policy.policy)).zip(&self.words);
        let invariants = self.invariants.iter().map(|invariant| (invariant.id.as_str(), &invariant.policy));
        let all = policies.chain(invariants.zip(self.invariant_words.iter().map(|(all, _)| all)));
        let too_long =
            all.filter_map(|((id, policy), words)| Some((id.to_owned(), too_long(id, policy, words.len())?)));
        too_long.collect()
    }

    /// The ban among these that speaks most of what the invariant says about the action, and how much, of 1250.
    ///
    /// What its conditions speak of counts up to five times, the better the actions of its scope fit: those of the
    /// invariant, or just this one. A ban that lost something from its scope or its conditions is still near.
    pub fn closest_ban(&self, among: &[usize], invariant: usize, action: &EntityUid) -> Option<(usize, usize)> {
        let (wanted, _) = self.invariant_words.get(invariant)?;
        let own = self.invariant_reach.get(invariant)?;
        let score = |at: usize| {
            let (words, reach) = self.words.get(at).zip(self.reach.get(at))?;
            let only = if reach.contains(action) { 1000 / reach.len() } else { 0 };
            let scope = overlap(own, reach).max(only);
            let said = if wanted.is_empty() { scope } else { self.weights.likeness(wanted, words) };
            Some((said * (250 + scope) / 1000, at))
        };
        let bans = among.iter().filter(|at| {
            self.bundle.policies().get(**at).is_some_and(|policy| policy.policy.effect() == Effect::Forbid)
        });
        bans.filter_map(|at| score(*at)).max_by_key(|(score, _)| *score).map(|(score, at)| (at, score))
    }

    /// The clauses of the invariant that speak of what the policy speaks of, most first.
    pub fn closest_clauses(&self, policy: usize, invariant: usize) -> Vec<usize> {
        let Some((words, (_, clauses))) = self.words.get(policy).zip(self.invariant_words.get(invariant)) else {
            return Vec::new();
        };
        let mut scored: Vec<(usize, usize)> =
            clauses.iter().enumerate().map(|(at, clause)| (self.weights.likeness(words, clause), at)).collect();
        scored.retain(|(score, _)| *score > 0);
        scored.sort_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
        scored.into_iter().map(|(_, at)| at).collect()
    }

    /// The invariants among these, those first that speak most of what the policy speaks of.
    pub fn closest_invariants(&self, policy: usize, among: &[usize]) -> Vec<usize> {
        let mut sorted = among.to_vec();
        sorted.sort_by_cached_key(|at| std::cmp::Reverse(self.likeness_of_invariant(policy, *at)));
        sorted
    }

    /// How much an invariant speaks of what the policy speaks of, in thousandths.
    pub fn likeness_of_invariant(&self, policy: usize, invariant: usize) -> usize {
        match (self.words.get(policy), self.invariant_words.get(invariant)) {
            (Some(words), Some((all, _))) => self.weights.likeness(words, all),
            _ => 0,
        }
    }

    /// The places of the policies whose scope leaves room for requests of this type.
    pub fn matching(&self, request_type: &RequestEnv) -> Vec<usize> {
        let policies = self.bundle.policies().iter().enumerate();
        policies.filter(|(_, policy)| self.can_match(&policy.policy, request_type)).map(|(at, _)| at).collect()
    }

    /// The same for the request type at this place.
    pub fn matching_at(&self, request_type: usize) -> &[usize] {
        self.tables()[0].get(request_type).map_or(&[], Vec::as_slice)
    }

    /// The places of the invariants whose scope leaves room for requests of the type at this place.
    pub fn invariants_at(&self, request_type: usize) -> &[usize] {
        self.tables()[1].get(request_type).map_or(&[], Vec::as_slice)
    }

    fn tables(&self) -> &[Vec<Vec<usize>>; 2] {
        self.tables.get_or_init(|| {
            let policies = self.bundle.policies().iter().map(|policy| &policy.policy);
            let invariants = self.invariants.iter().map(|invariant| &invariant.policy);
            [self.table(policies.zip(&self.reach)), self.table(invariants.zip(&self.invariant_reach))]
        })
    }

    fn table<'a>(&self, policies: impl Iterator<Item = (&'a Policy, &'a BTreeSet<EntityUid>)>) -> Vec<Vec<usize>> {
        let schema = self.bundle.schema().schema();
        let mut table = vec![Vec::new(); self.request_types.len()];
        for (at, (policy, reach)) in policies.enumerate() {
            let (mut principals, mut resources) = (BTreeMap::new(), BTreeMap::new());
            for (of, found) in self.request_types.iter().zip(&mut table) {
                let mut principal = || {
                    let known = principals.entry(of.principal());
                    *known.or_insert_with(|| scope::covers_principal(policy, of.principal(), schema))
                };
                let mut resource = || {
                    let known = resources.entry(of.resource());
                    *known.or_insert_with(|| scope::covers_resource(policy, of.resource(), schema))
                };
                if reach.contains(of.action()) && principal() && resource() {
                    found.push(at);
                }
            }
        }
        table
    }

    /// How many policies are asked about, from the first: the prelude's come last.
    pub fn asked(&self) -> usize {
        if self.asks_prelude { self.bundle.policies().len() } else { self.bundle.own().len() }
    }

    /// Whether a ban of the bundle is on actions of `never` alone: the prelude bars them, and the ban only gives them its words.
    pub fn repeats_never(&self, policy: usize) -> bool {
        let (found, reach) = (self.bundle.own().get(policy), self.reach.get(policy));
        let is_ban = found.is_some_and(|policy| policy.policy.effect() == Effect::Forbid);
        is_ban && reach.is_some_and(|reach| !reach.is_empty() && reach.iter().all(|a| self.in_group(a, groups::NEVER)))
    }

    /// Every action that can be asked for, sorted.
    pub fn actions(&self) -> Vec<&EntityUid> {
        self.asked_for.iter().collect()
    }
}

/// Why a policy that names so many things cannot be proved in time, if it cannot.
fn too_long(id: &str, policy: &Policy, words: usize) -> Option<String> {
    let deepest = expression::conditions(policy).iter().map(|(_, body)| expression::calculation_depth(body)).max();
    match deepest.unwrap_or_default() {
        _ if words > MOST_WORDS => Some(format!(
            "`{id}` names {words} things, and a proof takes {MOST_WORDS}: say it by a group or an attribute"
        )),
        deep if deep > DEEPEST_CALCULATION => Some(format!(
            "`{id}` calculates {deep} times with what a calculation gave, and a proof takes {DEEPEST_CALCULATION}: have the \
             result as an attribute"
        )),
        _ => None,
    }
}

/// Each name costs the solver time, at worst by its square.
const MOST_WORDS: usize = 1_000;
/// Each calculation with the result of another doubles what is asked of the solver: 10 take 0.9 s, 12 take 8 s.
const DEEPEST_CALCULATION: usize = 8;

/// What is in both, in thousandths of what is in either.
fn overlap(a: &BTreeSet<EntityUid>, b: &BTreeSet<EntityUid>) -> usize {
    a.intersection(b).count() * 1000 / a.union(b).count().max(1)
}

/// A request type as people read it: `Agent publish Page`.
pub fn request_type_name(request_type: &RequestEnv) -> String {
    let name = |name: &EntityTypeName| name.basename().to_owned();
    format!(
        "{} {} {}",
        name(request_type.principal()),
        request_type.action().id().escaped(),
        name(request_type.resource())
    )
}

/// The groups of actions that the prelude declares.
pub mod groups {
    /// Work that changes nothing.
    pub const NON_MUTATING: &str = "non_mutating";
    /// What no approval lifts.
    pub const NEVER: &str = "never";
    /// What changes something.
    pub const MUTATING: &str = "mutating";
    /// Judging approvals.
    pub const JUDGING: &str = "judging";
}
