//! An invariant that is gone, or says something else.
//!
//! ## What it finds
//!
//! A policy under `invariants/` that only the old bundle has, or whose text, `@of` or `@gate` differs.
//!
//! ## Why it matters
//!
//! A property that nobody asks about any more can be broken by the next change, unseen.
//!
//! ## Examples
//!
//! ```text
//! finding: `never-wipes` is gone
//! none:    an invariant was added, or has another title
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D08", "invariant-weakened", Warning, "invariant_weakened.rs");
