//! A permit that never decides: a ban matches whatever it matches.
//!
//! ## What it finds
//!
//! A permit and a ban that nothing lifts, which matches every request that the permit matches.
//!
//! ## Why it matters
//!
//! It looks as if it allowed something.
//!
//! ## Examples
//!
//! ```text
//! finding: a permit for `wipe` beside `forbid (principal, action == Action::"wipe", resource);`
//! none:    a request is left that the permit allows
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("C04", "overridden", Warning, "overridden.rs");
