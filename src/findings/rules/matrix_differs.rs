//! The table of decisions is not the committed one.
//!
//! ## What it finds
//!
//! A row of the golden table that has changed, appeared or gone.
//!
//! ## Why it matters
//!
//! The table is small enough to be read in a pull request; a change in it must be committed with the change that causes it.
//!
//! ## Examples
//!
//! ```text
//! finding: the group `guests` gained `publish`
//! none:    `cutter review matrix --check FILE` finds the same bytes
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("M01", "matrix-differs", Error, "matrix_differs.rs");
