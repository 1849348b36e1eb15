//! The new bundle allows a request that changes nothing and that the old one denies.
//!
//! ## What it finds
//!
//! As D01, for actions outside the groups `mutating`, `never` and `judging`.
//!
//! ## Why it matters
//!
//! A wider right to read can matter, but it cannot change production.
//!
//! ## Examples
//!
//! ```text
//! finding: one more lane may read reports
//! none:    nothing is newly allowed
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D02", "widened-harmless", Note, "widened_harmless.rs");
