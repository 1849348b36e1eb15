//! A permit that reads what the runtime established: gates, facts, time.
//!
//! ## What it finds
//!
//! A `permit` whose condition reads anything below `context.run`.
//!
//! ## Why it matters
//!
//! Whether a right stands behind a denial is found by setting bans aside. A gate inside a permit makes an approvable row look
//! denied for good.
//!
//! ## Examples
//!
//! ```text
//! finding: `permit (...) when { context.run.gates.contains(Cutter::Gate::"RELEASE") }`
//! none:    the permit names the role group; a ban names the gate
//! ```

use super::found;
use crate::cedar::expression::{conditions, paths};
use crate::findings::Finding;
use crate::findings::rule::{Rule, rule};
use crate::subject::Subject;
use cedar_policy::Effect;

/// The rule.
pub const RULE: Rule = rule!("L05", "permit-tests-runtime", Error, "permit_tests_runtime.rs");

/// Looks at what each permit reads.
pub fn check(subject: &Subject, findings: &mut Vec<Finding>) {
    for policy in subject.bundle.own().iter().filter(|policy| policy.policy.effect() == Effect::Permit) {
        let conditions = conditions(&policy.policy);
        let read = conditions.iter().flat_map(|(_, body)| paths(body)).find(|path| path.starts_with("context.run"));
        if let Some(read) = read {
            findings.push(
                found(&RULE, policy, format!("it reads `{read}`, which belongs into a ban"))
                    .help("let the permit name role group and parameters, and add a forbid with a tier"),
            );
        }
    }
}
