//! The rules of all parts but lint, whose rules lie beside their checks. One file a rule; its doc comment is its page.

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
