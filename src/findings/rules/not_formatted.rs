//! A policy file that Cedar's formatter would write otherwise.
//!
//! ## What it finds
//!
//! A file whose text differs from what the formatter gives for lines of 100 columns and an indent of two.
//!
//! ## Why it matters
//!
//! A change of one condition must be a difference of one line; layout that drifts hides it in noise. It is a note, since the formatters of two versions of
//! Cedar can differ; `--fail-on note` makes it fail, and `cutter review --fix` writes the file.
//!
//! ## Examples
//!
//! ```text
//! finding: `forbid(principal,action,resource);` on one line
//! none:    the same over several lines, as `cedar format -l 100 -i 2` writes it
//! ```

use crate::findings::rule::{Rule, rule};

/// The rule.
pub const RULE: Rule = rule!("V02", "not-formatted", Note, "not_formatted.rs");
