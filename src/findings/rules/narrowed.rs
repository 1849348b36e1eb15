//! The new bundle denies a request that the old one allows.
//!
//! ## What it finds
//!
//! Per request type, the solver looks for a request that OLD allows and NEW denies, and shows one.
//!
//! ## Why it matters
//!
//! A plan that was authorized yesterday may be denied tomorrow.
//!
//! ## Examples
//!
//! ```text
//! finding: a new ban on `publish`
//! none:    nothing is newly denied
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D03", "narrowed", Note, "narrowed.rs");
