//! What `--format ndjson` prints is a request that Cedar's own authorizer decides alike.

use crate::support::world::{World, root};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, Schema};
use serde_json::Value;
use std::str::FromStr as _;

fn all_policies() -> PolicySet {
    let paths = std::fs::read_dir(root().join("policies")).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    let mut texts: Vec<String> = paths.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    texts.push(World::empty().cutter("schema prelude --policies").stdout);
    let mut set = PolicySet::new();
    for text in texts {
        for policy in PolicySet::from_str(&text).unwrap().policies() {
            let named: Policy = policy.new_id(PolicyId::new(policy.annotation("id").unwrap()));
            set.add(named).unwrap();
        }
    }
    set
}

#[test]
fn every_row_of_every_shipped_plan_gets_cedars_own_decision() {
    let world = World::shipped();
    let schema = Schema::from_cedarschema_str(&world.cutter("schema merged").stdout).unwrap().0;
    let mut facts = Vec::new();
    let files = ["entities", "policies"].map(|folder| std::fs::read_dir(root().join(folder)).unwrap());
    for entry in files.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        facts.extend(serde_json::from_str::<Vec<Value>>(&text).unwrap());
    }
    let entities = Entities::from_json_value(Value::Array(facts), Some(&schema)).unwrap();
    let (policies, authorizer) = (all_policies(), Authorizer::new());
    let mut compared = 0;
    for plan in ["o9-first-production-run", "generic-dryrun", "forbidden-sampler"] {
        let ran = world.cutter(&format!("authorize plans/{plan}.json --format ndjson"));
        for line in ran.stdout.lines() {
            let row: Value = line.parse().unwrap();
            let uid = |key: &str| EntityUid::from_str(row[key].as_str().unwrap()).unwrap();
            // As `cedar authorize --request-json` reads it: the context without help from the schema.
            let context = Context::from_json_value(row["context"].clone(), None).unwrap();
            let request =
                Request::new(uid("principal"), uid("action"), uid("resource"), context, Some(&schema)).unwrap();
            let response = authorizer.is_authorized(&request, &policies, &entities);
            let mut reasons: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
            // An action of `never` is a ban by its own name; in Cedar's files `cutter-never` is all that says so.
            let named = |id: &&Value| policies.policy(&PolicyId::new(id.as_str().unwrap())).is_none();
            let by_itself: Vec<&Value> = row["policies"].as_array().unwrap().iter().filter(named).collect();
            assert!(by_itself.iter().all(|id| uid("action").id().escaped() == id.as_str().unwrap()), "{by_itself:?}");
            reasons.extend(by_itself.into_iter().map(|id| id.as_str().unwrap().to_owned()));
            reasons.sort();
            assert_eq!(serde_json::json!(reasons), row["policies"], "{}", row["id"]);
            assert_eq!(response.diagnostics().errors().count(), 0);
            if row["basis"] != "blocked_by" && row["basis"] != "indeterminate" {
                assert_eq!(response.decision() == Decision::Allow, row["decision"] == "allow", "{}", row["id"]);
                compared += 1;
            }
        }
    }
    assert!(compared > 60, "only {compared} rows were compared");
}
