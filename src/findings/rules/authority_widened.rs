//! Somebody who may do more: a member of a further group, a new key, a longer time.
//!
//! ## What it finds
//!
//! Entities of the bundle and of the facts that gained a parent, and lines of `allowed_signers` that are new, sign for more or
//! are valid for longer.
//!
//! ## Why it matters
//!
//! Policies name groups, so that who is in them is authority; no policy changes with it.
//!
//! ## Examples
//!
//! ```text
//! finding: `Cutter::Agent::"ann"` is now in `Cutter::Group::"editors"`
//! none:    somebody left a group
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D07", "authority-widened", Warning, "authority_widened.rs");
