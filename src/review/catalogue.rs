//! The catalogue: every rule of every part, in the order of their numbers.

use crate::findings::rule::Rule;
use crate::findings::rules;
use crate::lint;

/// Every rule, by number: validate, lint, prove, coverage, diff, matrix.
pub fn all() -> Vec<&'static Rule> {
    let (first, rest) = OWN.split_at(3);
    first.iter().chain(lint::RULES.iter().map(|(rule, _)| rule)).chain(rest).collect()
}

/// The rule of this number or name.
pub fn find(name: &str) -> Option<&'static Rule> {
    all().into_iter().find(|rule| rule.number.eq_ignore_ascii_case(name) || rule.name == name)
}

static OWN: [Rule; 34] = [
    rules::INVALID,
    rules::NOT_FORMATTED,
    rules::NOT_REVIEWED,
    rules::NEVER_ERRORS,
    rules::NEVER,
    rules::ALWAYS,
    rules::LIFT,
    rules::NEED,
    rules::ALIVE,
    rules::VACUOUS_INVARIANT,
    rules::UNPROVED_COUNTEREXAMPLE,
    rules::UNCONDITIONAL,
    rules::UNCOVERED_BAN,
    rules::UNCOVERED_PERMIT,
    rules::SHADOWED,
    rules::OVERRIDDEN,
    rules::WIDENED,
    rules::WIDENED_ELSEWHERE,
    rules::NARROWED,
    rules::REQUEST_TYPE_CHANGED,
    rules::POLICY_CHANGED,
    rules::POLICY_WEAKENED,
    rules::AUTHORITY_WIDENED,
    rules::INVARIANT_WEAKENED,
    rules::SETTINGS_CHANGED,
    rules::AUTHORITY_NARROWED,
    rules::FACTS_CHANGED,
    rules::SCHEMA_CHANGED,
    rules::SOURCE_LOWERED,
    rules::MATRIX_DIFFERS,
    rules::WRITABLE_FACT,
    rules::UNRESTRICTED_EFFECT,
    rules::WORK_OF_TWO_ACTIONS,
    rules::SURVIVING_MUTANT,
];
