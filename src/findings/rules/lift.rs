//! An approval ban that its own gate does not lift.
//!
//! ## What it finds
//!
//! A ban of the approval tier that still matches when the gate in its `@gate` is open, as a `permit` invariant with
//! `@of("gate")` describes it.
//!
//! ## Why it matters
//!
//! The report asks for an approval that changes nothing, or a ban tests another gate than it says.
//!
//! ## Examples
//!
//! ```text
//! finding: `@gate("RELEASE")` over `unless { context.run.gates.contains(Cutter::Gate::"PUBLISH") }`
//! none:    annotation and condition name the same gate
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P04", "lift", Error, "lift.rs");
