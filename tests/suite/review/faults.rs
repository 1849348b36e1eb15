//! Seeded faults: each is one edit of the shipped bundle, and the review must name it, its place, and show an opening.

use crate::review::fixture::{Fixture, options};
use cedar_policy::{Authorizer, Context, Decision, Effect, Entities, EntityUid, Policy, PolicyId, PolicySet, Request};
use cutter::findings::Finding;
use cutter::problem::Problems;
use cutter::progress::Silent;
use cutter::review::validate;
use cutter::subject::Subject;
use cutter::subject::counterexample::Counterexample;
use cutter::{lint, prove};
use serde::Deserialize;
use std::sync::LazyLock;

#[derive(Deserialize)]
struct Faults {
    fault: Vec<Fault>,
}

/// One edit, and what must be found.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    file: String,
    /// The policy that is edited; without it, the only place where `replace` stands.
    policy: Option<String>,
    /// The policy that is dropped.
    drop: Option<String>,
    #[serde(default)]
    replace: String,
    #[serde(default)]
    with: String,
    rule: String,
    about: String,
    /// What stands at a place of the finding: the `@id` of a policy or invariant, or a name in the schema.
    at: String,
    /// Whether a counterexample must show it.
    opening: bool,
    /// Whether the whole bundle allows that counterexample: a permit stands behind the ban.
    #[serde(default)]
    allowed: bool,
}

#[test]
fn faults_in_absolute_bans_are_found_at_their_place() {
    try_faults("absolute");
}

#[test]
fn faults_in_approval_bans_are_found_at_their_place() {
    try_faults("approvals");
}

#[test]
fn faults_in_gate_bans_are_found_at_their_place() {
    try_faults("gates");
}

#[test]
fn faults_that_make_a_bundle_invalid_are_found_at_their_place() {
    try_faults("invalid");
}

#[test]
fn faults_in_permits_are_found_at_their_place() {
    try_faults("permits");
}

#[test]
fn faults_in_preconditions_are_found_at_their_place() {
    try_faults("preconditions");
}

#[test]
fn faults_in_the_schema_are_found_at_their_place() {
    try_faults("schema");
}

#[test]
fn at_least_forty_faults_are_seeded() {
    let files = std::fs::read_dir("tests/suite/review/faults").unwrap();
    let count: usize = files.map(|file| read(&file.unwrap().path()).len()).sum();
    assert!(count >= 40, "{count}");
}

fn read(path: &std::path::Path) -> Vec<Fault> {
    let faults: Faults = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    faults.fault
}

fn try_faults(group: &str) {
    let cache = tempfile::tempdir().unwrap();
    let faults = read(&std::path::Path::new("tests/suite/review/faults").join(format!("{group}.toml")));
    let failures: Vec<String> = faults
        .iter()
        .filter_map(|fault| Some(format!("{}: {}", fault.name, try_fault(fault, cache.path()).err()?)))
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), faults.len(), failures.join("\n"));
}

fn try_fault(fault: &Fault, cache: &std::path::Path) -> Result<(), String> {
    let mut fixture = Fixture::shipped();
    match (&fault.drop, &fault.policy) {
        (Some(id), _) => fixture.drop_policy(&fault.file, id),
        (None, policy) => {
            let span = policy.as_ref().map(|id| fixture.span(&fault.file, id));
            let text = fixture.text(&fault.file);
            let span = span.unwrap_or(0..text.len());
            let within = &text[span.clone()];
            if within.matches(&fault.replace).count() == 0 {
                return Err(format!("`{}` does not stand there:\n{within}", fault.replace));
            }
            let edited = within.replacen(&fault.replace, &fault.with, 1);
            text.replace_range(span, &edited);
        }
    }
    let edited = fault.policy.as_deref().or(fault.drop.as_deref());
    let (findings, subject) = review(&fixture, edited, &fault.rule, cache);
    let of_rule = |finding: &&Finding| finding.rule.number == fault.rule && finding.about.ends_with(&fault.about);
    let Some(finding) = findings.iter().find(of_rule) else {
        let found: Vec<String> = findings.iter().map(|f| format!("{} {}", f.rule.number, f.about)).collect();
        return Err(format!("found {found:?}"));
    };
    let stands = finding.places.iter().any(|place| {
        let start = place.source.text()[..place.span.start].rfind("@id(").unwrap_or(0);
        let own = place.source.text()[place.span.clone()].contains(&fault.at);
        own || place.source.text()[start..place.span.end].contains(&format!("@id(\"{}\")", fault.at))
    });
    if !stands {
        let places: Vec<String> = finding.places.iter().map(|place| format!("{:?}", place.label)).collect();
        return Err(format!("not at its place: {places:?}"));
    }
    if let Some(shown) = finding.counterexample.as_ref().filter(|shown| (shown.decision == "allow") != fault.allowed) {
        return Err(format!("the whole bundle decides {} on {}", shown.decision, shown.request_line()));
    }
    match (&finding.counterexample, &subject) {
        (Some(shown), Some(subject)) => reproduces(shown, finding, subject),
        (None, _) if fault.opening => Err("no counterexample".to_owned()),
        _ => Ok(()),
    }
}

