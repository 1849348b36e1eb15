//! The scenarios of the domain that need no signature and no database: one folder a case, all of them data.

use crate::support::world::{World, root};
use serde_json::Value;
use std::collections::BTreeMap;

const TIME: &str = "2026-05-21T12:00:00Z";

#[test]
fn every_case_folder_gives_the_decisions_it_expects() {
    let mut names: Vec<String> = std::fs::read_dir(root().join("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 20, "only {} cases", names.len());
    let world = World::shipped();
    let mut failures = Vec::new();
    for name in &names {
        if let Err(failure) = check(&world, name) {
            failures.push(format!("{name}: {failure}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs one case: the shipped facts with the case's own entities in place of those of the same name.
fn check(world: &World, name: &str) -> Result<(), String> {
    let read = |file: &str| std::fs::read_to_string(root().join("tests/cases").join(name).join(file)).unwrap();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut entities: BTreeMap<String, Value> = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("entities")).unwrap() {
        for entity in json(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).as_array().unwrap() {
            entities.insert(entity["uid"].to_string(), entity.clone());
        }
    }
    for entity in json(&read("entities.json")).as_array().unwrap() {
        entities.insert(entity["uid"].to_string(), entity.clone());
    }
    world.write("case/facts.json", serde_json::to_string(&entities.values().collect::<Vec<_>>()).unwrap());
    world.write("case.json", read("plan.json"));
    let ran = world.cutter(&format!("authorize case.json --entities case --now {TIME} --format json"));
    let (expected, found) =
        (json(&read("expected.json")), ran.stdout.parse::<Value>().map_err(|_| ran.stderr.clone())?);
    compare("exit", &expected["exit"], &Value::from(ran.exit))?;
    for key in ["verdict", "open_gaps", "deferred_gaps"] {
        compare(key, &expected[key], &found[key])?;
    }
    let rows = found["decisions"].as_array().unwrap();
    compare("rows", &Value::from(expected["rows"].as_object().unwrap().len()), &Value::from(rows.len()))?;
    for row in rows {
        let id = row["id"].as_str().unwrap();
        let wanted = expected["rows"].get(id).ok_or(format!("row {id} is not expected"))?;
        let gates: Vec<&Value> = row["needs"].as_array().unwrap().iter().map(|need| &need["gate"]).collect();
        for (key, wanted) in wanted.as_object().unwrap() {
            let found = if key == "needs" { serde_json::json!(gates) } else { row[key].clone() };
            compare(&format!("{id}.{key}"), wanted, &found)?;
        }
        let allows = matches!(wanted["basis"].as_str(), Some("permitted" | "approved"));
        compare(&format!("{id}.decision"), &Value::from(if allows { "allow" } else { "deny" }), &row["decision"])?;
    }
    Ok(())
}

fn compare(what: &str, expected: &Value, found: &Value) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}")) }
}
