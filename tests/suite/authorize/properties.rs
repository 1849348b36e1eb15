//! What must hold for all inputs: order, monotony, errors deny, same inputs same decisions.

use crate::support::world::root;
use cutter::decision::{Basis, DecisionTable, decide};
use cutter::facts::{Facts, RawFacts};
use cutter::plan::{RunPlan, Work};
use cutter::policy::{BundleSources, PolicyBundle};
use cutter::problem::Source;
use cutter::project;
use cutter::request::{Moment, Requests, Stage};
use cutter::settings::Config;
use cutter::time::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The shipped texts, to be corrupted one way or another.
pub struct Texts {
    bundle: BundleSources,
    pub policies: Vec<String>,
    people: Vec<serde_json::Value>,
    entities: Vec<serde_json::Value>,
    pub plan: serde_json::Value,
}

impl Texts {
    /// What users load: every file of the bundle and of the facts, and one of the plans.
    pub fn shipped(plan: &str) -> Self {
        let bundle = project::read_bundle(&root().join("policies"), None).unwrap();
        let facts = project::read_entities(&root().join("entities")).unwrap();
        Self {
            policies: bundle.policies.iter().flat_map(|source| split(source.text())).collect(),
            people: entities(&bundle.people),
            entities: entities(&facts.sources),
            bundle,
            plan: std::fs::read_to_string(root().join(format!("plans/{plan}.json"))).unwrap().parse().unwrap(),
        }
    }

    /// The bundle and facts; `None` where Cedar's validator refuses them.
    pub fn bundle_and_facts(&self) -> Option<(PolicyBundle, Facts)> {
        let json = |entities: &[serde_json::Value]| serde_json::Value::from(entities).to_string();
        let sources = BundleSources {
            policies: vec![Source::new("policies", self.policies.join("\n"))],
            people: vec![Source::new("people", json(&self.people))],
            ..self.bundle.clone()
        };
        let bundle = PolicyBundle::parse(&sources).ok()?;
        let raw = RawFacts {
            sources: vec![Source::new("facts", json(&self.entities))],
            names: vec!["entities/facts.json".to_owned()],
            name: "facts".to_owned(),
        };
        let facts = Facts::admit(&raw, &bundle).unwrap().into_measured();
        Some((bundle, facts))
    }

    /// The plan, read; every row of it has work.
    pub fn plan_against(&self, bundle: &PolicyBundle) -> RunPlan {
        let config = Config::parse(&cutter::files::read(&root().join("cutter.toml")).unwrap()).unwrap();
        let source = Source::new("plan", self.plan.to_string());
        let mut plan = RunPlan::parse(&source, bundle.schema(), Some(&config), &|_| None).unwrap();
        plan.actions.iter_mut().for_each(|action| action.work = Some(Work::stand_in()));
        plan
    }

    /// Decides again from the texts; `None` where Cedar's validator refuses them.
    fn decide(&self, gates: &BTreeSet<String>) -> Option<(RunPlan, DecisionTable)> {
        let (bundle, facts) = self.bundle_and_facts()?;
        let plan = self.plan_against(&bundle);
        let requests = Requests::new(&plan, &bundle, &facts).unwrap();
        let now = Timestamp::parse("2026-05-21T08:15:00Z").unwrap();
        let moment = Moment { gates: gates.clone(), ..Moment::closed(now, Stage::Plan) };
        let table = decide(&requests, &moment).unwrap();
        Some((plan.clone(), table))
    }

    fn rows(&self, gates: &BTreeSet<String>) -> Option<BTreeMap<String, Comparable>> {
        let (plan, table) = self.decide(gates)?;
        let name = |index: &usize| plan.actions[*index].id.clone();
        let rows = plan.actions.iter().zip(table.rows).map(|(action, row)| {
            let blocked_by = row.blocked_by.iter().map(name).collect();
            (
                action.id.clone(),
                Comparable { basis: row.basis, policies: row.policies, needs: row.needs, gaps: row.gaps, blocked_by },
            )
        });
        Some(rows.collect())
    }
}

/// All of a row that must not depend on any order.
#[derive(PartialEq, Eq, Debug)]
struct Comparable {
    basis: Basis,
    policies: Vec<String>,
    needs: Vec<String>,
    gaps: Vec<String>,
    blocked_by: BTreeSet<String>,
}

fn entities(files: &[Source]) -> Vec<serde_json::Value> {
    files.iter().flat_map(|file| serde_json::from_str::<Vec<serde_json::Value>>(file.text()).unwrap()).collect()
}

/// The policies of one file, each with its annotations.
fn split(text: &str) -> Vec<String> {
    let mut policies: Vec<String> = text.split("\n@id(").map(|part| format!("@id({part}")).collect();
    policies.remove(0);
    policies
}

