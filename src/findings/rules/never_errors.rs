//! A policy that can err.
//!
//! ## What it finds
//!
//! A policy for which the solver finds a request and entities at which evaluating it fails: an overflow, mostly.
//!
//! ## Why it matters
//!
//! Cedar skips a policy that fails to evaluate: a ban vanishes, and what it forbade may be allowed.
//!
//! ## Examples
//!
//! ```text
//! finding: `when { context.pages * 1000 > 3000 }`, which overflows
//! none:    `when { context.pages > 3 }`
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P01", "never-errors", Error, "never_errors.rs");
