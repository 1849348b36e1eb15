//! Cases in the form of `cedar run-tests`, unchanged; single requests; and cases to begin with.

use crate::support::scrubbed::scrubbed;
use crate::support::world::{CUTTER, World, root};
use serde_json::{Value, json};

const POLICIES: &str = r#"
permit (principal in Group::"writers", action == Action::"publish", resource);
@id("no-drafts")
forbid (principal, action, resource) when { resource.draft };
"#;

const SCHEMA: &str = "entity Group; entity User in [Group]; entity Page { draft: Bool };
action publish appliesTo { principal: User, resource: Page };";

/// A folder of policies that were not written for cutter, with its facts.
fn pages() -> World {
    let world = World::empty();
    world.write("pages/pages.cedar", POLICIES);
    world.write("pages/pages.cedarschema", SCHEMA);
    let facts = json!([
        { "uid": { "type": "User", "id": "ada" }, "attrs": {}, "parents": [{ "type": "Group", "id": "writers" }] },
        { "uid": { "type": "Page", "id": "home" }, "attrs": { "draft": false }, "parents": [] },
        { "uid": { "type": "Page", "id": "new" }, "attrs": { "draft": true }, "parents": [] },
    ]);
    world.write("cases/facts.json", facts.to_string());
    world
}

/// A case of that folder, decided by these policies.
fn case(page: &str, decision: &str, reason: &[&str]) -> Value {
    json!({
        "request": {
            "principal": "User::\"ada\"", "action": "Action::\"publish\"", "resource": format!("Page::\"{page}\""),
            "context": {},
        },
        "entities": "facts.json", "decision": decision, "reason": reason, "num_errors": 0,
    })
}

/// What is asked, how many of the cases hold, and what is said of one that does not.
#[test]
fn cases_of_cedars_own_form_are_asked_unchanged_with_policies_named_by_place_or_id() {
    let world = pages();
    let all: [(Value, u64, &str); 6] = [
        (json!([case("home", "allow", &["policy0"]), case("new", "deny", &["no-drafts"])]), 2, ""),
        (json!([case("new", "deny", &["policy1"])]), 1, ""),
        (json!([case("new", "deny", &[])]), 1, ""),
        (json!([case("new", "allow", &[])]), 0, "decision: expected allow, got deny"),
        (json!([case("home", "allow", &["no-drafts"])]), 0, "policies: `no-drafts` did not decide"),
        (json!([case("home", "allow", &["not-there"])]), 0, "policies: `not-there` did not decide"),
    ];
    for (document, passed, said) in all {
        world.write("cases/all.json", document.to_string());
        let ran = world.cutter("test cases --policies pages");
        let exit = if said.is_empty() { 0 } else { 4 };
        assert_eq!(ran.exit, exit, "{document}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(said), "{document}: {}", ran.stdout);
        let report = world.cutter("test cases --policies pages --format json").json();
        assert_eq!(report["passed"], passed, "{document}");
    }
}

#[test]
fn a_case_that_cedar_would_not_read_is_wrong_at_its_place_and_so_are_entities_from_outside_the_folder() {
    let world = pages();
    world.write("outside.json", "[]");
    let wrong = |path: &str, value: Value| {
        let mut document = json!([case("home", "allow", &[])]);
        *document.pointer_mut(path).unwrap() = value;
        document
    };
    let all = [
        (wrong("/0/decision", json!("perhaps")), "`decision` is `allow` or `deny`"),
        (wrong("/0/reason", json!("policy0")), "`reason` is an array"),
        (wrong("/0/num_errors", json!(-1)), "`num_errors` is a number"),
        (wrong("/0/request/principal", json!("ada")), "`principal` is an entity"),
        (wrong("/0/request/context", json!({ "more": true })), "context"),
        (wrong("/0/entities", json!("../outside.json")), "are outside the folder"),
        (json!([]), "holds no case"),
    ];
    for (document, said) in all {
        world.write("cases/all.json", document.to_string());
        let ran = world.cutter("test cases/all.json --policies pages --error-format plain");
        assert_eq!((ran.exit, ran.stdout.as_str()), (3, ""), "{document}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{document}: {}", ran.stderr);
    }
}

#[test]
fn a_single_request_is_asked_of_the_recorded_facts() {
    let world = World::example("rollout");
    let ran = world.cutter("authorize plan.json --format ndjson");
    let mut request: Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    let members = ["principal", "action", "resource", "context"];
    request.as_object_mut().unwrap().retain(|name, _| members.contains(&name.as_str()));
    request["decision"] = json!("allow");
    // The facts of the run are in the context; the others are recorded.
    let entities = [world.read("entities/facts.json"), world.read("policies/agents.json")];
    let entities: Vec<Value> =
        entities.iter().flat_map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap()).collect();
    world.write("cases/deploy.json", request.to_string());
    assert_eq!(world.cutter("test cases").exit, 0);
    request["entities"] = json!(entities);
    request["context"]["run"]["facts"]["tests_passed"] = json!(false);
    world.write("cases/deploy.json", request.to_string());
    let ran = world.cutter("test cases");
    assert_eq!(ran.exit, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("context.run.facts.tests_passed is false"), "{}", ran.stdout);
}

