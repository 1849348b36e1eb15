//! Cedar's strict validation: a warning is as bad as an error, and what is the same fault many times is said once.

use super::BundlePolicy;
use crate::cedar::{diagnostics, scope};
use crate::problem::{Problem, Problems, Source, nearest};
use cedar_policy::{Policy, PolicySet, Schema, Template, ValidationMode, ValidationResult, Validator};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Validates policies whose ids are unique.
pub(super) fn validate(
    schema: &Schema,
    policies: &[BundlePolicy],
    by_id: &BTreeMap<String, usize>,
    problems: &mut Problems,
) {
    // A group of the prelude that a bundle puts nothing into is no fault of the bundle.
    let entities = schema.action_entities().ok();
    let actions: Vec<_> = schema.request_envs().map(|types| types.action().clone()).collect();
    let reaches = |policy: &Policy| {
        let covers = |action| entities.as_ref().is_none_or(|entities| scope::covers_action(policy, action, entities));
        actions.iter().any(covers)
    };
    let asked = policies.iter().filter(|policy| !policy.is_prelude() || reaches(&policy.policy));
    let set = match PolicySet::from_policies(asked.map(|policy| policy.policy.clone())) {
        Ok(set) => set,
        Err(error) => return problems.push(Problem::invalid(format!("the policies cannot be joined: {error}"))),
    };
    let place = |id: &str| {
        let index = *by_id.get(id)?;
        policies.get(index).map(|policy| (index, &policy.source, policy.span.clone()))
    };
    report(&Validator::new(schema.clone()).validate(&set, ValidationMode::Strict), schema, place, problems);
}

/// Validates templates, whatever they are linked to.
pub(super) fn templates(schema: &Schema, templates: &[(Template, Source, Range<usize>)], problems: &mut Problems) {
    let mut set = PolicySet::new();
    for (template, source, span) in templates {
        if let Err(error) = set.add_template(template.clone()) {
            problems.push(Problem::invalid(format!("the template cannot be used: {error}")).at(source, span.clone()));
        }
    }
    let place = |id: &str| {
        let index = templates.iter().position(|(template, ..)| AsRef::<str>::as_ref(template.id()) == id)?;
        templates.get(index).map(|(_, source, span)| (index, source, span.clone()))
    };
    report(&Validator::new(schema.clone()).validate(&set, ValidationMode::Strict), schema, place, problems);
}

/// One problem for each policy and kind of fault.
fn report<'a>(
    result: &ValidationResult,
    schema: &Schema,
    place: impl Fn(&str) -> Option<(usize, &'a Source, Range<usize>)>,
    problems: &mut Problems,
) {
    let findings = result
        .validation_errors()
        .map(|error| (error.policy_id(), error as &dyn miette::Diagnostic))
        .chain(result.validation_warnings().map(|warning| (warning.policy_id(), warning as &dyn miette::Diagnostic)));
    let mut found: Vec<(usize, Problem)> = findings
        .filter_map(|(id, finding)| {
            let (index, source, span) = place(id.as_ref())?;
            let mut problem = diagnostics::problem(finding, "", source);
            // Cedar begins its message with the policy's id; ours does, too.
            let cause = problem.message.trim_start_matches(": ");
            let cause = cause.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(cause);
            let name: &str = id.as_ref();
            problem.message = format!("policy `{name}` is not valid: {cause}");
            problem.span = problem.span.or(Some(span));
            if let Some(help) = meant(&problem.message, schema) {
                problem.help = Some(help);
            }
            Some((index, problem))
        })
        .collect();
    // Cedar reports in no fixed order.
    let start = |problem: &Problem| problem.span.as_ref().map_or(0, |span| span.start);
    found.sort_by(|(a, x), (b, y)| (a, start(x), &x.message).cmp(&(b, start(y), &y.message)));
    let mut kinds: Vec<(usize, String, Problem, usize)> = Vec::new();
    for (index, problem) in found {
        let kind = kind(&problem.message);
        match kinds.iter_mut().find(|(at, known, ..)| *at == index && *known == kind) {
            Some((.., more)) => *more += 1,
            None => kinds.push((index, kind, problem, 0)),
        }
    }
    // What follows from a name that there is not says nothing of its own.
    let unknown: BTreeSet<usize> =
        kinds.iter().filter(|(_, kind, ..)| kind.contains("unrecognized")).map(|(at, ..)| *at).collect();
    let follows = |kind: &str| FOLLOWS.iter().any(|words| kind.contains(words));
    kinds.retain(|(at, kind, ..)| !(unknown.contains(at) && follows(kind)));
    let is_empty = problems.is_empty();
    for (_, _, mut problem, more) in kinds {
        if more > 0 {
            problem.message = format!("{} ({more} more of this kind in the policy)", problem.message);
        }
        problems.push(problem);
    }
    if is_empty && problems.is_empty() && !result.validation_passed_without_warnings() {
        problems
            .push(Problem::invalid("the policies do not validate").help("Cedar found fault with the set as a whole"));
    }
}

/// What to do about a name that there is not; Cedar's own guess is any other, however far from it.
fn meant(message: &str, schema: &Schema) -> Option<String> {
    let named =
        |what: &str| message.rsplit_once(&format!("unrecognized {what} `"))?.1.split_once('`').map(|(name, _)| name);
    let (name, known, parted): (_, Vec<String>, _) = match (named("action"), named("entity type")) {
        (Some(name), _) => (name, schema.actions().map(ToString::to_string).collect(), "::\""),
        (None, Some(name)) => (name, schema.entity_types().map(ToString::to_string).collect(), "::"),
        (None, None) => return None,
    };
    // The name itself is what people misspell or put into another namespace.
    let last = |name: &str| name.rsplit_once(parted).map_or(name, |(_, last)| last).to_lowercase();
    let lasts: Vec<String> = known.iter().map(|known| last(known)).collect();
    let wanted = last(name);
    let meant = nearest(&wanted, lasts.iter().map(String::as_str));
    let alike: Vec<&str> = known
        .iter()
        .zip(&lasts)
        .filter(|(_, last)| Some(last.as_str()) == meant)
        .map(|(known, _)| known.as_str())
        .collect();
    Some(match nearest(name, alike.iter().copied()).or(alike.first().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "the schema declares nothing of a name like it".to_owned(),
    })
}

/// A message without the types and actions that it names, and with the first attribute or name after the policy's own.
fn kind(message: &str) -> String {
    let mut parts = message.split('`');
    let mut kind = String::new();
    let mut names = 0;
    let mut is_name = false;
    for part in parts.by_ref() {
        if is_name {
            names += 1;
            // The first is the policy, the second what the fault is about.
            if names == 2 {
                kind.push_str(part);
            }
        } else {
            let words = part.split_whitespace().filter(|word| !word.contains("::") && !word.contains('"'));
            kind.extend(words.flat_map(|word| [word, " "]));
        }
        is_name = !is_name;
    }
    kind
}

/// What Cedar says as well of a policy that names what there is not.
const FOLLOWS: [&str; 2] = ["policy is impossible", "unable to find an applicable action"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_in_other_requests_is_of_the_same_kind() {
        let said = |attribute: &str, action: &str| {
            kind(&format!("policy `a` is not valid: attribute `{attribute}` in context for {action} not found"))
        };
        assert_eq!(said("x", "App::Action::\"read\""), said("x", "App::Action::\"write\""));
        assert_ne!(said("x", "App::Action::\"read\""), said("y", "App::Action::\"read\""));
    }
}
