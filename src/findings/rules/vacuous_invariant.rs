//! An invariant that describes no request, so that it holds whatever the bundle says.
//!
//! ## What it finds
//!
//! An invariant that no request of any type matches.
//!
//! ## Why it matters
//!
//! A property that cannot fail proves nothing, and its title says it does.
//!
//! ## Examples
//!
//! ```text
//! finding: `forbid (...) when { context.to } unless { context.to }`
//! none:    at least one request matches
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P07", "vacuous-invariant", Error, "vacuous_invariant.rs");
