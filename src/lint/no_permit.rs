//! A bundle that permits nothing.
//!
//! ## What it finds
//!
//! A bundle without a single `permit`.
//!
//! ## Why it matters
//!
//! Everything is denied, whatever the bans say; a file that was meant to hold the permits may be missing.
//!
//! ## Examples
//!
//! ```text
//! finding: three bans and nothing else
//! none:    one `permit`
//! ```

use crate::findings::rule::{Rule, rule};
use crate::findings::{Finding, Place};
use crate::subject::Subject;
use cedar_policy::Effect;

/// The rule.
pub const RULE: Rule = rule!("L16", "no-permit", Warning, "no_permit.rs");

/// Counts the permits.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let own = subject.bundle.own();
    if own.iter().any(|policy| policy.policy.effect() == Effect::Permit) {
        return;
    }
    let Some(first) = own.first() else { return };
    findings.push(
        Finding::new(&RULE, "bundle", "no policy permits anything, so that everything is denied")
            .at(Place::new(&first.source, first.span.clone()))
            .help("add a permit, or a file that is missing"),
    );
}
