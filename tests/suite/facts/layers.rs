//! Layers of facts: the strongest that says a value gives it, and what one alone may say no weaker one adds.

use cutter::facts::{Facts, Layer, Owned, RawFacts};
use cutter::policy::PolicyBundle;
use cutter::problem::Source;
use cutter::project;
use cutter::schema::FactSource;
use cutter::time::Timestamp;
use serde_json::{Value, json};
use std::path::Path;

const RUN: &str = "ictr-20260521T081500Z-1a2b3c4d";

fn bundle() -> PolicyBundle {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    PolicyBundle::parse(&project::read_bundle(&root.join("policies"), None).unwrap()).unwrap()
}

fn stated() -> RawFacts {
    project::read_entities(&Path::new(env!("CARGO_MANIFEST_DIR")).join("entities")).unwrap()
}

/// A layer that says this of the run.
fn layer(source: FactSource, name: &str, attributes: Value, owned: &[&str]) -> Layer {
    let of = run().type_name().to_string();
    let owns =
        Owned { of: of.clone(), id: Some(RUN.to_owned()), paths: owned.iter().map(|&path| path.to_owned()).collect() };
    Layer {
        source,
        name: name.to_owned(),
        at: Timestamp::parse("2026-05-21T08:00:00Z"),
        by: Some("observer".to_owned()),
        owns: if owned.is_empty() { Vec::new() } else { vec![owns] },
        last: false,
        entities: vec![json!({"uid": {"type": of, "id": RUN}, "attrs": attributes})],
    }
}

fn run() -> cedar_policy::EntityUid {
    let bundle = bundle();
    let name = bundle.schema().entity_type("Run").unwrap();
    cedar_policy::EntityUid::from_type_name_and_id(name, cedar_policy::EntityId::new(RUN))
}

fn admit(layers: &[Layer]) -> Result<Facts, String> {
    let mut raw = stated();
    layers.iter().for_each(|layer| raw.push(layer));
    Facts::admit(&raw, &bundle())
        .map_err(|problems| problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "))
}

/// Value and source of a fact of the run.
fn of_run(facts: &Facts, path: &str) -> (String, &'static str) {
    let mut steps = path.split('.');
    let first = facts.entities().get(&run()).unwrap().attr(steps.next().unwrap()).unwrap().unwrap();
    let value = steps.try_fold(first, |value, step| match value {
        cedar_policy::EvalResult::Record(record) => record.get(step).cloned(),
        _ => None,
    });
    (value.map_or("absent".to_owned(), |value| value.to_string()), facts.provenance(&run(), path).source.name())
}

#[test]
fn what_was_measured_outranks_what_is_stated_value_by_value() {
    let facts = admit(&[
        layer(
            FactSource::Ledger,
            "backup",
            json!({"facts": {"switch": {"enabled": false}, "tests": {"passed": 1}}}),
            &[],
        ),
        layer(FactSource::Query, "grants", json!({"facts": {"grants": {"executor_may_call": false}}}), &[]),
        layer(FactSource::Observation, "flag:x", json!({"facts": {"switch": {"enabled": true}}}), &[]),
    ])
    .unwrap();
    assert_eq!(of_run(&facts, "facts.switch.enabled"), ("true".to_owned(), "observation"));
    assert_eq!(of_run(&facts, "facts.grants.executor_may_call"), ("false".to_owned(), "query"));
    assert_eq!(of_run(&facts, "facts.grants.owner_may_read"), ("true".to_owned(), "stated"));
    assert_eq!(of_run(&facts, "facts.tests.passed"), ("1".to_owned(), "ledger"));
    // Of a record the weakest part counts.
    assert_eq!(facts.provenance(&run(), "facts.grants").source.name(), "stated");
    assert_eq!(facts.provenance(&run(), "facts").source.name(), "stated");
    let by = facts.provenance(&run(), "facts.switch.enabled");
    assert_eq!(by.words(), "the observation `flag:x` of 2026-05-21T08:00:00Z by observer");
}

#[test]
fn what_one_source_alone_may_say_is_not_added_by_a_weaker_one() {
    let own = layer(FactSource::Query, "backup", json!({}), &["facts.backup", "facts.verify_result"]);
    let stated = layer(FactSource::Ledger, "forged", json!({"facts": {"verify_result": {"passed": true}}}), &[]);
    let facts = admit(&[own, stated]).unwrap();
    assert_eq!(of_run(&facts, "facts.verify_result.passed"), ("absent".to_owned(), "query"));
    assert_eq!(of_run(&facts, "facts.backup"), ("absent".to_owned(), "query"));
    // What nobody owns is absent by nobody's word.
    assert_eq!(of_run(&facts, "facts.review_decision"), ("absent".to_owned(), "stated"));
}

#[test]
fn two_sources_of_one_strength_must_not_both_say_a_value() {
    let say = |source, name: &str| layer(source, name, json!({"facts": {"switch": {"enabled": true}}}), &[]);
    for (first, second) in [(FactSource::Query, FactSource::Query), (FactSource::Query, FactSource::Observation)] {
        let error = admit(&[say(first, "a"), say(second, "b")]).unwrap_err();
        assert!(error.contains("`facts.switch.enabled`") && error.contains("`a`"), "{error}");
    }
}

#[test]
fn a_stated_file_cannot_pass_for_a_layer() {
    let forged = layer(FactSource::Query, "grants", json!({"facts": {"switch": {"enabled": true}}}), &[]);
    let mut raw = stated();
    raw.names.push("entities/query/grants.json".to_owned());
    raw.sources.push(Source::new("grants.json", forged.text()));
    assert!(Facts::admit(&raw, &bundle()).unwrap_err().iter().any(|problem| problem.message.contains("not an array")));
    // Nor a layer for another.
    let mut raw = stated();
    raw.push(&forged);
    raw.names.pop();
    raw.names.push("observation/grants".to_owned());
    let problems = Facts::admit(&raw, &bundle()).unwrap_err();
    assert!(problems.iter().any(|problem| problem.message.contains("stored under another name")));
}

#[test]
fn what_an_effect_brought_about_comes_from_the_ledger() {
    let of = run().type_name().to_string();
    let values = [
        ("facts.verify_result.passed".to_owned(), json!(true)),
        ("facts.structural_verify.passed".to_owned(), json!(true)),
    ];
    let at = Timestamp::parse("2026-05-21T08:00:00Z").unwrap();
    let produced = Layer::produced((&of, RUN), "write-verify", at, "run-agent", &values.into());
    let facts = admit(&[produced]).unwrap();
    assert_eq!(of_run(&facts, "facts.verify_result.passed"), ("true".to_owned(), "ledger"));
    assert_eq!(of_run(&facts, "facts.structural_verify.passed"), ("true".to_owned(), "ledger"));
}
