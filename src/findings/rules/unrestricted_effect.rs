//! An effect changes something, and no policy restricts what it is.
//!
//! ## What it finds
//!
//! An effect of `cutter.toml` whose action is in `mutating`, where no forbid of the bundle covers that action.
//!
//! ## Why it matters
//!
//! Whoever the permit names may bring it about at any time, without an approval and without a precondition.
//!
//! ## Examples
//!
//! ```text
//! finding: `[effects.publish]` with `action = 'Docs::Action::"publish"'`, in `mutating`, and only a permit about it
//! none:    a forbid of any tier covers the action
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("E01", "unrestricted-effect", Warning, "unrestricted_effect.rs");
