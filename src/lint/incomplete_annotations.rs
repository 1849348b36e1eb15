//! A ban that the report shows, without severity, advice or evidence.
//!
//! ## What it finds
//!
//! A `forbid` of the tiers absolute, approval or precondition that lacks `@severity`, `@advice` or `@evidence`, or an action of
//! the group `never` that lacks one of these or `@title`. Tier, title, gate and gap of a policy are demanded by V01.
//!
//! ## Why it matters
//!
//! The report can say neither how bad it is, nor what to do instead, nor what could show that it was not done.
//!
//! ## Examples
//!
//! ```text
//! finding: no `@evidence`
//! none:    `@evidence("relation:public.pages")`, or `none` where nothing can show it
//! ```

use super::found;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::json::in_backticks;
use crate::policy::annotations::Tier;
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = rule!("L03", "incomplete-annotations", Warning, "incomplete_annotations.rs");

/// Looks at the annotations of each ban that is a row of the report.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own() {
        let annotations = &policy.annotations;
        if matches!(annotations.tier, None | Some(Tier::Gate(_))) {
            continue;
        }
        let blank = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        let missing = [
            ("@title", blank(&annotations.title)),
            ("@severity", blank(&annotations.severity)),
            ("@advice", blank(&annotations.advice)),
            ("@evidence", annotations.evidence.is_empty()),
        ];
        let missing: Vec<&str> = missing.into_iter().filter(|(_, missing)| *missing).map(|(key, _)| key).collect();
        if !missing.is_empty() {
            let message = format!("it has no {}", in_backticks(&missing));
            findings.push(found(&RULE, policy, message).help("add them, so that the report can say them"));
        }
    }
}
