//! `review diff`: what a new bundle allows that the old one denies, and the other way round, per request type.

use crate::cedar::expression::visit_mut;
use crate::cedar::tokens;
use crate::findings::headline::{DIFF, counted, policies};
use crate::findings::rule::Severity;
use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::policy::BundlePolicy;
use crate::problem::{Problem, Problems};
use crate::progress::{Observer, Phase};
use crate::prove::asking::Asker;
use crate::prove::claim::Refuter;
use crate::prove::explain::shrunk;
use crate::prove::{ProveOptions, solver};
use crate::review::acceptance::{self, Acceptance};
use crate::review::changes::{Side, changes, earlier};
use crate::schema::FactSource;
use crate::subject::counterexample::Case;
use crate::subject::{Subject, groups, request_type_name};
use cedar_policy::{Entities, EntityUid, Policy, PolicySet, Request, RequestEnv};
use cedar_policy_symcc::{CompiledPolicySet, CompiledSchema, implies_asserts};
use serde_json::{Value, json};

/// Compares two projects; a problem is a file of one that cannot be read.
pub fn diff(
    old: &Side,
    new: &Side,
    options: &ProveOptions,
    accepted: &[Acceptance],
    observer: &dyn Observer,
) -> Result<Part, Problems> {
    let mut part = Part { name: DIFF, summary: String::new(), checks: Vec::new(), findings: changes(old, new)? };
    let (before, after) = (&old.subject, &new.subject);
    let provable = before.bundle.is_provable() && after.bundle.is_provable();
    let decided = match provable {
        true => decisions(before, after, options, accepted, observer, &mut part),
        false => Err(Problem::invalid(
            "policies that are not valid, or have no schema, cannot be compared by what they decide",
        )),
    };
    let changed = policies(changed(before, after).len());
    match decided {
        Ok(unchanged) => part.summary = format!("{} unchanged; {changed} changed", counted(unchanged, "request type")),
        Err(problem) => {
            let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
            let why = Outcome::Undecided(format!("{}{help}", problem.message));
            part.checks.push(Check { name: "decisions".to_owned(), outcome: why });
            part.summary = format!("{changed} changed");
        }
    }
    let allow_widening = accepted.iter().any(|accepted| accepted.is_of(&rules::WIDENED));
    part.findings.extend(lowered(before, after, allow_widening));
    acceptance::apply(accepted, &mut part);
    // What opens is read first.
    part.findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.rule.number));
    Ok(part)
}

