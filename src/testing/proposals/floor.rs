//! Floors: a request that a permit alone allows, and of what is true there as little as proves that all like it are allowed.

use super::about;
use super::draft::Draft;
use crate::problem::{Problem, Source};
use crate::progress::{Observer, Phase};
use crate::prove::ProveOptions;
use crate::prove::claim::{Claim, Side, Which};
use crate::prove::workshop::Workshop;
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use crate::subject::invariant::{self, Invariant};
use crate::testing::matching::{atoms, text};
use cedar_policy::{EvalResult, Expression, Policy, PrincipalConstraint, ResourceConstraint, eval_expression};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};

/// What is proposed for one permit, or why nothing is.
type Floor = Result<Draft, String>;

/// A floor for each of these permits, by their places.
pub(super) fn floors(
    subject: &Subject,
    permits: &[usize],
    options: &ProveOptions,
    observer: &dyn Observer,
) -> Result<BTreeMap<usize, Floor>, Problem> {
    let mut floors: BTreeMap<usize, Floor> = BTreeMap::new();
    let mut open: BTreeMap<usize, (usize, Draft)> = BTreeMap::new();
    let shown = shown(subject, permits, options)?;
    for permit in permits {
        let draft = match shown.get(permit) {
            Some((kind, case)) => draft(subject, *permit, *kind, case).map(|draft| (*kind, draft)),
            None => Err("no request was found that is denied without it".to_owned()),
        };
        match draft {
            Ok(draft) => drop(open.insert(*permit, draft)),
            Err(why) => drop(floors.insert(*permit, Err(why))),
        }
    }
    let proved = held(subject, &open, options)?;
    for permit in open.keys().copied().filter(|permit| !proved.contains(permit)).collect::<Vec<_>>() {
        open.remove(&permit);
        let why = "that all requests like the one that was found are allowed could not be proved";
        floors.insert(permit, Err(why.to_owned()));
    }
    // The last conditions first: those of the permit itself come first, and stay if they can.
    let most = open.values().map(|(_, draft)| draft.conditions.len()).max().unwrap_or_default();
    let phase = Phase::new(observer, "floors", most);
    for at in (0..most).rev() {
        let shorter = open.iter().filter_map(|(permit, (kind, draft))| {
            let mut draft = draft.clone();
            (at < draft.conditions.len()).then(|| drop(draft.conditions.remove(at)))?;
            Some((*permit, (*kind, draft)))
        });
        let shorter: BTreeMap<usize, (usize, Draft)> = shorter.collect();
        let proved = held(subject, &shorter, options)?;
        open.extend(shorter.into_iter().filter(|(permit, _)| proved.contains(permit)));
        phase.advance();
    }
    floors.extend(open.into_iter().map(|(permit, (_, draft))| (permit, Ok(draft))));
    Ok(floors)
}

/// For each of these permits the first request type in which something is allowed, and denied without it; and what.
fn shown(
    subject: &Subject,
    permits: &[usize],
    options: &ProveOptions,
) -> Result<BTreeMap<usize, (usize, Case)>, Problem> {
    let all: Mutex<BTreeMap<(usize, usize), Case>> = Mutex::default();
    let matching = |kind: usize| permits.iter().filter(move |at| subject.matching_at(kind).contains(at));
    let kinds: Vec<usize> = (0..subject.request_types.len()).filter(|kind| matching(*kind).next().is_some()).collect();
    Workshop::new(subject, options).each(&kinds, None, |kind, bench, asker| {
        let Ok(bench) = bench else { return };
        for permit in matching(kind) {
            let side = |dropped| Side::Bundle(Which::Shipped, dropped);
            let found = bench.example(&Claim::Implies(side(None), side(Some(*permit))), asker).ok().flatten();
            if let Some(case) = found.and_then(|at| Case::of(&at.request, &at.entities)) {
                all.lock().unwrap_or_else(PoisonError::into_inner).insert((*permit, kind), case);
            }
        }
    })?;
    let mut first = BTreeMap::new();
    for ((permit, kind), case) in all.into_inner().unwrap_or_else(PoisonError::into_inner) {
        first.entry(permit).or_insert((kind, case));
    }
    Ok(first)
}

