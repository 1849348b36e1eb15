//! Asking Cedar one request as it stands, with all policies, and comparing what it says with what it must.

use super::{Case, CaseResult, CedarCase, Decider, Expected};
use crate::explain::looked_at_in;
use crate::policy::PolicyBundle;
use crate::problem::{Problem, Problems};
use cedar_policy::{Authorizer, Context, Decision, Entities, PolicySet, Request};
use serde_json::Value;
use std::collections::BTreeSet;

/// The request and entities of a case, as far as they conform to the schema; `recorded` are those of a case without its own.
pub(super) fn request(
    case: &Case,
    asked: &CedarCase,
    bundle: &PolicyBundle,
    recorded: &[Vec<Value>],
) -> Result<(Request, Entities), Problems> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        let problem = Problem::invalid(format!("{what}: {error}")).at(&case.source, case.at.start..case.at.start + 1);
        Problems::from(problem)
    };
    let schema = bundle.has_schema().then(|| bundle.schema().schema());
    let [principal, action, resource] = asked.uids.clone();
    let context = Context::from_json_value(asked.context.clone(), schema.map(|schema| (schema, &action)))
        .map_err(|error| wrong("the context does not fit", &error))?;
    let request = Request::new(principal, action, resource, context, schema)
        .map_err(|error| wrong("it is not a valid request for the schema", &error))?;
    let entities = asked.entities.clone().unwrap_or_else(|| recorded.iter().flatten().cloned().collect());
    let entities =
        Entities::from_json_value(entities, schema).map_err(|error| wrong("the entities do not fit", &error))?;
    Ok((request, entities))
}

/// What Cedar says of it, and what differs from what is expected.
pub(super) fn compare(
    expected: &Expected,
    request: &Request,
    entities: &Entities,
    bundle: &PolicyBundle,
    result: &mut CaseResult,
) {
    let policies = bundle.policies().iter().map(|policy| policy.policy.clone());
    let policies = PolicySet::from_policies(policies).unwrap_or_default();
    let response = Authorizer::new().is_authorized(request, &policies, entities);
    let decision = if response.decision() == Decision::Allow { "allow" } else { "deny" };
    let reasons: BTreeSet<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
    let differences = &mut result.differences;
    if let Some(expected) = expected.decision.as_ref().filter(|expected| *expected != decision) {
        differences.push(format!("decision: expected {expected}, got {decision}"));
    }
    let missing = expected.policies.iter().flatten().map(|id| named(id, bundle)).filter(|id| !reasons.contains(id));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        differences.push(format!("policies: {} did not decide", crate::json::in_backticks(&missing)));
    }
    if let Some(expected) = expected.errors.filter(|expected| *expected != errors.len()) {
        differences.push(format!("errors: expected {expected}, got {}", errors.len()));
        differences.extend(errors.iter().map(|error| format!("error: {error}")));
    }
    if !differences.is_empty() {
        let decided = bundle.policies().iter().filter(|policy| reasons.contains(policy.id()));
        result.decided_by = decided
            .map(|policy| Decider {
                id: policy.id().to_owned(),
                place: format!("{}:{}", policy.source.name(), policy.source.position(policy.span.start).0),
                facts: looked_at_in(request, entities, policy),
            })
            .collect();
    }
}

/// The id of a policy that a case names as Cedar's own tools do: `@id`, or `policyN` for the one at that place.
pub(super) fn named(id: &str, bundle: &PolicyBundle) -> String {
    if bundle.policy(id).is_some() {
        return id.to_owned();
    }
    let place = id.strip_prefix("policy").and_then(|place| place.parse::<usize>().ok());
    let policy = place.and_then(|place| bundle.policies().get(place));
    policy.map_or_else(|| id.to_owned(), |policy| policy.id().to_owned())
}
