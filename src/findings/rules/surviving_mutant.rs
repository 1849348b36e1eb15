//! A change of a policy, or of what an effect is pinned by, that nothing notices.
//!
//! ## What it finds
//!
//! `review mutate` changes each policy and each pin in small ways, one at a time; a change is reported that no case, no property, no
//! invariant, no check of effects and no committed table notices, and that is not proved to mean the same.
//!
//! ## Why it matters
//!
//! The same change, made by mistake, would be merged.
//!
//! ## Examples
//!
//! ```text
//! finding: `units <= 3` made `units <= 4`, where every case has one unit
//! none:    a case of four units is denied
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("T01", "surviving-mutant", Error, "surviving_mutant.rs");
