//! The prelude's own review, once a version: it never fails to evaluate, keeps every ceiling, and each ban of it is missed when it is gone.

use crate::review::fixture::options;
use cutter::digest::{Digest, Listing};
use cutter::findings::{Outcome, Part};
use cutter::policy::{BundleSources, PolicyBundle};
use cutter::prelude::Prelude;
use cutter::problem::Source;
use cutter::progress::Silent;
use cutter::prove::{self, coverage};
use cutter::subject::{Subject, invariant};
use serde::Deserialize;

const SCHEMA: &str = include_str!("shop.cedarschema");
const PERMITS: &str = "@id(\"anything\")\npermit (principal, action, resource);\n";
const INVARIANTS: &str = include_str!("invariants.cedar");

/// A bundle that permits everything, within a prelude of this text.
fn subject(policies: &str) -> Subject {
    let sources = BundleSources {
        schemas: vec![Source::new("policies/shop.cedarschema", SCHEMA)],
        policies: vec![Source::new("policies/permits.cedar", PERMITS)],
        signers: None,
        people: Vec::new(),
        config: None,
        listing: Listing::new([("policies", Digest::of(b""))]),
        name: "policies".to_owned(),
    };
    let policies = Box::leak(policies.to_owned().into_boxed_str());
    let prelude = Box::leak(Box::new(Prelude { version: 0, policies, ..*Prelude::current() }));
    let bundle = PolicyBundle::parse(&sources).unwrap().within(prelude).unwrap();
    let beside = Source::new("tests/suite/prelude/invariants.cedar", INVARIANTS);
    let promised = Source::new("src/prelude/v1/promises.cedar", Prelude::current().promises);
    // Asked as a bundle's own, so that a ban of the prelude that is dropped is missed by them.
    let invariants = invariant::parse(&[beside, promised], bundle.schema()).unwrap();
    let mut subject = Subject::new(bundle, invariants).unwrap();
    subject.asks_prelude = true;
    subject
}

fn proved(policies: &str) -> Part {
    let cache = tempfile::tempdir().unwrap();
    prove::prove(&subject(policies), &options(cache.path()), &Silent).unwrap()
}

#[test]
fn the_prelude_never_errs_and_keeps_its_ceilings() {
    let part = proved(Prelude::current().policies);
    let failed: Vec<&str> =
        part.checks.iter().filter(|check| check.outcome != Outcome::Held).map(|check| check.name.as_str()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    for id in Prelude::current().policies.split("@id(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(part.checks.iter().any(|check| check.name == format!("never-errors: {id}")), "{id}");
    }
}

#[test]
fn each_ban_of_the_prelude_but_one_that_is_held_twice_is_missed_when_it_is_dropped() {
    let cache = tempfile::tempdir().unwrap();
    let part = coverage::coverage(&subject(Prelude::current().policies), &options(cache.path()), &Silent).unwrap();
    let bans = part.checks.iter().filter(|check| check.name.starts_with("cutter-"));
    let missed: Vec<&str> = bans.filter(|c| c.outcome != Outcome::Held).map(|c| c.name.as_str()).collect();
    // Each action of `never` is a ban of its own as well, so that nothing passes where this one alone is gone.
    assert_eq!(missed, ["cutter-never"]);
}

#[derive(Deserialize)]
struct Faults {
    fault: Vec<Fault>,
}

/// One edit of the prelude, and the rule and invariant or policy that must notice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    policy: String,
    replace: String,
    with: String,
    rule: String,
    about: String,
}

#[test]
fn a_prelude_that_is_weakened_in_one_place_is_found_out() {
    let faults: Faults = toml::from_str(include_str!("faults.toml")).unwrap();
    for fault in faults.fault {
        let text = Prelude::current().policies;
        let start = text.find(&format!("@id(\"{}\")", fault.policy)).unwrap();
        let (before, rest) = text.split_at(start);
        assert!(rest.contains(&fault.replace), "{}", fault.name);
        let part = proved(&format!("{before}{}", rest.replacen(&fault.replace, &fault.with, 1)));
        let found: Vec<(&str, &str)> = part.findings.iter().map(|f| (f.rule.number, f.about.as_str())).collect();
        assert!(found.contains(&(fault.rule.as_str(), fault.about.as_str())), "{}: {found:?}", fault.name);
    }
}

#[test]
fn a_place_in_the_prelude_is_shown_as_a_line_of_the_prelude() {
    let bundle = subject(Prelude::current().policies).bundle;
    let policy = bundle.policy("cutter-never").unwrap();
    assert_eq!(policy.source.name(), "prelude");
    assert!(policy.is_prelude() && policy.source.position(policy.span.start).0 > 100);
    assert!(bundle.own().iter().all(|policy| policy.id() == "anything" || policy.is_action));
}
