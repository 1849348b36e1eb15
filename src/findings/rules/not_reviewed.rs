//! Something that was not looked at.
//!
//! ## What it finds
//!
//! Templates that no link makes a policy of: they are validated, and nothing else is asked of them. Files with a policy that is too long for
//! its layout to be checked in time.
//!
//! ## Why it matters
//!
//! A review that says nothing of a file is no review of it.
//!
//! ## Examples
//!
//! ```text
//! finding: a template without a link
//! finding: a policy with a set of 20,000 strings
//! none:    a link for it, in the JSON form that Cedar's own tools take
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("V03", "not-reviewed", Note, "not_reviewed.rs");
