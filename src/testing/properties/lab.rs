//! Requests of each type looked at: what matches, near which seed, and step by step away from it.

use super::build;
use super::conditions::{self, Condition};
use super::places::{locate, read};
use super::seeds::{Near, Seed};
use crate::decision::{Answer, ask};
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::subject::invariant::Invariant;
use crate::testing::matching::{Matched, Reporters};
use cedar_policy::{Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, Request, RequestEnv};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::Index;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that is asked about requests, made ready once.
pub(crate) struct Lab<'a> {
    pub(crate) subject: &'a Subject,
    /// By the place of the request type.
    kinds: Vec<Kind>,
    conditions: BTreeMap<Near, Vec<Condition>>,
    /// Values of what may be absent, by request type and path.
    pool: BTreeMap<(usize, String), Vec<Value>>,
    /// The whole bundle, in the order of the files and the other way round.
    orders: [PolicySet; 2],
    /// The whole bundle, and one more policy that errs.
    erring: Vec<PolicySet>,
    /// How the runtime judges.
    judge: Judge,
}

/// What comes of a request.
type Judge = fn(&Authorizer, &Request, &PolicySet, &Entities) -> Answer;

/// One request type.
struct Kind {
    near: Vec<Near>,
    /// Whether any permit can match it.
    is_permitted: bool,
    reporters: Reporters,
}

/// A request among entities that conforms to the schema.
#[derive(Clone)]
pub(crate) struct World {
    /// The place of its request type.
    pub(crate) kind: usize,
    pub(crate) case: Case,
    pub(crate) request: Request,
    pub(crate) entities: Arc<Entities>,
}

/// What matches a request, by place.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Seen {
    pub(crate) policies: BTreeSet<usize>,
    pub(crate) invariants: BTreeSet<usize>,
    /// Policies of the bundle that err.
    pub(crate) errors: BTreeSet<usize>,
}

impl Seen {
    /// The places of the policies of one effect that match.
    pub(crate) fn of(&self, subject: &Subject, effect: Effect) -> Vec<usize> {
        let is = |at: &&usize| subject.bundle.policies().get(**at).is_some_and(|p| p.policy.effect() == effect);
        self.policies.iter().filter(is).copied().collect()
    }

    /// The same where one policy matches, or does not.
    pub(crate) fn with(&self, policy: usize, matches: bool) -> Self {
        let mut changed = self.clone();
        if matches {
            changed.policies.insert(policy);
        } else {
            changed.policies.remove(&policy);
        }
        changed
    }

    /// Whether the whole bundle allows it; what fails to evaluate is never allowed.
    pub(crate) fn allows(&self, subject: &Subject) -> bool {
        self.errors.is_empty()
            && !self.of(subject, Effect::Permit).is_empty()
            && self.of(subject, Effect::Forbid).is_empty()
    }
}

/// Where a walk goes: from which seed, and which change of which condition at each step.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    from: Index,
    steps: Vec<(Index, Index)>,
}

