//! The new bundle allows a request that no group calls mutating and that the old one denies.
//!
//! ## What it finds
//!
//! As D01, for actions outside the groups `mutating`, `never` and `judging`.
//!
//! ## Why it matters
//!
//! A wider right to read, or to write where no ban looks, is a wider right; `--allow-widening` says that it is meant.
//!
//! ## Examples
//!
//! ```text
//! finding: one more role group may read reports
//! none:    nothing is newly allowed
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D02", "widened-elsewhere", Warning, "widened_elsewhere.rs");
