//! A ceiling that does not hold: something is possible that must never be.
//!
//! ## What it finds
//!
//! A `forbid` among the invariants that the policies it is asked of do not keep. `@of("bans")`: a ban must match whoever may
//! permit it. `@of("permits")`: no permit may match, with every ban gone. `@of("shipped")`: the bundle as a whole denies.
//!
//! ## Why it matters
//!
//! In the whole bundle a missing ban hides behind a missing permit, and a wide permit behind a ban; the next change of the
//! other opens the way.
//!
//! ## Examples
//!
//! ```text
//! finding: the ban on `erase` was dropped, though no permit covers it today
//! none:    a ban matches everything that the invariant names
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("P02", "never", Error, "never.rs");
