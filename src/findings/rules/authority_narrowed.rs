//! Somebody who may do less, or a further invariant.
//!
//! ## What it finds
//!
//! A member who left a group, a key that is gone or is valid for less, a permit that is dropped, a new invariant.
//!
//! ## Why it matters
//!
//! What only narrows can still stop somebody who was to work.
//!
//! ## Examples
//!
//! ```text
//! finding: the key of `ann` is gone
//! none:    nothing about people, keys and invariants changed
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D10", "authority-narrowed", Note, "authority_narrowed.rs");
