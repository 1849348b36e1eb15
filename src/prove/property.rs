//! Which claims stand for which property, per request type; what a property is called.

use super::claim::{Claim, One, Side, Which};
use super::explain;
use crate::findings::rule::Rule;
use crate::findings::rules;
use crate::subject::invariant::Asked;
use crate::subject::{Subject, truth};
use cedar_policy::{Effect, RequestEnv};

/// Something proved or refuted over all request types.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Property {
    /// The bundle's policy never fails to evaluate.
    NeverFails(usize),
    /// One question of an invariant: its place and that of the question.
    Invariant(usize, usize),
    /// The bundle's policy matches something.
    Alive(usize),
    /// The invariant matches something.
    InvariantAlive(usize),
    /// The bundle's permit, whose scope leaves out nobody and nothing, leaves something out by its conditions.
    Conditional(usize),
}

impl Property {
    /// The rule that a refutation falls under.
    pub fn rule(self, subject: &Subject) -> &'static Rule {
        match self {
            Self::NeverFails(_) => &rules::NEVER_ERRORS,
            Self::Alive(_) => &rules::ALIVE,
            Self::InvariantAlive(_) => &rules::VACUOUS_INVARIANT,
            Self::Conditional(_) => &rules::UNCONDITIONAL,
            Self::Invariant(..) => match self.asked(subject).map(Asked::kind) {
                Some("always") => &rules::ALWAYS,
                Some("lift") => &rules::LIFT,
                Some("need") => &rules::NEED,
                _ => &rules::NEVER,
            },
        }
    }

    /// The question of an invariant.
    pub fn asked(self, subject: &Subject) -> Option<&Asked> {
        match self {
            Self::Invariant(index, question) => subject.invariants.get(index)?.asked.get(question),
            _ => None,
        }
    }

    /// The id of the policy or invariant it is about.
    pub fn about(self, subject: &Subject) -> &str {
        let id = match self {
            Self::NeverFails(index) | Self::Alive(index) | Self::Conditional(index) => {
                subject.bundle.policies().get(index).map(|p| p.id())
            }
            Self::Invariant(index, _) | Self::InvariantAlive(index) => {
                subject.invariants.get(index).map(|invariant| invariant.id.as_str())
            }
        };
        id.unwrap_or_default()
    }

    /// A name that is unique in one proof: `never of bans: no-hard-delete`.
    pub fn name(self, subject: &Subject) -> String {
        let about = self.about(subject);
        match self.asked(subject) {
            Some(asked) => format!("{} of {}: {about}", asked.kind(), asked.of()),
            None => format!("{}: {about}", self.rule(subject).name),
        }
    }

    /// Whether one request type at which the claim fails is what the property wants.
    pub fn wants_a_match(self) -> bool {
        matches!(self, Self::Alive(_) | Self::InvariantAlive(_) | Self::Conditional(_))
    }
}

impl Property {
    /// Whether one request type settles it: an invariant need match something somewhere, and so need a policy that says itself where
    /// it is meant to.
    pub fn is_settled_once(self, subject: &Subject) -> bool {
        match self {
            Self::Alive(at) => subject.bundle.policies().get(at).is_none_or(explain::says_where),
            Self::InvariantAlive(_) | Self::Conditional(_) => true,
            _ => false,
        }
    }

    /// The claim that must fail somewhere: that what it is about matches nothing, or everything.
    pub fn alive(self) -> Option<Claim> {
        match self {
            Self::Alive(at) => Some(Claim::NeverMatches(One::Policy(at))),
            Self::InvariantAlive(at) => Some(Claim::NeverMatches(One::Invariant(at))),
            Self::Conditional(at) => Some(Claim::AlwaysMatches(One::Policy(at))),
            _ => None,
        }
    }

    /// Whether what it is about can match requests of this type, by its scope.
    pub fn concerns(self, subject: &Subject, request_type: usize) -> bool {
        match self {
            Self::Alive(at) | Self::NeverFails(at) | Self::Conditional(at) => {
                subject.matching_at(request_type).contains(&at)
            }
            Self::InvariantAlive(at) | Self::Invariant(at, _) => subject.invariants_at(request_type).contains(&at),
        }
    }
}

/// Every property of the subject, in a stable order.
pub fn all(subject: &Subject) -> Vec<Property> {
    let policies = 0..subject.asked();
    let invariants = subject.invariants.iter().enumerate();
    let asked =
        invariants.flat_map(|(at, invariant)| (0..invariant.asked.len()).map(move |n| Property::Invariant(at, n)));
    let stated = subject.invariants.iter().enumerate().filter(|(_, invariant)| !invariant.is_promise);
    let conditional = policies.clone().filter(|at| is_open(subject, *at)).map(Property::Conditional);
    policies
        .clone()
        .map(Property::NeverFails)
        .chain(asked)
        .chain(policies.map(Property::Alive))
        .chain(stated.map(|(at, _)| Property::InvariantAlive(at)))
        .chain(conditional)
        .collect()
}