/// What the new bundle decides otherwise; both are read in the new schema, each with the groups of its own. Gives the number of
/// request types that are decided as before.
fn decisions(
    old: &Subject,
    new: &Subject,
    options: &ProveOptions,
    accepted: &[Acceptance],
    observer: &dyn Observer,
    part: &mut Part,
) -> Result<usize, Problem> {
    solver::tried(&options.solver)?;
    let allow_widening = accepted.iter().any(|accepted| accepted.is_of(&rules::WIDENED));
    let mut asker = Asker::new(&options.answers, &options.solver)?;
    let schema = CompiledSchema::new(new.bundle.schema().schema())
        .map_err(|error| Problem::invalid(format!("the schema cannot be compiled: {error}")))?;
    let mut unchanged = 0;
    let changed = changed(old, new);
    let phase = Phase::new(observer, DIFF, new.request_types.len());
    for request_type in &new.request_types {
        phase.advance();
        let name = request_type_name(request_type);
        if !old.request_types.contains(request_type) {
            part.findings.push(appeared(new, &name, request_type, "only the new bundle has this request type"));
            continue;
        }
        let sides = [old, new].map(|side| specialised(side, request_type));
        let [before, after] = &sides;
        if before == after {
            unchanged += 1;
            continue;
        }
        let mut answer = |from: &[Policy], to: &[Policy]| compare(from, to, request_type, &schema, &mut asker);
        let of = |side: &Subject, policies: &[Policy]| {
            policies.iter().find_map(|policy| side.unprovable(policy.id().as_ref()))
        };
        let long = of(old, before).or_else(|| of(new, after));
        let result = long
            .map_or(Ok(()), Err)
            .and_then(|()| answer(after, before))
            .and_then(|widened| Ok((widened, answer(before, after)?)));
        let (widened, narrowed) = match result {
            Ok(effect) => effect,
            Err(why) => {
                part.checks.push(Check { name, outcome: Outcome::Undecided(why) });
                continue;
            }
        };
        unchanged += usize::from(widened.is_none() && narrowed.is_none());
        let concerned: Vec<&Change<'_>> =
            changed.iter().filter(|change| change.concerns(old, new, request_type)).collect();
        // Where no action says that it changes nothing, each may.
        let harmful = new.bundle.is_plain()
            || [groups::MUTATING, groups::NEVER, groups::JUDGING]
                .iter()
                .any(|g| new.in_group(request_type.action(), g));
        for (example, expected, rule, what, from, to) in [
            (
                widened,
                if allow_widening { "allow" } else { "deny" },
                if harmful { &rules::WIDENED } else { &rules::WIDENED_ELSEWHERE },
                "it allows what was denied",
                after,
                before,
            ),
            (narrowed, "deny", &rules::NARROWED, "it denies what was allowed", before, after),
        ] {
            let Some(case) = example else { continue };
            let sets = PolicySet::from_policies(from.iter().cloned())
                .ok()
                .zip(PolicySet::from_policies(to.iter().cloned()).ok());
            let refuter = sets.map(|(from, to)| Refuter::AllowedByFirstOnly(from, to));
            let shows = |request: &Request, entities: &Entities| {
                refuter.as_ref().is_some_and(|refuter| refuter.shows(request, entities))
            };
            let mut finding = Finding::new(rule, name.clone(), what);
            finding.places = concerned.iter().map(|change| change.place()).collect();
            finding = finding.shown_by(shrunk(case, new, expected, shows));
            if [&rules::WIDENED, &rules::WIDENED_ELSEWHERE].contains(&rule) && !allow_widening {
                finding = finding.help("if this is meant, say so with --allow-widening");
            }
            part.findings.push(finding);
        }
        part.checks.push(Check { name, outcome: Outcome::Held });
    }
    for request_type in old.request_types.iter().filter(|gone| !new.request_types.contains(gone)) {
        let name = request_type_name(request_type);
        part.findings.push(appeared(old, &name, request_type, "only the old bundle has this request type"));
    }
    Ok(unchanged)
}

/// Facts of which the new schema asks less than the old one.
fn lowered(old: &Subject, new: &Subject, allow_widening: bool) -> Vec<Finding> {
    let (before, after) = (old.bundle.schema().needed(), new.bundle.schema().needed());
    let weaker = |entity: &str, path: &str, was: FactSource| {
        let is = after.of(entity, path).unwrap_or(FactSource::Stated);
        (after.knows(entity, path) && !is.suffices_for(was)).then_some(is)
    };
    let mut findings = Vec::new();
    for (entity, path, was) in before.all() {
        let Some((was, is)) = was.and_then(|was| Some((was, weaker(entity, path, was)?))) else { continue };
        // What holds of a record is told once, not of each of its parts.
        if path.rsplit_once('.').is_some_and(|(above, _)| {
            before.of(entity, above).is_some_and(|was| weaker(entity, above, was) == Some(is))
        }) {
            continue;
        }
        let source = new.bundle.schema().source();
        let at = tokens::attribute(source.text(), &path.split('.').collect::<Vec<_>>()).unwrap_or(0..0);
        let message = format!("its source must be `{was}` no more: `{is}` is good enough");
        let mut finding =
            Finding::new(&rules::SOURCE_LOWERED, format!("{entity}.{path}"), message).at(Place::new(source, at));
        if allow_widening {
            finding.severity = Severity::Note;
        } else {
            finding = finding.help("if this is meant, say so with --allow-widening");
        }
        findings.push(finding);
    }
    findings
}

/// What a policy of one side means for one request type, free of the schema's groups of actions.
fn specialised(side: &Subject, request_type: &RequestEnv) -> Vec<Policy> {
    let policies = side.matching(request_type).into_iter().filter_map(|at| side.bundle.policies().get(at));
    policies
        .filter_map(|policy| {
            let mut json = policy.policy.to_json().ok()?;
            *json.get_mut("action")? = json!({ "op": "All" });
            // Titles and advice decide nothing.
            json.as_object_mut()?.remove("annotations");
            visit_mut(json.get_mut("conditions")?, &mut |value| {
                if let Some(answer) = membership(side, request_type.action(), value) {
                    *value = json!({ "Value": answer });
                }
            });
            Policy::from_json(Some(policy.policy.id().clone()), json).ok()
        })
        .collect()
}

