//! Something that was not looked at.
//!
//! ## What it finds
//!
//! Templates that no link makes a policy of: they are validated, and nothing else is asked of them. Files with a policy that is too long for
//! its layout to be checked in time. Where a folder is reviewed as any policies, a warning: a folder with policies that is not looked into
//! (hidden, `target`, `vendor`, `node_modules`, a link) and that git does not ignore; policies in a form of JSON that Cedar's own tools do not
//! read; properties.
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
//! finding: `vendor/more.cedar`, or a list of `{"id": ..., "content": "permit (principal, ..."}`
//! none:    a link for it, in the JSON form that Cedar's own tools take
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("V03", "not-reviewed", Note, "not_reviewed.rs");
