//! A policy that can never match.
//!
//! ## What it finds
//!
//! A policy for which no request of any type satisfies scope and conditions. A note, where that is so for some request types
//! only and nothing in its text says why.
//!
//! ## Why it matters
//!
//! It looks like protection, or like a right, and is neither.
//!
//! ## Examples
//!
//! ```text
//! finding: `when { context.to && !context.to }`
//! none:    at least one request matches
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P06", "alive", Error, "alive.rs");