#[test]
fn a_case_for_each_ban_is_written_to_begin_with_and_holds() {
    for example in ["billing", "rollout"] {
        let world = World::example(example);
        let ran = world.cutter("test begun --init");
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
        let cases: Value = serde_json::from_str(&world.read("begun/bans.json")).unwrap();
        let bans: Vec<&str> =
            cases.as_array().unwrap().iter().map(|case| case["reason"][0].as_str().unwrap()).collect();
        let policies = world.listing().into_iter().map(|(path, _)| path).filter(|path| path.ends_with(".cedar"));
        let text: String = policies
            .filter(|path| !path.display().to_string().contains("invariants"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        assert!(bans.len() >= text.matches("\nforbid").count(), "{example}: {bans:?}");
        let ran = world.cutter("test begun");
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(world.cutter("test begun --init").exit, 1, "what is there is not written over");
    }
}

/// A folder in the layout of Cedar's integration tests: agreements are counted, and a difference is named.
#[test]
fn a_corpus_in_the_layout_of_cedars_integration_tests_is_asked_and_differences_are_named() {
    let world = pages();
    world.write("corpus/p/pages.cedar", POLICIES);
    world.write("corpus/s/pages.cedarschema", SCHEMA);
    world.write("corpus/e/facts.json", world.read("cases/facts.json"));
    let request = |page: &str, decision: &str, reason: &[&str]| {
        let uid = |kind: &str, id: &str| json!({ "type": kind, "id": id });
        json!({
            "description": page, "principal": uid("User", "ada"), "action": uid("Action", "publish"),
            "resource": uid("Page", page), "context": {}, "decision": decision, "reason": reason, "errors": [],
        })
    };
    let test = |key: &str, requests: Value| {
        json!({
            "policies": "p/pages.cedar", "schema": "s/pages.cedarschema", "entities": "e/facts.json",
            "shouldValidate": true, key: requests,
        })
    };
    let good = json!([request("home", "allow", &["policy0"]), request("new", "deny", &["no-drafts"])]);
    world.write("corpus/tests/good.json", test("requests", good).to_string());
    world.write("corpus/tests/old.json", test("queries", json!([request("home", "Allow", &["policy0"])])).to_string());
    let ask = || {
        let mut script = scrubbed("python3");
        let output = script.arg(root().join("tests/corpus")).arg("corpus").env("CUTTER", CUTTER);
        let output = output.current_dir(world.folder()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, shown) = ask();
    assert!(code == Some(0) && shown.ends_with("3 of 3 requests agree, in 2 files\n"), "{shown}");
    world.write("corpus/tests/bad.json", test("requests", json!([request("new", "allow", &[])])).to_string());
    let (code, shown) = ask();
    assert!(code == Some(4) && shown.ends_with("3 of 4 requests agree, in 3 files\n"), "{shown}");
    assert!(shown.contains("tests/bad.json\t0 of 1\tnew: decision: expected allow, got deny"), "{shown}");
}
