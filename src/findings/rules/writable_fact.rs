//! A role may write what a query reads to give a fact.
//!
//! ## What it finds
//!
//! A relation that stands in a query of `[facts]` and that a role of `[grants]` may insert into, update, delete from or
//! truncate; the observer, superusers and roles that the query's `accepted` names with a reason are left out.
//!
//! ## Why it matters
//!
//! Whoever acts as that role could write the fact by which he is judged.
//!
//! ## Examples
//!
//! ```text
//! finding: the executor's role may insert into the table that says that a review was made
//! none:    only the observer's own table is read, or `accepted` says why it is no way to an allow
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("F01", "writable-fact", Warning, "writable_fact.rs");
