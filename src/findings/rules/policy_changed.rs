//! A policy that was added, renamed or rewritten without becoming weaker by its annotations.
//!
//! ## What it finds
//!
//! A policy that only one of the bundles has, or whose text, title, advice or scope differs. What its conditions open or close is shown by D01
//! to D03; this says that it changed at all.
//!
//! ## Why it matters
//!
//! What decides nothing today is what a report says, or decides tomorrow.
//!
//! ## Examples
//!
//! ```text
//! finding: a new ban, or another `@title`
//! none:    the policy stands at another line, or in another file
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D05", "policy-changed", Note, "policy_changed.rs");
