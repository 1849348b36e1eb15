//! The script that reviews a folder of foreign policy sets: one line a set, whatever the folders are called.

use crate::support::scrubbed::scrubbed;
use crate::support::world::{CUTTER, World, root};

const SCHEMA: &str = "entity User, Doc = { size: Long };\naction read appliesTo { principal: User, resource: Doc };\n";

#[test]
fn a_folder_of_policy_sets_becomes_a_table_of_one_line_a_set() {
    let world = World::empty();
    let clean = "permit (\n  principal,\n  action == Action::\"read\",\n  resource\n)\nwhen { resource.size == 1 };\n";
    for (folder, policies) in [
        ("a b", clean),
        ("line\nbreak", "permit (principal, action, resource);\n"),
        ("-dash/日本", "permit (principal, action, resource"),
        ("quo'te", "forbid (principal, action == Action::\"read\", resource) when { resource.size + 1 > 2 };\n"),
    ] {
        world.write(&format!("sets/{folder}/s.cedarschema"), SCHEMA);
        world.write(&format!("sets/{folder}/p.cedar"), policies);
        // What lies below a set belongs to it.
        world.write(&format!("sets/{folder}/more/q.txt"), "");
    }
    world.write("sets/bare/p.cedar", clean);
    // A set may be in JSON alone; what is JSON and no set is none.
    let policy = r#"{"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": []}"#;
    let schema = r#"{"": {"entityTypes": {"User": {}, "Doc": {}}, "actions": {"read": {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["Doc"]}}}}}"#;
    world.write("sets/json/policy.cedar.json", policy);
    world.write("sets/named/policies.json", policy);
    world.write("sets/named/schema.json", schema);
    world.write("sets/none/package.json", "{\"name\": \"x\"}\n");
    let output = scrubbed("bash")
        .arg(root().join("tests/review-folder"))
        .args(["sets", "--no-cache"])
        .env("CUTTER", CUTTER)
        .current_dir(world.folder())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let code = |name: &str| {
        let line = shown.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {shown}"));
        line.split('\t').nth(1).unwrap().parse::<i32>().unwrap()
    };
    assert_eq!(shown.lines().count(), 7, "{shown}");
    assert_eq!([code("a\\ b"), code("break"), code("-dash"), code("quo"), code("bare")], [0, 4, 3, 4, 7], "{shown}");
    assert_eq!([code("sets/json"), code("sets/named")], [4, 4], "{shown}");
}
