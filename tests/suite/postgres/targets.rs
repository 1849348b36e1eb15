//! The audit of targets: each criterion is a policy's to judge, and each candidate lacks exactly what it lacks.

use crate::postgres::scene::Scene;
use serde_json::{Value, json};
use std::process::Output;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The shipped configuration, and the shipped facts with one more document.
fn scene(document: &Value, edit: impl FnOnce(&mut toml::Table)) -> Scene {
    let scene = Scene::new();
    scene.configure(edit);
    std::fs::create_dir(scene.path("entities")).unwrap();
    for entry in std::fs::read_dir(format!("{ROOT}/entities")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        std::fs::copy(format!("{ROOT}/entities/{name}"), scene.path("entities").join(&name)).unwrap();
    }
    if !document.is_null() {
        scene.write("entities/more.json", json!([document]).to_string());
    }
    scene
}

fn targets(scene: &Scene, more: &[&str]) -> Output {
    let (policies, plan) = (format!("{ROOT}/policies"), format!("{ROOT}/plans/o9-first-production-run.json"));
    let arguments = ["evidence", "targets", "--trust", "none", &plan, "--policies", &policies, "--format", "json"];
    scene.run(&[&arguments[..], more].concat())
}

fn audit(scene: &Scene, more: &[&str]) -> (i32, Value) {
    let output = targets(scene, more);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}")))
}

/// The names of what a candidate is in this state in.
fn those(audit: &Value, candidate: &str, status: &str) -> Vec<String> {
    let entity = format!("Iu::Document::\"{candidate}\"");
    let found = audit["candidates"].as_array().unwrap().iter().find(|found| found["entity"] == *entity);
    let criteria = found.unwrap_or_else(|| panic!("no {candidate}: {audit:#}"))["criteria"].as_array().unwrap();
    let named = criteria.iter().filter(|criterion| criterion["status"] == status);
    named.map(|criterion| criterion["name"].as_str().unwrap().to_owned()).collect()
}

fn document(edit: impl FnOnce(&mut Value)) -> Value {
    let mut document = json!({
        "uid": {"type": "Iu::Document", "id": "more"}, "parents": [],
        "attrs": {"registered": true, "snapshot": true, "dry_run_green": true, "units": 2, "cut_before": false},
    });
    edit(&mut document);
    document
}

#[test]
fn a_candidate_lacks_exactly_the_criteria_that_it_does_not_meet() {
    type Edit = fn(&mut Value);
    let cases: [(Edit, &[&str]); 9] = [
        (|_| {}, &[]),
        (|d| d["parents"] = json!([{"type": "Iu::Class", "id": "authoritative"}]), &["C1", "C6"]),
        (|d| d["attrs"]["snapshot"] = false.into(), &["C2"]),
        (|d| d["attrs"]["dry_run_green"] = false.into(), &["C3"]),
        (|d| d["attrs"]["units"] = 0.into(), &["C4"]),
        (|d| d["attrs"]["units"] = 4.into(), &["C4"]),
        (|d| d["attrs"]["cut_before"] = true.into(), &["C7"]),
        (|d| d["attrs"]["registered"] = false.into(), &["registered"]),
        (
            |d| d["attrs"] = json!({"registered": false, "snapshot": false, "dry_run_green": false, "units": 60, "cut_before": true}),
            &["C2", "C3", "C4", "C7", "registered"],
        ),
    ];
    for (edit, lacking) in cases {
        let scene = scene(&document(edit), |_| {});
        let (exit, audit) = audit(&scene, &[]);
        assert_eq!(those(&audit, "more", "LACKING"), lacking);
        // Of C5 nobody knows the text, so that it is never met.
        assert_eq!(those(&audit, "more", "UNKNOWN"), ["C5"]);
        assert_eq!(exit, if lacking.is_empty() { 7 } else { 9 });
    }
}

#[test]
fn a_candidate_that_meets_every_criterion_closes_the_gap() {
    let scene = scene(&document(|_| {}), |config| {
        config["targets"]["criteria"].as_table_mut().unwrap().remove("C5");
        config["targets"].as_table_mut().unwrap().remove("fields");
    });
    let (exit, audit) = audit(&scene, &[]);
    assert_eq!((exit, &audit["status"]), (0, &json!("MET")), "{audit:#}");
}

#[test]
fn the_registries_are_read_live_and_a_new_row_is_a_new_candidate() {
    let scene = scene(&Value::Null, |_| {});
    let live = ["--facts", "postgres"];
    let (exit, first) = audit(&scene, &live);
    assert_eq!(
        (exit, those(&first, "ICX-CONST", "LACKING")),
        (9, ["C1", "C4", "C6", "C7"].map(str::to_owned).to_vec())
    );
    scene.server.execute(
        "INSERT INTO cutter_governance.source_document_registry VALUES ('small', 'SMALL', 'Small', 'synthetic', 'active', 'x', now());
         INSERT INTO cutter_governance.source_document_version_registry VALUES
             (gen_random_uuid(), 'small', 'v1', 'snapshot:small', 'x', 1, 2, 'x', now())",
    );
    // Nobody recorded a rehearsal of it.
    assert_eq!(those(&audit(&scene, &live).1, "SMALL", "LACKING"), ["C3"]);
    scene.write("entities/small.json", json!([document(|d| d["uid"]["id"] = "SMALL".into())]).to_string());
    assert_eq!(those(&audit(&scene, &live).1, "SMALL", "LACKING"), Vec::<String>::new());
    // What the registry says outranks what was recorded.
    scene.server.execute("UPDATE cutter_governance.source_document_registry SET authority_class = 'authoritative' WHERE docprefix = 'SMALL'");
    assert_eq!(those(&audit(&scene, &live).1, "SMALL", "LACKING"), ["C1", "C6"]);
}

