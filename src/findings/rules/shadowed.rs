//! A policy that another makes superfluous, by proof.
//!
//! ## What it finds
//!
//! A policy that no invariant misses when it is dropped, and another of the same effect and tier that matches whatever it
//! matches, in every request type.
//!
//! ## Why it matters
//!
//! Who tightens it believes to have tightened the rule, and the other still matches.
//!
//! ## Examples
//!
//! ```text
//! finding: `permit ... when { resource.size > 10 }` beside `permit ... when { resource.size > 5 }`
//! none:    each matches a request that the other does not
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("C03", "shadowed", Warning, "shadowed.rs");
