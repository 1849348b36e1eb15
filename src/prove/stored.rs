//! Requests of a file that show at once what a solver would have to look for: that a policy matches, that a dropped one is missed.
//!
//! Each counts only where Cedar's own authorizer confirms it, so that nobody need trust the file.

use super::claim::Claim;
use crate::problem::Source;
use crate::subject::Subject;
use crate::subject::counterexample::{Case, Trial};
use crate::subject::{short, shrink};
use cedar_policy::{Entities, Policy, Request};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// The stored requests of one subject, by the place of their request type.
pub struct Stored<'a> {
    subject: &'a Subject,
    known: BTreeMap<usize, Vec<Known>>,
    /// What was found to be shown by some request, where that is to be written.
    found: Option<Mutex<Vec<Found>>>,
}

struct Known {
    line: String,
    request: Request,
    entities: Entities,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    request_type: usize,
    claim: Claim,
    line: Option<String>,
}

impl<'a> Stored<'a> {
    /// Reads a file of requests; a line that no longer fits the schema shows nothing.
    pub fn new(subject: &'a Subject, source: Option<&Source>, keeps: bool) -> Self {
        let mut stored = Self { subject, known: BTreeMap::new(), found: keeps.then(Mutex::default) };
        for line in source.iter().flat_map(|source| source.text().lines()) {
            let value = serde_json::from_str::<Value>(line).ok();
            if let Some((at, known)) = value.and_then(|value| stored.read(line, &short::whole(&value, subject)?)) {
                stored.known.entry(at).or_default().push(known);
            }
        }
        stored
    }

    fn read(&self, line: &str, case: &Case) -> Option<(usize, Known)> {
        let (request, entities) = case.read(self.subject)?;
        let [principal, action, resource] = &case.uids;
        let at = self.subject.request_types.iter().position(|of| {
            of.action() == action && of.principal() == principal.type_name() && of.resource() == resource.type_name()
        })?;
        Some((at, Known { line: line.to_owned(), request, entities }))
    }

    /// Whether a stored request of the type shows that the claim does not hold.
    pub fn refutes(&self, request_type: usize, claim: &Claim) -> bool {
        let Some((all, of)) = self.known.get(&request_type).zip(self.subject.request_types.get(request_type)) else {
            return false;
        };
        let keep = |policy: &Policy| self.subject.can_match(policy, of);
        let Ok(refuter) = claim.refuter(self.subject, keep) else { return false };
        let shown = all.iter().find(|known| refuter.shows(&known.request, &known.entities));
        if let Some((shown, found)) = shown.zip(self.found.as_ref()) {
            let line = Some(shown.line.clone());
            lock(found).push(Found { request_type, claim: claim.clone(), line });
        }
        shown.is_some()
    }

    /// Whether what the solver finds is to be kept.
    pub fn keeps(&self) -> bool {
        self.found.is_some()
    }

    /// Keeps what the solver found, made small.
    pub fn keep(&self, request_type: usize, claim: &Claim, case: Case) {
        let Some((found, of)) = self.found.as_ref().zip(self.subject.request_types.get(request_type)) else { return };
        let keep = |policy: &Policy| self.subject.can_match(policy, of);
        let Ok(refuter) = claim.refuter(self.subject, keep) else { return };
        let trial = Trial::new(self.subject, |request: &Request, entities: &Entities| refuter.shows(request, entities));
        if !trial.holds(&case) {
            return;
        }
        let small = shrink::shrink(case, self.subject, &|case| trial.holds(case));
        let line = short::short(&small, self.subject).map(|value| value.to_string());
        lock(found).push(Found { request_type, claim: claim.clone(), line });
    }

    /// The file with everything that was needed: of what was stored before as much as still shows something, and as little more as does.
    pub fn written(&self) -> String {
        let mut found: Vec<Found> =
            self.found.as_ref().map(|found| std::mem::take(&mut *lock(found))).unwrap_or_default();
        found.sort();
        let mut lines: BTreeSet<(usize, String)> = BTreeSet::new();
        let mut chosen: BTreeMap<usize, Vec<Known>> = BTreeMap::new();
        for one in found {
            let Some((line, of)) = one.line.zip(self.subject.request_types.get(one.request_type)) else { continue };
            let keep = |policy: &Policy| self.subject.can_match(policy, of);
            let Ok(refuter) = one.claim.refuter(self.subject, keep) else { continue };
            let chosen = chosen.entry(one.request_type).or_default();
            if chosen.iter().any(|known| refuter.shows(&known.request, &known.entities)) {
                continue;
            }
            let value = serde_json::from_str::<Value>(&line).ok();
            if let Some((_, known)) = value.and_then(|value| self.read(&line, &short::whole(&value, self.subject)?)) {
                chosen.push(known);
                lines.insert((one.request_type, line));
            }
        }
        lines.iter().fold(String::new(), |mut text, (_, line)| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
