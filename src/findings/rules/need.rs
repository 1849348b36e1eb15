//! An action that needs a gate, and no approval ban of that gate says so.
//!
//! ## What it finds
//!
//! A `forbid` invariant with `@of("gate")` that the approval bans of its gate do not cover by themselves.
//!
//! ## Why it matters
//!
//! The need must be visible before gaps close: a ban that bites only once another fact holds reports too few approvals.
//!
//! ## Examples
//!
//! ```text
//! finding: an approval ban with `when { context.run.facts.tests.passed }`
//! none:    the ban tests parameters and its own gate only
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P05", "need", Error, "need.rs");