impl<'a> Lab<'a> {
    /// Makes everything ready; the seeds give values of what may be absent.
    pub(crate) fn new(subject: &'a Subject, seeds: &[Seed]) -> Self {
        let policies = subject.bundle.policies().iter().enumerate();
        // What asks nothing is a guard, and was only for the solver.
        let is_asked = |invariant: &Invariant| !invariant.asked.is_empty() && !invariant.is_promise;
        let invariants = subject.invariants.iter().enumerate().filter(|(_, invariant)| is_asked(invariant));
        let mut all: Vec<(Near, &Policy)> = policies.map(|(at, policy)| (Near::Policy(at), &policy.policy)).collect();
        all.extend(invariants.map(|(at, invariant)| (Near::Invariant(at), &invariant.policy)));
        let kind = |request_type: &RequestEnv| {
            let near: Vec<_> = all.iter().filter(|(_, policy)| subject.can_match(policy, request_type)).collect();
            let is_permitted =
                near.iter().any(|(near, policy)| matches!(near, Near::Policy(_)) && policy.effect() == Effect::Permit);
            Kind {
                is_permitted,
                near: near.iter().map(|(near, _)| *near).collect(),
                reporters: Reporters::new(near.iter().map(|(near, policy)| (name(*near), *policy))),
            }
        };
        let kinds: Vec<Kind> = subject.request_types.iter().map(kind).collect();
        let conditions: BTreeMap<Near, Vec<Condition>> =
            all.iter().map(|(near, policy)| (*near, conditions::of_policy(policy))).collect();
        let set = |policies: &mut dyn Iterator<Item = Policy>| PolicySet::from_policies(policies).unwrap_or_default();
        let shipped = || subject.bundle.policies().iter().map(|policy| policy.policy.clone());
        let orders = [set(&mut shipped()), set(&mut shipped().rev())];
        let erring = ERRING.iter().filter_map(|text| {
            let mut all = set(&mut shipped());
            all.add(Policy::parse(Some(PolicyId::new(ERRS)), *text).ok()?).ok()?;
            Some(all)
        });
        let erring = erring.collect();
        let mut lab = Self { subject, kinds, conditions, pool: BTreeMap::new(), orders, erring, judge: ask };
        for (at, kind) in lab.kinds.iter().enumerate() {
            let own = || seeds.iter().filter(|seed| seed.kind == at);
            let of_kind = kind.near.iter().filter_map(|near| lab.conditions.get(near)).flatten();
            let asked: BTreeSet<String> = of_kind.filter_map(Condition::asked_for).collect();
            for path in asked {
                let mut values: Vec<Value> = Vec::new();
                for seed in own() {
                    let value = locate(&seed.case, &path).and_then(|place| read(&seed.case, &place).cloned());
                    values.extend(value.filter(|value| values.len() < POOL && !values.contains(value)));
                }
                lab.pool.insert((at, path), values);
            }
        }
        lab
    }

    /// A case as a request and entities, if it conforms to the schema; entities that stay as they were are not read again.
    pub(crate) fn world(&self, kind: usize, case: Case, before: Option<&World>) -> Option<World> {
        let request = build::request(&case, self.subject)?;
        let entities = match before.filter(|before| before.case.entities == case.entities) {
            Some(before) => Arc::clone(&before.entities),
            None => Arc::new(build::entities(&case, self.subject)?),
        };
        Some(World { kind, case, request, entities })
    }

    /// The place of the type of a request.
    pub(crate) fn kind_of(&self, case: &Case) -> Option<usize> {
        let [principal, action, resource] = &case.uids;
        self.subject.request_types.iter().position(|of| {
            of.principal() == principal.type_name() && of.action() == action && of.resource() == resource.type_name()
        })
    }

    /// What matches.
    pub(crate) fn look(&self, world: &World) -> Seen {
        let Some(kind) = self.kinds.get(world.kind) else { return Seen::default() };
        let Matched { matched, errors } = kind.reporters.ask(&world.request, &world.entities);
        let places = |names: &BTreeSet<String>, letter: char| {
            names.iter().filter_map(|name| name.strip_prefix(letter)?.parse().ok()).collect()
        };
        Seen { policies: places(&matched, 'p'), invariants: places(&matched, 'i'), errors: places(&errors, 'p') }
    }

    /// What the whole bundle decides and by which policies, in the order of the files and the other way round.
    pub(crate) fn decided(&self, world: &World) -> [(Decision, BTreeSet<String>); 2] {
        self.orders.each_ref().map(|set| {
            let response = Authorizer::new().is_authorized(&world.request, set, &world.entities);
            (response.decision(), response.diagnostics().reason().map(ToString::to_string).collect())
        })
    }

    /// Whether it is denied where a permit, or a ban, errs beside all others.
    pub(crate) fn denies_beside_errors(&self, world: &World) -> bool {
        let denies = |set: &PolicySet| {
            let answer = (self.judge)(&Authorizer::new(), &world.request, set, &world.entities);
            !answer.errors.is_empty() && !answer.allows()
        };
        self.erring.len() == ERRING.len() && self.erring.iter().all(denies)
    }

