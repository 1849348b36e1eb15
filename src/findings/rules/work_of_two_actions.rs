//! Two effects do the same and are judged as two actions.
//!
//! ## What it finds
//!
//! Effects of `cutter.toml` with the same program and arguments, the same function, switch and value, or the same built-in work and
//! folder, whose actions differ. Programs with a hole in an argument are left out: what fills it decides what they do.
//!
//! ## Why it matters
//!
//! The work decides what is asked, and a run names whichever of the two is allowed.
//!
//! ## Examples
//!
//! ```text
//! finding: `[effects.read]` and `[effects.wipe]` both run `/usr/local/bin/wipe --all`
//! none:    one effect for each thing that can be done
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("E02", "work-of-two-actions", Warning, "work_of_two_actions.rs");
