//! A section of `cutter.toml` that is not the same.
//!
//! ## What it finds
//!
//! Every key of the configuration that was added, changed or removed, named by its section; values of connections are not shown.
//!
//! ## Why it matters
//!
//! What an effect is expected to do, what is observed, which query gives a fact and who may do what in the database decide what an
//! attestation proves.
//!
//! ## Examples
//!
//! ```text
//! finding: `expects` of `[effects.start]` is gone
//! none:    only the sentence in `does`, or a comment, is another
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("D09", "settings-changed", Warning, "settings_changed.rs");