    /// What would match after a change of the case.
    pub(crate) fn look_after(&self, world: &World, change: impl FnOnce(&mut Case)) -> Option<Seen> {
        let mut case = world.case.clone();
        change(&mut case);
        self.world(world.kind, case, Some(world)).map(|world| self.look(&world))
    }

    /// Every condition of what can match requests of this type.
    pub(crate) fn conditions(&self, kind: usize) -> impl Iterator<Item = &Condition> {
        let near = self.kinds.get(kind).map(|kind| kind.near.as_slice()).unwrap_or_default();
        near.iter().filter_map(|near| self.conditions.get(near)).flatten()
    }

    /// The conditions that matter near a seed: its own, and those that read what its own read; near a permit or a floor
    /// that is allowed, all.
    fn conditions_near(&self, seed: &Seed, seen: &Seen) -> Vec<&Condition> {
        let own = self.conditions.get(&seed.near).map(Vec::as_slice).unwrap_or_default();
        let policy = match seed.near {
            Near::Policy(at) => self.subject.bundle.policies().get(at).map(|policy| policy.policy.effect()),
            Near::Invariant(at) => self.subject.invariants.get(at).map(|invariant| invariant.policy.effect()),
        };
        if policy == Some(Effect::Permit) && seen.allows(self.subject) {
            return self.conditions(seed.kind).collect();
        }
        if !self.kinds.get(seed.kind).is_some_and(|kind| kind.is_permitted) {
            // Nothing that changes there opens anything.
            return own.iter().collect();
        }
        let paths: BTreeSet<&String> = own.iter().flat_map(|condition| &condition.paths).collect();
        self.conditions(seed.kind).filter(|condition| condition.paths.iter().any(|path| paths.contains(path))).collect()
    }

    /// A seed, and each case that one change of one condition makes of it; where `twice`, two changes of its own conditions.
    pub(crate) fn neighbours(&self, seed: &Seed, twice: bool, see: &mut dyn FnMut(&World)) {
        let Some(origin) = self.world(seed.kind, seed.case.clone(), None) else { return };
        see(&origin);
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut step = |from: &World, conditions: &[&Condition]| -> Vec<World> {
            let mut reached = Vec::new();
            for case in conditions.iter().flat_map(|condition| self.moves(condition, from)) {
                if known.insert(format!("{:?}{}{}", case.uids, case.context, case.entities))
                    && let Some(world) = self.world(seed.kind, case, Some(from))
                {
                    see(&world);
                    reached.push(world);
                }
            }
            reached
        };
        let own: Vec<&Condition> = self.conditions.get(&seed.near).into_iter().flatten().filter(|_| twice).collect();
        for world in step(&origin, &own) {
            step(&world, &own);
        }
        step(&origin, &self.conditions_near(seed, &self.look(&origin)));
    }

    /// A seed, and each case that one change of a condition makes of it that reads what the policy or invariant reads.
    pub(crate) fn neighbours_of(&self, seed: &Seed, near: Near, see: &mut dyn FnMut(&World)) {
        let Some(origin) = self.world(seed.kind, seed.case.clone(), None) else { return };
        see(&origin);
        for case in self.own_moves(near, &origin) {
            if let Some(world) = self.world(seed.kind, case, Some(&origin)) {
                see(&world);
            }
        }
    }

    /// Each case that one change of a condition of its own makes of a world.
    pub(crate) fn own_moves(&self, near: Near, from: &World) -> Vec<Case> {
        let own = self.conditions.get(&near).map(Vec::as_slice).unwrap_or_default();
        own.iter().flat_map(|condition| self.moves(condition, from)).collect()
    }

    fn moves(&self, condition: &Condition, world: &World) -> Vec<Case> {
        let pool = |path: &str| self.pool.get(&(world.kind, path.to_owned())).cloned().unwrap_or_default();
        condition.moves(world, self.subject, &pool)
    }

