//! A counterexample of the solver that the authorizer does not confirm.
//!
//! ## What it finds
//!
//! The solver refutes a property by a request at which Cedar's own authorizer decides otherwise.
//!
//! ## Why it matters
//!
//! Solver, translation or engine are wrong about this policy; none of them can be trusted with it.
//!
//! ## Examples
//!
//! ```text
//! finding: none is known
//! none:    every counterexample is asked of the authorizer before it is shown
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P08", "unproved-counterexample", Error, "unproved_counterexample.rs");
