//! A permit whose removal no floor notices.
//!
//! ## What it finds
//!
//! Each `permit` is dropped in turn; if every floor still holds, it is reported.
//!
//! ## Why it matters
//!
//! A right that no floor states can be lost by one edit, and the run stops at night.
//!
//! ## Examples
//!
//! ```text
//! finding: the editors' permit without a floor for `publish`
//! none:    a floor is refuted once the permit is gone
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("C02", "uncovered-permit", Warning, "uncovered_permit.rs");
