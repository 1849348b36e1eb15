//! A floor that does not hold: something is denied that must stay allowed.
//!
//! ## What it finds
//!
//! A `permit` among the invariants that the bundle denies at some request. `@of("bans")`: some ban matches it.
//!
//! ## Why it matters
//!
//! A rule that is too strict is worked around, and a switch that cannot be turned off is dangerous.
//!
//! ## Examples
//!
//! ```text
//! finding: a ban on `set_switch` that forgets `context.to` also bars turning it off
//! none:    everything that the floor describes is allowed
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P03", "always", Error, "always.rs");