    /// So many walks, which are the same for the same number.
    pub(crate) fn walks(cases: usize, random: u64) -> Vec<Walk> {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(random.to_le_bytes()).for_each(|(byte, of)| *byte = of);
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = (any::<Index>(), vec(any::<(Index, Index)>(), 2..=STEPS));
        let walk = |_| strategy.new_tree(&mut runner).ok().map(|tree| tree.current());
        (0..cases).filter_map(walk).map(|(from, steps)| Walk { from, steps }).collect()
    }

    /// Goes one walk, and shows every case on the way.
    pub(crate) fn walk(&self, seeds: &[Seed], walk: &Walk, see: &mut dyn FnMut(&World)) {
        if seeds.is_empty() {
            return;
        }
        let Some(seed) = seeds.get(walk.from.index(seeds.len())) else { return };
        let Some(mut world) = self.world(seed.kind, seed.case.clone(), None) else { return };
        let conditions: Vec<&Condition> = self.conditions(seed.kind).collect();
        for (which, change) in walk.steps.iter().filter(|_| !conditions.is_empty()) {
            let Some(condition) = conditions.get(which.index(conditions.len())) else { continue };
            let mut cases = self.moves(condition, &world);
            if cases.is_empty() {
                continue;
            }
            let case = cases.swap_remove(change.index(cases.len()));
            if let Some(next) = self.world(seed.kind, case, Some(&world)) {
                see(&next);
                world = next;
            }
        }
    }
}

fn name(near: Near) -> String {
    match near {
        Near::Policy(at) => format!("p{at}"),
        Near::Invariant(at) => format!("i{at}"),
    }
}

/// No `@id` can be this.
const ERRS: &str = "one that errs";
/// A sum that is too large.
const ERRING: [&str; 2] = [
    "permit (principal, action, resource) when { 9223372036854775807 + 1 > 0 };",
    "forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };",
];
/// How many values of what may be absent are kept.
const POOL: usize = 3;
/// How many steps a walk has at most.
const STEPS: usize = 5;

#[cfg(test)]
mod tests {
    use super::super::kept::{Property, Verdict};
    use super::*;
    use crate::digest::Listing;
    use crate::policy::{BundleSources, PolicyBundle};
    use crate::problem::{Problems, Source};
    use serde_json::json;

    /// As Cedar itself judges: what errs is skipped, and nothing is said of it.
    fn skips_errors(authorizer: &Authorizer, request: &Request, set: &PolicySet, entities: &Entities) -> Answer {
        Answer { errors: Vec::new(), ..ask(authorizer, request, set, entities) }
    }

    #[test]
    fn a_judge_that_skips_what_errs_is_found_by_the_property_that_an_error_denies() {
        let sources = BundleSources {
            schemas: vec![Source::new("a.cedarschema", "entity A; action a appliesTo { principal: A, resource: A };")],
            policies: vec![Source::new("a.cedar", "permit (principal, action, resource);")],
            signers: None,
            people: Vec::new(),
            config: None,
            listing: Listing::new([]),
            name: "policies".to_owned(),
        };
        let bundle = PolicyBundle::plain(&sources, &mut Problems::new()).unwrap();
        let subject = Subject::new(bundle, Vec::new()).unwrap();
        let uids = ["A::\"a\"", "Action::\"a\"", "A::\"a\""].map(|uid| uid.parse().unwrap());
        let mut lab = Lab::new(&subject, &[]);
        let world = lab.world(0, Case { uids, context: json!({}), entities: json!([]) }, None).unwrap();
        let seen = lab.look(&world);
        assert!(seen.allows(&subject));
        let judges: [(Judge, Verdict); 2] = [(ask, Verdict::Holds), (skips_errors, Verdict::Fails)];
        for (judge, verdict) in judges {
            lab.judge = judge;
            assert_eq!(Property::ErrorDenies.judge(&lab, &world, &seen), verdict);
        }
    }
}
