//! One request type on the bench: its policies compiled once, and claims about it asked.

use super::asking::Asker;
use super::claim::{Claim, One, Side};
use super::stored::Stored;
use crate::subject::Subject;
use crate::subject::counterexample::Case;
use cedar_policy::RequestEnv;
use cedar_policy_symcc::{
    CompiledPolicy, CompiledPolicySet, CompiledSchema, Env, SymEnv, WellFormedAsserts, always_matches_asserts,
    implies_asserts, matches_disjoint_asserts, matches_implies_asserts, never_errors_asserts, never_matches_asserts,
};
use std::collections::BTreeMap;

/// Everything compiled for one request type so far.
pub struct Bench<'a> {
    subject: &'a Subject,
    at: usize,
    request_type: &'a RequestEnv,
    symbols: SymEnv,
    singles: BTreeMap<One, CompiledPolicy>,
    sets: BTreeMap<Side, CompiledPolicySet>,
}

impl<'a> Bench<'a> {
    /// A bench for one request type of the subject's schema, by its place.
    pub fn new(subject: &'a Subject, schema: &CompiledSchema, at: usize) -> Result<Self, String> {
        let request_type = subject.request_types.get(at).ok_or("the request type is not there")?;
        let symbols = schema.sym_env(request_type).map_err(|error| error.to_string())?;
        Ok(Self { subject, at, request_type, symbols, singles: BTreeMap::new(), sets: BTreeMap::new() })
    }

    /// Whether some request shows that the claim does not hold: a stored one, else one that the solver knows of.
    pub fn refutes(&mut self, claim: &Claim, stored: &Stored<'_>, asker: &mut Asker<'_>) -> Result<bool, String> {
        if stored.refutes(self.at, claim) {
            asker.was_shown();
            return Ok(true);
        }
        let holds = self.holds(claim, asker)?;
        if !holds && stored.keeps() {
            let found = self.example(claim, asker)?;
            let case = found.and_then(|found| Case::of(&found.request, &found.entities));
            case.into_iter().for_each(|case| stored.keep(self.at, claim, case));
        }
        Ok(!holds)
    }

    /// Whether the claim holds; `Err` says why that is not known.
    pub fn holds(&mut self, claim: &Claim, asker: &mut Asker<'_>) -> Result<bool, String> {
        self.compile(claim)?;
        asker.unsatisfiable(&self.asserts(claim)?)
    }

    /// A request and entities at which the claim does not hold.
    pub fn example(&mut self, claim: &Claim, asker: &mut Asker<'_>) -> Result<Option<Env>, String> {
        self.compile(claim)?;
        asker.example(&self.asserts(claim)?)
    }

    fn compile(&mut self, claim: &Claim) -> Result<(), String> {
        match claim {
            Claim::Implies(left, right) => {
                self.compile_set(left)?;
                self.compile_set(right)
            }
            Claim::Disjoint(a, b) | Claim::Within(a, b) => {
                self.compile_single(*a)?;
                self.compile_single(*b)
            }
            Claim::NeverFails(one) | Claim::NeverMatches(one) | Claim::AlwaysMatches(one) => self.compile_single(*one),
        }
    }

    fn compile_set(&mut self, side: &Side) -> Result<(), String> {
        if !self.sets.contains_key(side) {
            let (subject, request_type) = (self.subject, self.request_type);
            // What cannot match requests of this type need not be typed and compiled for it.
            let policies = side.policies(subject, |policy| subject.can_match(policy, request_type))?;
            let long = policies.policies().find_map(|policy| subject.unprovable(policy.id().as_ref()));
            long.map_or(Ok(()), Err)?;
            let schema = subject.bundle.schema().schema();
            let compiled =
                CompiledPolicySet::compile_with_custom_symenv(&policies, request_type, schema, self.symbols.clone());
            self.sets.insert(side.clone(), compiled.map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    fn compile_single(&mut self, one: One) -> Result<(), String> {
        if !self.singles.contains_key(&one) {
            let policy = one.policy(self.subject).ok_or("the policy is not there")?;
            self.subject.unprovable(policy.id().as_ref()).map_or(Ok(()), Err)?;
            let schema = self.subject.bundle.schema().schema();
            let compiled =
                CompiledPolicy::compile_with_custom_symenv(policy, self.request_type, schema, self.symbols.clone());
            self.singles.insert(one, compiled.map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    fn asserts(&self, claim: &Claim) -> Result<WellFormedAsserts<'_>, String> {
        let set = |side| self.sets.get(side).ok_or("a policy set was not compiled");
        let single = |one| self.singles.get(one).ok_or("a policy was not compiled");
        Ok(match claim {
            Claim::Implies(left, right) => implies_asserts(set(left)?, set(right)?),
            Claim::Disjoint(a, b) => matches_disjoint_asserts(single(a)?, single(b)?),
            Claim::Within(a, b) => matches_implies_asserts(single(a)?, single(b)?),
            Claim::NeverFails(one) => never_errors_asserts(single(one)?),
            Claim::NeverMatches(one) => never_matches_asserts(single(one)?),
            Claim::AlwaysMatches(one) => always_matches_asserts(single(one)?),
        })
    }
}