/// Whether only the conditions of a permit keep anybody out, and their text does not say already that they never do.
fn is_open(subject: &Subject, at: usize) -> bool {
    subject.bundle.policies().get(at).map(|policy| &policy.policy).is_some_and(|policy| {
        policy.effect() == Effect::Permit
            && truth::is_for_all(policy, subject)
            && !truth::always_passes(policy, subject)
    })
}

/// A claim that a property rests on, for one request type.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whose it is.
    pub property: Property,
    /// Claims that each imply the claim and are likely to hold and quick to decide: they are tried first.
    pub hints: Vec<Claim>,
    /// What must hold.
    pub claim: Claim,
    /// A claim that fails only where the whole bundle allows what it must not: the better example, where there is one.
    pub opening: Option<Claim>,
}

impl Question {
    /// A question without hints.
    pub fn plain(property: Property, claim: Claim) -> Self {
        Self { property, hints: Vec::new(), claim, opening: None }
    }
}

/// What must be asked about requests of one type, by its place, beside what is settled once.
pub fn questions(subject: &Subject, at: usize) -> Vec<Question> {
    let mut questions = Vec::new();
    let Some(request_type) = subject.request_types.get(at) else { return questions };
    let mut push = |property, hints, claim| {
        let opening = match property {
            Property::Invariant(at, _) => opening(subject, property, at),
            _ => None,
        };
        questions.push(Question { property, hints, claim, opening });
    };
    let (matching, invariants) = (subject.matching_at(at), subject.invariants_at(at));
    for at in matching.iter().filter(|at| **at < subject.asked()) {
        push(Property::NeverFails(*at), Vec::new(), Claim::NeverFails(One::Policy(*at)));
        if !Property::Alive(*at).is_settled_once(subject) {
            push(Property::Alive(*at), Vec::new(), Claim::NeverMatches(One::Policy(*at)));
        }
    }
    for (at, invariant) in invariants.iter().filter_map(|at| Some((*at, subject.invariants.get(*at)?))) {
        for (number, asked) in invariant.asked.iter().enumerate() {
            for (hints, claim) in ask(subject, request_type, matching, at, asked) {
                push(Property::Invariant(at, number), hints, claim);
            }
        }
    }
    questions
}

/// One question of an invariant, in the smallest claims that say the same: a solver is fast on many small ones.
///
/// The bundle allows a request if a permit matches and no ban does. So a floor lies within the permits and is disjoint
/// from each ban, and a ceiling of the permits is disjoint from each of them. Two policies are disjoint if one is from a
/// single condition of the other, and a ceiling of bans holds if one ban alone keeps it.
fn ask(
    subject: &Subject,
    request_type: &RequestEnv,
    matching: &[usize],
    invariant: usize,
    asked: &Asked,
) -> Vec<(Vec<Claim>, Claim)> {
    let one = One::Invariant(invariant);
    let which = judged(asked);
    let judges = |which: &Which| {
        let has = |at: &usize| {
            let policy = subject.bundle.policies().get(*at);
            policy.is_some_and(|policy| which.has(policy.policy.effect(), policy.annotations.tier.as_ref()))
        };
        matching.iter().copied().filter(has).collect::<Vec<_>>()
    };
    let apart = |which: &Which| {
        let disjoint = judges(which).into_iter().map(|at| {
            let clauses = subject.closest_clauses(at, invariant).into_iter().take(HINTS);
            let hints = clauses.map(|clause| Claim::Disjoint(One::Policy(at), One::Clause(invariant, clause)));
            (hints.collect(), Claim::Disjoint(One::Policy(at), one))
        });
        disjoint.collect::<Vec<_>>()
    };
    match asked {
        Asked::Always => {
            let mut claims = apart(&Which::Bans);
            let permits = Side::Bundle(Which::Permits, None);
            claims.push((Vec::new(), Claim::Implies(Side::Invariant(invariant), permits)));
            claims
        }
        Asked::AlwaysByBans | Asked::NeverByPermits | Asked::Lift(_) => apart(&which),
        Asked::NeverByBans | Asked::Need(_) | Asked::Never => {
            let closest = subject.closest_ban(&judges(&which), invariant, request_type.action());
            let hints = closest.map(|(ban, _)| Claim::Within(one, One::Policy(ban)));
            vec![(hints.into_iter().collect(), Claim::Implies(Side::Bundle(which, None), Side::Invariant(invariant)))]
        }
    }
}

/// Whatever the whole bundle allows, the ceiling allows.
fn opening(subject: &Subject, property: Property, invariant: usize) -> Option<Claim> {
    match property.asked(subject)? {
        Asked::NeverByBans | Asked::NeverByPermits | Asked::Need(_) => {
            Some(Claim::Implies(Side::Bundle(Which::Shipped, None), Side::Invariant(invariant)))
        }
        _ => None,
    }
}

/// The policies that an invariant is asked of.
pub fn judged(asked: &Asked) -> Which {
    match asked {
        Asked::NeverByBans | Asked::AlwaysByBans => Which::Bans,
        Asked::NeverByPermits => Which::Permits,
        Asked::Need(gate) | Asked::Lift(gate) => Which::Approvals(gate.clone()),
        Asked::Never | Asked::Always => Which::Shipped,
    }
}

/// How many hints are tried before the claim itself.
const HINTS: usize = 2;
