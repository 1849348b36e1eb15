//! A request type exists in one of the two bundles only.
//!
//! ## What it finds
//!
//! A principal type, action or resource type that the schemas of OLD and NEW do not share.
//!
//! ## Why it matters
//!
//! What only one schema knows cannot be compared; it must be read.
//!
//! ## Examples
//!
//! ```text
//! finding: a new action `archive`
//! none:    both schemas have the same request types
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D04", "request-type-changed", Warning, "request_type_changed.rs");
