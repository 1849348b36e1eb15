//! Evidence that names nothing which is observed.
//!
//! ## What it finds
//!
//! An `@evidence` whose relation, function, flag, tree, service, part of the host or named rows `[evidence]` of `cutter.toml`
//! does not know, also where an effect `expects` to change it, and that is not derived from a run's conduct either (`journal:order`, `approvals:used` and the like).
//!
//! ## Why it matters
//!
//! What is not observed can neither confirm nor refute: the row of the report stays unproved for ever.
//!
//! ## Examples
//!
//! ```text
//! finding: `@evidence("relation:public.informaton_unit")`
//! finding: `expects = { "tree:runtme-root" = {} }` of an effect
//! none:    the id of an observation, or `none`
//! ```

use super::found;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::problem::nearest;
use crate::settings::observation::CONDUCT;
use crate::subject::Subject;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = rule!("L19", "unknown-evidence", Warning, "unknown_evidence.rs");

/// Looks up each id, where it is known what is observed.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let Some(observed) = &subject.observed else { return };
    for policy in subject.bundle.own() {
        for evidence in policy.annotations.evidence.iter().filter(|id| *id != "none") {
            let id = evidence.split('#').next().unwrap_or(evidence);
            if is_observed(id, observed) {
                continue;
            }
            let help = match nearest(id, observed.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "name it in `[evidence]` of `cutter.toml`, or correct it".to_owned(),
            };
            findings.push(found(&RULE, policy, format!("nothing observes its evidence `{id}`")).help(help));
        }
    }
}

/// Whether an observation of this id is one of these, or one that is always made.
pub fn is_observed(id: &str, observed: &BTreeSet<String>) -> bool {
    let kind = id.split(':').next().unwrap_or_default();
    ALWAYS.contains(&kind) || CONDUCT.contains(&id) || observed.contains(id)
}

/// Kinds that the configuration does not name one by one.
const ALWAYS: [&str; 5] = ["catalog", "database", "secrets", "witness", "table"];
