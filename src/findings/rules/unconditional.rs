//! A permit whose scope leaves nobody out, and whose conditions hold for every request.
//!
//! ## What it finds
//!
//! By proof over every request type of its scope: a `permit` for any principal and any resource with conditions that never
//! fail, whatever their text. What the text itself shows is L01.
//!
//! ## Why it matters
//!
//! It looks restricted, and anyone may do it to anything.
//!
//! ## Examples
//!
//! ```text
//! finding: `permit (principal, action == Action::"read", resource) when { resource.size > 0 || resource.size < 1 };`
//! none:    `permit (principal, action == Action::"read", resource) when { resource.owner == principal };`
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P09", "unconditional", Error, "unconditional.rs");