/// The floor that says of a request all that any policy looks at.
fn draft(subject: &Subject, permit: usize, kind: usize, case: &Case) -> Floor {
    let unreadable = || "the request that the solver found cannot be read back".to_owned();
    let policy = subject.bundle.policies().get(permit).ok_or_else(unreadable)?;
    let request_type = subject.request_types.get(kind).ok_or_else(unreadable)?;
    let (request, entities) = case.read(subject).ok_or_else(unreadable)?;
    let others = subject.matching_at(kind).iter().copied().filter(|at| *at != permit);
    let mut texts: Vec<String> = Vec::new();
    for at in std::iter::once(permit).chain(others) {
        let Some(policy) = subject.bundle.policies().get(at).map(|policy| &policy.policy) else { continue };
        let scope = scope(policy).into_iter().filter(|_| at != permit);
        for text in scope.chain(atoms(policy).iter().filter_map(text).map(|text| plain(&text))) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
    }
    let conditions = texts.into_iter().filter_map(|text| {
        match eval_expression(&request, &entities, &Expression::from_str(&text).ok()?).ok()? {
            EvalResult::Bool(true) => Some(format!("when {{ {text} }}")),
            EvalResult::Bool(false) => Some(format!("unless {{ {text} }}")),
            _ => None,
        }
    });
    let (principal, resource) = (request_type.principal(), request_type.resource());
    Ok(Draft {
        id: format!("{}-stays", policy.id()),
        says: format!("proposed: it allows as it does today: {}", about(subject, kind)),
        of: "shipped".to_owned(),
        effect: "permit",
        principal: match policy.policy.principal_constraint() {
            PrincipalConstraint::Eq(uid) => format!("principal == {uid}"),
            PrincipalConstraint::In(group) | PrincipalConstraint::IsIn(_, group) => {
                format!("principal is {principal} in {group}")
            }
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => format!("principal is {principal}"),
        },
        action: format!("action == {}", request_type.action()),
        resource: match policy.policy.resource_constraint() {
            ResourceConstraint::Eq(uid) => format!("resource == {uid}"),
            ResourceConstraint::In(group) | ResourceConstraint::IsIn(_, group) => {
                format!("resource is {resource} in {group}")
            }
            ResourceConstraint::Any | ResourceConstraint::Is(_) => format!("resource is {resource}"),
        },
        conditions: conditions.collect(),
        gate: None,
    })
}

/// What the scope of a policy asks of who asks and of what is touched.
fn scope(policy: &Policy) -> Vec<String> {
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid) => Some(format!("principal == {uid}")),
        PrincipalConstraint::In(group) | PrincipalConstraint::IsIn(_, group) => Some(format!("principal in {group}")),
        _ => None,
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Eq(uid) => Some(format!("resource == {uid}")),
        ResourceConstraint::In(group) | ResourceConstraint::IsIn(_, group) => Some(format!("resource in {group}")),
        _ => None,
    };
    principal.into_iter().chain(resource).collect()
}

/// An expression without the brackets that Cedar writes around each path.
fn plain(text: &str) -> String {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut text = text.to_owned();
    loop {
        let open = text.char_indices().filter(|(_, letter)| *letter == '(').find_map(|(open, _)| {
            let inner = text.get(open + 1..)?;
            let close = inner.find([')', '('])?;
            let path = inner.get(..close).filter(|_| inner.get(close..).is_some_and(|rest| rest.starts_with(')')))?;
            let is_call = text.get(..open)?.ends_with(is_word);
            let is_path = path.chars().all(|letter| is_word(letter) || letter == '.') && !path.is_empty();
            (is_path && !is_call).then_some((open, open + 1 + close))
        });
        let Some((open, close)) = open else { return text };
        text.remove(close);
        text.remove(open);
    }
}

/// Those of the floors that are valid, and whose every request the bundle allows, by proof.
fn held(
    subject: &Subject,
    floors: &BTreeMap<usize, (usize, Draft)>,
    options: &ProveOptions,
) -> Result<BTreeSet<usize>, Problem> {
    let schema = subject.bundle.schema();
    let mut invariants: Vec<Invariant> = Vec::new();
    // By request type, each permit and the place of its floor.
    let mut asked: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for (permit, (kind, draft)) in floors {
        let source = Source::new("proposed", draft.text());
        let Ok(parsed) = invariant::parse(&[source], schema) else { continue };
        asked.entry(*kind).or_default().push((*permit, invariants.len()));
        invariants.extend(parsed);
    }
    let with = Subject::new(subject.bundle.clone(), invariants)?;
    let kinds: Vec<usize> = asked.keys().copied().collect();
    let held: Mutex<BTreeSet<usize>> = Mutex::default();
    Workshop::new(&with, options).each(&kinds, None, |kind, bench, asker| {
        let Ok(bench) = bench else { return };
        for (permit, at) in asked.get(&kind).into_iter().flatten() {
            let claim = Claim::Implies(Side::Invariant(*at), Side::Bundle(Which::Shipped, None));
            if bench.holds(&claim, asker) == Ok(true) {
                held.lock().unwrap_or_else(PoisonError::into_inner).insert(*permit);
            }
        }
    })?;
    Ok(held.into_inner().unwrap_or_else(PoisonError::into_inner))
}
