//! A role may write what a query reads to give a fact.
//!
//! ## What it finds
//!
//! A relation that stands in a query of `[facts]` and that a role of `[grants]` may insert into, update, delete from or
//! truncate, or that an effect's function writes; the observer, superusers and roles that the query's `accepted` names
//! with a reason are left out.
//!
//! ## Why it matters
//!
//! Whoever acts as that role could write the fact by which he is judged.
//!
//! ## Examples
//!
//! ```text
//! finding: the executor's role may insert into the table that says that a review was made
//! none:    only the observer's own table is read, `accepted` says why it is not a way to an allow, or the effect `produces` the fact
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("F01", "writable-fact", Warning, "writable_fact.rs");
