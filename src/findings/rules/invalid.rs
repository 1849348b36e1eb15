//! A bundle, fact, plan or invariant that Cedar or the schema refuses.
//!
//! ## What it finds
//!
//! What does not parse, does not validate strictly, has a warning, lacks or repeats an `@id`, or carries annotations that do
//! not fit its tier. Every file is read before anything is reported.
//!
//! ## Why it matters
//!
//! Nothing can be proved of a bundle that cannot be loaded, and the runtime would refuse it at the worst moment.
//!
//! ## Examples
//!
//! ```text
//! finding: `unless { context.run.gates.contains(Cutter::Gate::"SG_9") }`, since the schema has no such gate
//! none:    `unless { context.run.gates.contains(Cutter::Gate::"RELEASE") }`
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("V01", "invalid", Error, "invalid.rs");
