//! A declaration of the schema that is not the same.
//!
//! ## What it finds
//!
//! Actions, entity types and common types that were added, removed or changed. An action in other groups, or for other principals
//! or resources, is a warning, everything else a note.
//!
//! ## Why it matters
//!
//! Policies name groups of actions: an action that leaves one leaves every ban of the group.
//!
//! ## Examples
//!
//! ```text
//! finding: the action `wipe` is not in `never` any more
//! none:    a comment changed
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D12", "schema-changed", Warning, "schema_changed.rs");
