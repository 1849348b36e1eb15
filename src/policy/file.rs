//! One file of policies: each in the order of the text, with its bytes, its annotations and its id.

use super::BundlePolicy;
use super::annotations::Annotations;
use crate::cedar::{Statements, depth, diagnostics, slips, tokens, unclosed};
use crate::problem::{Problem, Problems, Source};
use cedar_policy::{Effect, ParseErrors, Policy, PolicyId, PolicySet};
use std::ops::Range;
use std::str::FromStr as _;

/// The policies of one file in the order of its text, with the bytes of each; a template is refused.
pub(crate) fn in_text_order(source: &Source) -> Result<Vec<(Policy, Range<usize>)>, Problems> {
    depth::check(source)?;
    let set = PolicySet::from_str(source.text()).map_err(|errors| unreadable(&errors, source))?;
    let mut problems = Problems::new();
    let all = tokens::tokens(source.text());
    if let Some(template) = set.templates().next() {
        let message = format!("`{}` has a policy template", source.name());
        let text = template.to_cedar();
        let at = tokens::next(&all, source.text(), 0, &text).map(|start| start..start + text.len());
        let problem =
            Problem::invalid(message).help("a template does nothing until it is linked; write the policy out");
        problems.push(at.map_or_else(|| problem.clone().of(source), |at| problem.clone().at(source, at)));
    }
    // Cedar names the policies of one text policy0, policy1 ... in their order.
    let mut in_order: Vec<(usize, &Policy)> = set
        .policies()
        .filter_map(|policy| Some((policy.id().to_string().strip_prefix("policy")?.parse().ok()?, policy)))
        .collect();
    in_order.sort_by_key(|(number, _)| *number);
    let mut end = 0;
    let policies = in_order.into_iter().map(|(_, policy)| {
        let text = policy.to_cedar().unwrap_or_default();
        let start = tokens::next(&all, source.text(), end, &text).unwrap_or(end);
        end = start + text.len();
        (policy.clone(), start..end)
    });
    let policies = policies.collect();
    problems.or(policies)
}

/// Why a text of policies cannot be read: what Cedar says before the first thing that is not closed, and that.
pub(super) fn unreadable(errors: &ParseErrors, source: &Source) -> Problems {
    let mut problems = Problems::new();
    let unclosed = unclosed(source, Statements::Policies);
    // What Cedar says of something unclosed, and of the text after it, follows from that.
    let sound = unclosed.first().map_or(usize::MAX, |(start, _)| *start);
    for error in errors.iter().filter(|error| diagnostics::span(*error).is_none_or(|at| at.end <= sound)) {
        let problem = diagnostics::problem(error, "a policy cannot be read", source);
        problems.push(slips::of_policies(problem, source));
    }
    unclosed.into_iter().for_each(|(_, problem)| problems.push(problem));
    problems
}

/// The policies of one file, named by their `@id`; without `gates` the annotations' gates are not checked.
pub(super) fn parse(source: &Source, gates: Option<&[String]>) -> Result<Vec<BundlePolicy>, Problems> {
    let mut problems = Problems::new();
    let mut policies = Vec::new();
    for (policy, span) in in_text_order(source)? {
        let is_forbid = policy.effect() == Effect::Forbid;
        let all_gates: Vec<String>;
        let gates = match gates {
            Some(gates) => gates,
            None => {
                all_gates = policy.annotation("gate").map(str::to_owned).into_iter().collect();
                &all_gates
            }
        };
        match Annotations::parse(policy.annotations(), is_forbid, gates) {
            Ok(annotations) => policies.push(BundlePolicy {
                policy: policy.new_id(PolicyId::new(&annotations.id)),
                annotations,
                source: source.clone(),
                span,
                is_action: false,
            }),
            Err(faults) => {
                let name = policy.annotation("id").filter(|id| !id.is_empty());
                let name = name.map_or_else(|| "a policy".to_owned(), |id| format!("policy `{id}`"));
                for fault in faults {
                    let at = fault.key.map_or_else(|| span.clone(), |key| at_annotation(source, &span, &key));
                    let problem = Problem::invalid(format!("{name} {}", fault.message)).at(source, at);
                    problems.push(match fault.help {
                        Some(help) => problem.help(help),
                        None => problem,
                    });
                }
            }
        }
    }
    problems.or(policies)
}

/// Where an annotation of the policy that stands here is; the whole policy where it has none of that name.
pub(super) fn at_annotation(source: &Source, policy: &Range<usize>, key: &str) -> Range<usize> {
    let found = source.text().get(policy.clone()).and_then(|text| tokens::annotation(text, key));
    found.map_or_else(|| policy.clone(), |at| policy.start + at.start..policy.start + at.end)
}
