//! A comment that allows a finding which is not there, or without saying why.
//!
//! ## What it finds
//!
//! `// cutter-allow: L06 why` above a policy allows that rule for it. It is reported when the rule finds nothing there, is not
//! known, or when no reason follows.
//!
//! ## Why it matters
//!
//! An exception that is needed no more hides the next fault in the same place.
//!
//! ## Examples
//!
//! ```text
//! finding: `// cutter-allow: L06 counted by the runtime` above a policy with bounds on both sides
//! none:    the comment is gone
//! ```

use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = rule!("L15", "stale-allowance", Warning, "stale_allowance.rs");

/// Nothing by itself: the sink knows which allowances were used, once all rules have run.
pub fn check(_subject: &Subject, _findings: &mut Vec<Finding>) {}
