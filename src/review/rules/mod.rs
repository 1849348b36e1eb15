//! The catalogue: every rule of every part, in the order of their numbers.

mod alive;
mod always;
mod invalid;
mod lift;
mod matrix_differs;
mod narrowed;
mod need;
mod never;
mod never_errors;
mod not_formatted;
mod request_type_changed;
mod uncovered_ban;
mod uncovered_permit;
mod unproved_counterexample;
mod vacuous_invariant;
mod widened;
mod widened_harmless;

use super::lint;
use super::rule::Rule;

pub use alive::RULE as ALIVE;
pub use always::RULE as ALWAYS;
pub use invalid::RULE as INVALID;
pub use lift::RULE as LIFT;
pub use matrix_differs::RULE as MATRIX_DIFFERS;
pub use narrowed::RULE as NARROWED;
pub use need::RULE as NEED;
pub use never::RULE as NEVER;
pub use never_errors::RULE as NEVER_ERRORS;
pub use not_formatted::RULE as NOT_FORMATTED;
pub use request_type_changed::RULE as REQUEST_TYPE_CHANGED;
pub use uncovered_ban::RULE as UNCOVERED_BAN;
pub use uncovered_permit::RULE as UNCOVERED_PERMIT;
pub use unproved_counterexample::RULE as UNPROVED_COUNTEREXAMPLE;
pub use vacuous_invariant::RULE as VACUOUS_INVARIANT;
pub use widened::RULE as WIDENED;
pub use widened_harmless::RULE as WIDENED_HARMLESS;

/// Every rule, by number: validate, lint, prove, coverage, diff, matrix.
pub fn all() -> Vec<&'static Rule> {
    let (first, rest) = OWN.split_at(2);
    first.iter().chain(lint::RULES.iter().map(|(rule, _)| rule)).chain(rest).collect()
}

/// The rule of this number or name.
pub fn find(name: &str) -> Option<&'static Rule> {
    all().into_iter().find(|rule| rule.number.eq_ignore_ascii_case(name) || rule.name == name)
}

static OWN: [Rule; 17] = [
    INVALID,
    NOT_FORMATTED,
    NEVER_ERRORS,
    NEVER,
    ALWAYS,
    LIFT,
    NEED,
    ALIVE,
    VACUOUS_INVARIANT,
    UNPROVED_COUNTEREXAMPLE,
    UNCOVERED_BAN,
    UNCOVERED_PERMIT,
    WIDENED,
    WIDENED_HARMLESS,
    NARROWED,
    REQUEST_TYPE_CHANGED,
    MATRIX_DIFFERS,
];
