//! A ban that is gone, or whose annotations make it weaker.
//!
//! ## What it finds
//!
//! A `forbid` that is dropped; a tier that something can lift where nothing could; another gate, gap or code; evidence that is gone; a
//! lower severity.
//!
//! ## Why it matters
//!
//! The decision of a request may stay `deny`, and what lifts the denial, what the report calls it and what would show a breach do not.
//! `--accept "D06 why"` says that it is meant.
//!
//! ## Examples
//!
//! ```text
//! finding: `@tier("absolute")` became `@tier("precondition")`
//! none:    `@severity("high")` became `@severity("critical")`
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D06", "policy-weakened", Warning, "policy_weakened.rs");
