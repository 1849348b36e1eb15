//! Facts that are not the same.
//!
//! ## What it finds
//!
//! Entities that were added, removed, or whose attributes differ, by file.
//!
//! ## Why it matters
//!
//! Preconditions are about facts: a recorded one can close a gap.
//!
//! ## Examples
//!
//! ```text
//! finding: `App::Page::"home"` has another `size`
//! none:    the order of the entities is another
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D11", "facts-changed", Note, "facts_changed.rs");
