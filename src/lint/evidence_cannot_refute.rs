//! Evidence that cannot refute its ban.
//!
//! ## What it finds
//!
//! An `@evidence` that names a part which observations of its kind do not have (`service:database#deleted`), or a kind that shows
//! nothing of what was done (`witness:`).
//!
//! ## Why it matters
//!
//! What cannot change when the ban is broken says "not done" for ever: the row of the report is worth nothing.
//!
//! ## Examples
//!
//! ```text
//! finding: `@evidence("flag:live#deleted")`
//! none:    `@evidence("relation:public.invoice#deleted")`, or `none` where nothing can show it
//! ```

use super::found;
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::settings::observation::{ObservationId, ObservationKind};
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = rule!("L23", "evidence-cannot-refute", Warning, "evidence_cannot_refute.rs");

/// Holds each name against what its kind can refute.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.policies() {
        for evidence in policy.annotations.evidence.iter().filter(|id| *id != "none") {
            let (id, part) = evidence.split_once('#').map_or((evidence.as_str(), None), |(id, part)| (id, Some(part)));
            let Some(kind) = ObservationId::parse(id).map(|id| id.kind()) else { continue };
            let reach = kind.reach();
            let parts = reach.map(|reach| reach.parts).unwrap_or_default();
            let why = match part {
                _ if kind == ObservationKind::Witness => {
                    "a witness shows nothing of what was done by itself".to_owned()
                }
                // The configuration names the values of its rows as it likes.
                Some(part) if kind != ObservationKind::Rows && !parts.contains(&part) => {
                    format!("observations of its kind have no part `{part}`")
                }
                _ => continue,
            };
            let help = match (reach, parts) {
                (Some(reach), []) => format!("a change of the whole shows {}; name it without a part", reach.refutes),
                (_, parts) => format!("its parts are {}; or name the whole", parts.join(", ")),
            };
            findings
                .push(found(&RULE, policy, format!("its evidence `{evidence}` cannot refute it: {why}")).help(help));
        }
    }
}
