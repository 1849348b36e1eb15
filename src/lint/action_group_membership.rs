//! An action that is in more or fewer than one of the groups that say what it does.
//!
//! ## What it finds
//!
//! An action that can be asked for and is not in exactly one of `non_mutating`, `never`, `mutating` and `judging`.
//!
//! ## Why it matters
//!
//! Rules and reports rely on these groups. An action outside them is checked by nothing, and one in two is judged by both.
//!
//! ## Examples
//!
//! ```text
//! finding: `action archive in [operator_work] appliesTo ...`
//! none:    `action archive in [needs_GRANT, operator_work] appliesTo ...`
//! ```

use super::{in_schema, name};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::json::in_backticks;
use crate::subject::Subject;
use crate::subject::groups;

/// The rule.
pub const RULE: Rule = rule!("L07", "action-group-membership", Error, "action_group_membership.rs");

/// Counts the groups of each action.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for action in subject.actions() {
        let groups: Vec<&str> = groups::ALL.into_iter().filter(|group| subject.in_group(action, group)).collect();
        let message = match groups.as_slice() {
            [_] => continue,
            [] => format!("the action is in none of {}", in_backticks(&groups::ALL)),
            several => format!("the action is in {}, not in one of them", in_backticks(several)),
        };
        findings.push(in_schema(&RULE, subject, name(action), message).help("put it into exactly one of these groups"));
    }
}
