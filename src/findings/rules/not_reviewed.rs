//! Something that was not looked at.
//!
//! ## What it finds
//!
//! Templates that no link makes a policy of: they are validated, and nothing else is asked of them.
//!
//! ## Why it matters
//!
//! A review that says nothing of a file is no review of it.
//!
//! ## Examples
//!
//! ```text
//! finding: a template without a link
//! none:    a link for it, in the JSON form that Cedar's own tools take
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("V03", "not-reviewed", Note, "not_reviewed.rs");