pub fn gates() -> impl Strategy<Value = BTreeSet<String>> {
    let all = ["SG_1", "SG_2", "SG_3", "FLIP", "GRANT", "PROBE", "TARGET", "BREAK_GLASS"];
    proptest::sample::subsequence(all.to_vec(), 0..=all.len())
        .prop_map(|gates| gates.into_iter().map(str::to_owned).collect())
}

fn extra_forbid() -> impl Strategy<Value = String> {
    let tier = prop_oneof![
        Just(r#"@tier("absolute")"#.to_owned()),
        Just(r#"@tier("approval") @gate("FLIP")"#.to_owned()),
        Just(r#"@tier("precondition") @gap("NEW")"#.to_owned()),
    ];
    let action = prop_oneof![
        Just("action".to_owned()),
        Just(r#"action in Cutter::Action::"mutating""#.to_owned()),
        Just(r#"action in Cutter::Action::"non_mutating""#.to_owned()),
        Just(r#"action == Iu::Action::"flip_flag""#.to_owned()),
    ];
    let condition = prop_oneof![
        Just("true".to_owned()),
        Just(r#"context.run.mode == Cutter::Mode::"live""#.to_owned()),
        Just(r#"context.run.stage == Cutter::Stage::"use""#.to_owned()),
        Just("context.run.facts.switch.enabled".to_owned()),
        Just(r#"context.run.gates.contains(Cutter::Gate::"FLIP")"#.to_owned()),
        Just(r#"principal in Cutter::Group::"executor""#.to_owned()),
        (i64::MIN..i64::MAX).prop_map(|number| format!("context.run.facts.tests.passed + {number} > 0")),
    ];
    (tier, action, condition).prop_map(|(tier, action, condition)| {
        format!("@id(\"extra\") {tier} @title(\"x\")\nforbid (principal, {action}, resource) when {{ {condition} }};")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_forbid_never_turns_a_deny_into_an_allow(extra in extra_forbid(), gates in gates()) {
        let mut texts = Texts::shipped("o9-first-production-run");
        let before = texts.rows(&gates).unwrap();
        texts.policies.push(extra);
        if let Some(after) = texts.rows(&gates) {
            for (id, row) in after {
                prop_assert!(before[&id].basis.allows() || !row.basis.allows(), "{id}");
            }
        }
    }

    #[test]
    fn the_order_of_policies_entities_and_rows_does_not_matter(
        gates in gates(),
        plan in prop_oneof![Just("o9-first-production-run"), Just("forbidden-sampler")],
        seed in any::<u64>(),
    ) {
        let mut texts = Texts::shipped(plan);
        let before = texts.rows(&gates).unwrap();
        let mut random = TestShuffle(seed);
        random.shuffle(&mut texts.policies);
        random.shuffle(&mut texts.people);
        random.shuffle(&mut texts.entities);
        random.shuffle(texts.plan["actions"].as_array_mut().unwrap());
        prop_assert_eq!(texts.rows(&gates).unwrap(), before);
    }

    #[test]
    fn any_evaluation_error_denies(
        effect in prop_oneof![Just("permit"), Just(r#"@tier("absolute") @title("x") forbid"#), Just(r#"@tier("precondition") @gap("X") @title("x") forbid"#)],
        gates in gates(),
    ) {
        let mut texts = Texts::shipped("o9-first-production-run");
        texts.policies.push(r#"@id("all") permit (principal, action, resource);"#.to_owned());
        texts.policies.push(format!("@id(\"errs\") {effect} (principal, action, resource)
            when {{ context.run.facts.tests.passed + 9223372036854775807 > 0 }};"));
        for (id, row) in texts.rows(&gates).unwrap() {
            prop_assert_eq!(row.basis, Basis::Indeterminate, "{}", id);
        }
    }

    #[test]
    fn closing_a_gate_never_turns_a_deny_into_an_allow(fewer in gates(), more in gates()) {
        let texts = Texts::shipped("forbidden-sampler");
        let all: BTreeSet<String> = fewer.union(&more).cloned().collect();
        let with_all = texts.rows(&all).unwrap();
        for (id, row) in texts.rows(&fewer).unwrap() {
            prop_assert!(!row.basis.allows() || with_all[&id].basis.allows(), "{id}");
        }
    }
}

/// A shuffle that proptest can shrink, as its seed is an input (Fisher-Yates over splitmix64).
struct TestShuffle(u64);

impl TestShuffle {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^= mixed >> 27;
            items.swap(last, usize::try_from(mixed % (last as u64 + 1)).unwrap());
        }
    }
}