#[test]
fn a_recorded_document_without_a_registry_row_is_no_safe_target() {
    let scene = scene(&document(|d| d["uid"]["id"] = "GHOST".into()), |config| {
        config["targets"]["criteria"].as_table_mut().unwrap().remove("C5");
        config["targets"].as_table_mut().unwrap().remove("fields");
    });
    assert_eq!(audit(&scene, &[]).0, 0);
    let (exit, live) = audit(&scene, &["--facts", "postgres"]);
    assert_eq!(
        (exit, those(&live, "GHOST", "LACKING")),
        (9, ["C2", "C4", "C7", "registered"].map(str::to_owned).to_vec())
    );
}

#[test]
fn a_document_without_a_version_is_listed_and_of_several_versions_the_newest_counts() {
    let scene = scene(&Value::Null, |_| {});
    let live = ["--facts", "postgres"];
    scene.server.execute("INSERT INTO cutter_governance.source_document_registry VALUES ('small', 'SMALL', 'Small', 'synthetic', 'active', 'x', now())");
    assert_eq!(those(&audit(&scene, &live).1, "SMALL", "LACKING"), ["C2", "C3", "C4"]);
    for (version, units, age) in [("v1", 2, 2), ("v2", 9, 1), ("v0", 2, 3)] {
        scene.server.execute(&format!(
            "INSERT INTO cutter_governance.source_document_version_registry VALUES
                (gen_random_uuid(), 'small', '{version}', 'snapshot:small', 'x', 1, {units}, 'x', now() - interval '{age} days')"
        ));
    }
    assert_eq!(those(&audit(&scene, &live).1, "SMALL", "LACKING"), ["C3", "C4"]);
}

#[test]
fn a_change_set_of_a_document_whose_units_are_gone_is_not_fresh() {
    let scene = scene(&Value::Null, |_| {});
    scene.server.execute("SET session_replication_role = replica; DELETE FROM public.information_unit WHERE canonical_address LIKE 'ICX-CONST/%'");
    assert!(those(&audit(&scene, &["--facts", "postgres"]).1, "ICX-CONST", "LACKING").contains(&"C7".to_owned()));
}

#[test]
fn a_policy_of_the_gap_that_is_no_criterion_bars_a_candidate_all_the_same() {
    let scene = scene(&document(|d| d["attrs"]["registered"] = false.into()), |config| {
        config["targets"]["criteria"].as_table_mut().unwrap().remove("registered");
        config["targets"].as_table_mut().unwrap().remove("fields");
    });
    let (exit, audit) = audit(&scene, &[]);
    assert_eq!((exit, those(&audit, "more", "LACKING")), (9, vec!["beside".to_owned()]));
}

#[test]
fn the_intake_package_says_what_a_target_must_bring_and_who_brings_it() {
    let scene = scene(&Value::Null, |_| {});
    let output = targets(&scene, &["--package", ".", "--facts", "postgres"]);
    assert_eq!(output.status.code(), Some(9));
    // Markdown's own signs are escaped.
    let (text, package) = (scene.read("intake.md").replace('\\', ""), scene.read("intake.json"));
    assert_eq!(package, String::from_utf8(output.stdout).unwrap());
    let package: Value = serde_json::from_str(&package).unwrap();
    let criteria = package["candidates"][0]["criteria"].as_array().unwrap();
    for field in package["fields"].as_array().unwrap() {
        let row = format!(
            "| {} | {} | {} |",
            field["name"].as_str().unwrap(),
            field["what"].as_str().unwrap(),
            field["who"].as_str().unwrap()
        );
        assert!(text.contains(&row), "{row}\n{text}");
    }
    // Nothing is asked for that nobody has to bring.
    for criterion in criteria {
        let asked = package["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["criteria"].as_array().unwrap().contains(&criterion["name"]));
        assert!(asked, "{criterion}");
    }
}

#[test]
fn a_configuration_of_targets_that_names_what_is_not_there_is_refused() {
    type Edit = fn(&mut toml::Table);
    let cases: [(Edit, &str); 10] = [
        (|c| drop(c.remove("targets")), "has no criterion"),
        (|c| c["targets"]["criteria"]["C2"]["policies"] = vec!["no-such"].into(), "names the policy `no-such`"),
        // A policy that cannot fire would be met by every candidate.
        (
            |c| c["targets"]["criteria"]["C2"]["policies"] = vec!["executor-does-its-work"].into(),
            "`C2` names the policy `executor-does-its-work`, which is no `forbid`",
        ),
        (
            |c| c["targets"]["criteria"]["C2"]["policies"] = vec!["no-public-grant"].into(),
            "`C2` names the policy `no-public-grant`, which does not apply to `start_run`",
        ),
        (
            |c| c["targets"]["criteria"]["C2"]["policies"] = vec!["no-skeleton-delete"].into(),
            "`no-skeleton-delete`, which does not apply",
        ),
        (|c| c["targets"]["entity"] = "Class".into(), "`start_run` of `[targets]` does not apply to a `Class`"),
        (|c| c["targets"]["gap"] = "GAP99".into(), "the gap `GAP99`, which no policy carries"),
        (|c| c["targets"]["entity"] = "Thing".into(), "not an entity type"),
        (|c| c["targets"]["action"] = "dry_run".into(), "no row with the action `dry_run`"),
        (|c| c["targets"]["fields"][0]["criteria"] = vec!["C9"].into(), "`C9`, which is not a criterion"),
    ];
    for (edit, words) in cases {
        let output = targets(&scene(&Value::Null, edit), &["--error-format", "plain"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && error.contains(words), "{words}: {error}");
    }
}
