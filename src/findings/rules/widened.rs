//! The new bundle allows a mutating request that the old one denies.
//!
//! ## What it finds
//!
//! Per request type, the solver looks for a request that OLD denies and NEW allows, and shows one.
//!
//! ## Why it matters
//!
//! This is what a reviewer must see before a merge; `--allow-widening` says that it is meant.
//!
//! ## Examples
//!
//! ```text
//! finding: `<=` became `<` in an expiry check
//! none:    nothing mutating is newly allowed
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D01", "widened", Error, "widened.rs");
