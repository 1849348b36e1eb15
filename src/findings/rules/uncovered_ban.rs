//! A ban whose removal no invariant notices.
//!
//! ## What it finds
//!
//! Each `forbid` is dropped in turn; if every ceiling and need still holds, it is reported.
//!
//! ## Why it matters
//!
//! A rule that is stated once can be deleted by one edit, and the review would stay silent.
//!
//! ## Examples
//!
//! ```text
//! finding: a bound on pages that no ceiling repeats
//! none:    a ceiling is refuted once the ban is gone
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("C01", "uncovered-ban", Error, "uncovered_ban.rs");
