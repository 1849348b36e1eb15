//! What nothing lifts and no condition narrows needs no policy: each action of the group `never` is a ban of its own name.

use super::BundlePolicy;
use super::annotations::{Annotations, Tier};
use crate::problem::{Problem, Problems};
use crate::schema::{NeverAction, RunSchema};
use cedar_policy::{ActionConstraint, Effect, Policy, PolicyId, PrincipalConstraint, ResourceConstraint};

/// The bans that the schema's actions are; where a policy bars an action as wholly, that policy is its row.
pub(super) fn bans(schema: &RunSchema, policies: &[BundlePolicy]) -> Result<Vec<BundlePolicy>, Problems> {
    let mut problems = Problems::new();
    let mut bans = Vec::new();
    for action in schema.never() {
        let name: &str = action.uid.id().as_ref();
        let is_barred = policies.iter().any(|policy| bars(policy, action));
        if action.annotations.is_empty() && is_barred {
            continue;
        }
        let annotations = match Annotations::of_action(name, &action.annotations) {
            Ok(annotations) => annotations,
            Err(faults) => {
                for fault in faults {
                    let problem = Problem::invalid(format!("the action `{name}` {}", fault.message));
                    let problem = problem.at(schema.source(), action.span.clone());
                    problems.push(match fault.help {
                        Some(help) => problem.help(help),
                        None => problem,
                    });
                }
                continue;
            }
        };
        let says: String = action.annotations.iter().map(|(key, value)| format!("@{key}({value:?})\n")).collect();
        let text = format!("{says}forbid (principal, action == {}, resource);", action.uid);
        match Policy::parse(Some(PolicyId::new(name)), text) {
            Ok(policy) => {
                let (source, span) = (schema.source().clone(), action.span.clone());
                bans.push(BundlePolicy { policy, annotations, source, span, is_action: true });
            }
            Err(error) => {
                problems.push(Problem::failure(format!("the action `{name}` cannot be written as a ban: {error}")))
            }
        }
    }
    problems.or(bans)
}

/// Whether a ban that nothing lifts names the action, whoever would do it to whatever.
fn bars(policy: &BundlePolicy, action: &NeverAction) -> bool {
    policy.annotations.tier == Some(Tier::Absolute)
        && policy.policy.effect() == Effect::Forbid
        && policy.policy.principal_constraint() == PrincipalConstraint::Any
        && policy.policy.resource_constraint() == ResourceConstraint::Any
        && !policy.policy.has_non_scope_constraint()
        && match policy.policy.action_constraint() {
            ActionConstraint::Eq(uid) => uid == action.uid,
            ActionConstraint::In(uids) => uids.contains(&action.uid),
            ActionConstraint::Any => false,
        }
}
