//! A fact may come from a weaker source than before.
//!
//! ## What it finds
//!
//! An attribute, or the parents of an entity type, whose `@source` in the new schema asks for less than in the old one.
//!
//! ## Why it matters
//!
//! What a run states of itself could then carry an allow at the moment of use. `--allow-widening` says that it is meant.
//!
//! ## Examples
//!
//! ```text
//! finding: `@source("query")` became `@source("stated")`
//! none:    every fact needs what it needed, or more
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D13", "source-lowered", Error, "source_lowered.rs");