/// `action == A` or `action in G`, answered for this action.
fn membership(side: &Subject, action: &EntityUid, value: &Value) -> Option<bool> {
    let (operator, both) = value.as_object().filter(|map| map.len() == 1)?.iter().next()?;
    let variable = both.pointer("/left/Var").and_then(Value::as_str) == Some("action");
    let literal = both.pointer("/right/Value/__entity").filter(|_| variable)?;
    let (name, id) = (literal.get("type")?.as_str()?, literal.get("id")?.as_str()?);
    let uid: EntityUid = format!("{name}::{id:?}").parse().ok()?;
    match operator.as_str() {
        "==" => Some(*action == uid),
        "in" => Some(side.is_in(action, &uid)),
        _ => None,
    }
}

/// A request that `from` allows and `to` denies.
fn compare(
    from: &[Policy],
    to: &[Policy],
    request_type: &RequestEnv,
    schema: &CompiledSchema,
    asker: &mut Asker<'_>,
) -> Result<Option<Case>, String> {
    let symbols = schema.sym_env(request_type).map_err(|error| error.to_string())?;
    let compile = |policies: &[Policy]| {
        let set = PolicySet::from_policies(policies.iter().cloned()).map_err(|error| error.to_string())?;
        CompiledPolicySet::compile_with_custom_symenv(&set, request_type, schema.schema(), symbols.clone())
            .map_err(|error| format!("the policies of one side do not fit the new schema: {error}"))
    };
    let (from, to) = (compile(from)?, compile(to)?);
    let asserts = implies_asserts(&from, &to);
    if asker.unsatisfiable(&asserts)? {
        return Ok(None);
    }
    let example = asker.example(&asserts)?.ok_or("the solver gave no example")?;
    Ok(Some(Case::of(&example.request, &example.entities).ok_or("the solver's example is not concrete")?))
}

/// A policy that is not the same in both bundles.
struct Change<'a> {
    before: Option<&'a BundlePolicy>,
    after: Option<&'a BundlePolicy>,
}

impl Change<'_> {
    fn concerns(&self, old: &Subject, new: &Subject, request_type: &RequestEnv) -> bool {
        let matches = |side: &Subject, policy: Option<&BundlePolicy>| {
            policy.is_some_and(|policy| side.can_match(&policy.policy, request_type))
        };
        matches(old, self.before) || matches(new, self.after)
    }

    /// The lines that differ, in the new text where there is one.
    fn place(&self) -> Place {
        match (self.before, self.after) {
            (Some(before), Some(after)) => {
                let (was, is) = (text(before), text(after));
                let same = was.split_inclusive('\n').zip(is.split_inclusive('\n')).take_while(|(a, b)| a == b);
                let start = after.span.start + same.map(|(line, _)| line.len()).sum::<usize>();
                let start = start.min(after.span.end);
                Place::new(&after.source, start..after.span.end).label(format!("changed policy `{}`", after.id()))
            }
            (_, Some(only)) => Place::new(&only.source, only.span.clone()).label(format!("new policy `{}`", only.id())),
            (Some(only), None) => {
                Place::new(&only.source, only.span.clone()).label(format!("dropped policy `{}`", only.id()))
            }
            (None, None) => Place::new(&crate::problem::Source::new("", ""), 0..0),
        }
    }
}

fn changed<'a>(old: &'a Subject, new: &'a Subject) -> Vec<Change<'a>> {
    let (was, is) = (old.bundle.policies(), new.bundle.policies());
    let earlier = earlier(was, is);
    let mut changes = Vec::new();
    for (after, before) in is.iter().zip(&earlier) {
        let before = before.and_then(|at| was.get(at));
        if before.is_none_or(|before| text(before) != text(after)) {
            changes.push(Change { before, after: Some(after) });
        }
    }
    let gone = was.iter().enumerate().filter(|(at, _)| !earlier.contains(&Some(*at)));
    changes.extend(gone.map(|(_, before)| Change { before: Some(before), after: None }));
    changes
}

fn text(policy: &BundlePolicy) -> &str {
    policy.source.text().get(policy.span.clone()).unwrap_or_default()
}

fn appeared(side: &Subject, name: &str, request_type: &RequestEnv, message: &str) -> Finding {
    let source = side.bundle.schema().source();
    let action: &str = request_type.action().id().as_ref();
    let at = tokens::declaration(source.text(), action).unwrap_or(0..0);
    Finding::new(&rules::REQUEST_TYPE_CHANGED, name, message).at(Place::new(source, at))
}
