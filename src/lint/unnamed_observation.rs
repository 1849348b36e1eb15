//! Something that is observed and that no ban names.
//!
//! ## What it finds
//!
//! A relation, function, flag, tree, service, part of the host or set of named rows that `[evidence]` of `cutter.toml` observes, and that
//! no `@evidence` names, neither whole nor by a part.
//!
//! ## Why it matters
//!
//! Its change contradicts a report while every ban of it stays clean: nobody reads which rule was broken.
//!
//! ## Examples
//!
//! ```text
//! finding: `[evidence.rows] "config:guard"` where no ban has `@evidence("config:guard")`
//! none:    the ban that forbids its change names it
//! ```

use crate::findings::rule::{Rule, rule};
use crate::findings::{Finding, Place};
use crate::settings::observation::CONDUCT;
use crate::subject::Subject;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = rule!("L22", "unnamed-observation", Warning, "unnamed_observation.rs");

/// Looks for the id of each in the evidence of all bans, where it is known what is observed.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    let Some(observed) = &subject.observed else { return };
    let named = subject.bundle.own().iter().flat_map(|policy| &policy.annotations.evidence);
    let named = named.map(|id| id.split('#').next().unwrap_or(id));
    let named: BTreeSet<&str> = named.filter(|id| *id != "none").collect();
    // A bundle that makes no reports at all names nothing.
    if named.is_empty() {
        return;
    }
    // What a report derives of a run's conduct is there for every bundle, whether it bans conduct or not.
    let configured = observed.iter().filter(|id| !CONDUCT.contains(&id.as_str()));
    for id in configured.filter(|id| !named.contains(id.as_str())) {
        findings.push(
            Finding::new(&RULE, id.clone(), "it is observed, and no ban names it")
                .at(Place::new(subject.bundle.schema().source(), 0..0))
                .help(format!(
                    "add `{id}` to the `@evidence` of the ban that forbids its change, or observe it no more"
                )),
        );
    }
}