static SHIPPED: LazyLock<Subject> = LazyLock::new(|| Fixture::shipped().subject().unwrap());

/// What the part finds that can find this rule.
///
/// What an edit of one policy changes, it changes for request types that the policy can match, before or after.
fn review(
    fixture: &Fixture,
    edited: Option<&str>,
    rule: &str,
    cache: &std::path::Path,
) -> (Vec<Finding>, Option<Subject>) {
    let cedar = fixture.sources(|name| name.ends_with(".cedar"));
    let mut subject = match fixture.subject() {
        Err(problems) => return (validate::validate(&cedar, &[], &problems).findings, None),
        Ok(subject) => subject,
    };
    let findings = match rule.chars().next() {
        Some('V') => validate::validate(&cedar, &[], &Problems::new()).findings,
        Some('L') => lint::lint(&subject).findings,
        _ => {
            if let Some(id) = edited {
                let mut types = subject.request_types.clone();
                types.retain(|of| {
                    let matches =
                        |side: &Subject| side.bundle.policy(id).is_some_and(|p| side.can_match(&p.policy, of));
                    matches(&SHIPPED) || matches(&subject)
                });
                subject.request_types = types;
            }
            prove::prove(&subject, &options(cache), &Silent).unwrap().findings
        }
    };
    (findings, Some(subject))
}

/// Asks the authorizer, from the JSON alone, whether the counterexample shows what it is said to show.
fn reproduces(shown: &Counterexample, finding: &Finding, subject: &Subject) -> Result<(), String> {
    let schema = subject.bundle.schema().schema();
    let text = |key: &str| shown.request[key].as_str().unwrap().parse::<EntityUid>().unwrap();
    let action = text("action");
    let context = Context::from_json_value(shown.request["context"].clone(), Some((schema, &action))).unwrap();
    let request = Request::new(text("principal"), action, text("resource"), context, Some(schema)).unwrap();
    let entities = Entities::from_json_value(shown.entities.clone(), Some(schema)).unwrap();
    let ask = |policies: Vec<Policy>| {
        Authorizer::new().is_authorized(&request, &PolicySet::from_policies(policies).unwrap(), &entities)
    };
    let all = || subject.bundle.policies().iter().map(|policy| policy.policy.clone());
    let of = |effect: Effect| all().filter(move |policy| policy.effect() == effect);
    let permit_all =
        || Policy::parse(Some(PolicyId::new("all of it")), "permit (principal, action, resource);").unwrap();
    let by_bans = ask(of(Effect::Forbid).chain([permit_all()]).collect()).decision() == Decision::Allow;
    let by_permits = ask(of(Effect::Permit).collect()).decision() == Decision::Allow;
    let whole = ask(all().collect());
    let invariant = subject.invariants.iter().find(|invariant| invariant.id == finding.about);
    let matches = invariant.is_none_or(|i| ask(vec![i.policy.clone()]).diagnostics().reason().next().is_some());
    let shows = match finding.rule.number {
        "P01" => whole.diagnostics().errors().next().is_some(),
        _ if shown.decision == "allow" => whole.decision() == Decision::Allow && shown.expected == "deny",
        "P02" => by_bans || by_permits,
        "P03" => whole.decision() == Decision::Deny,
        // An approval ban of the gate matches though it should not, or none does though it should.
        "P04" => !by_bans,
        _ => true,
    };
    if shows && matches { Ok(()) } else { Err(format!("the counterexample does not reproduce: {shown:?}")) }
}
