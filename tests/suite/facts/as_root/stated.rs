//! A file that the run can edit changes what is shown, and never what is done.

use crate::approvals::office::{AGENT, Office, PLANNER, plan};
use crate::support::world::{scripted, split};
use serde_json::{Value, json};

/// An office whose switch must be observed, with a row that turns it on and one that comes after it.
fn office(source: &str) -> Office {
    let office = Office::new();
    let schema = "policies/cutter.cedarschema";
    let text = office.world.read(schema);
    for known in ["observation", "ledger", "query"] {
        assert!(text.contains(&format!("@source(\"{known}\")")), "{known}");
    }
    let as_meant =
        |text: String, known: &str| text.replace(&format!("@source(\"{known}\")"), &format!("@source(\"{source}\")"));
    office.world.write(schema, ["observation", "ledger", "query"].into_iter().fold(text, as_meant));
    let ran = office.world.path("ran").display().to_string();
    for (name, to) in [("flip-on", true), ("flip-off", false)] {
        let is = format!(
            "action = 'Iu::Action::\"flip_flag\"'\nresource = 'Iu::Flag::\"execution_enabled\"'\ncontext = {{ to = {to} }}"
        );
        office.world.declare(name, &is, &scripted(&format!("echo {name} >> {ran}")));
    }
    let rows = r#"{"id":"flip-on","effect":"flip-on"},{"id":"flip-off","effect":"flip-off","finally":true}"#;
    office.world.write("plan.json", plan(PLANNER, AGENT, rows));
    office.trust();
    edit(&office, true);
    let ran = office.world.cutter("approval request plan.json");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    office.edit("FLIP", |document| {
        document["allowance"] = json!("explicit");
        document["reason"] = json!("first controlled run, as ruled on 2026-05-21");
    });
    office.sign("FLIP", "sovereign");
    office
}

fn edit(office: &Office, to: bool) {
    office.world.edit("entities/runs.json", |runs| {
        for run in runs.as_array_mut().unwrap() {
            for key in ["fingerprint_set", "public_key_imported", "selftest_passed"] {
                run["attrs"]["facts"]["backup_key"][key] = json!(to);
            }
            run["attrs"]["facts"]["switch"]["enabled"] = json!(false);
            run["attrs"]["facts"]["tree"]["digest"] = run["attrs"]["facts"]["tree"]["pinned_off"].clone();
        }
    });
}

fn ran(office: &Office) -> String {
    std::fs::read_to_string(office.world.path("ran")).unwrap_or_default()
}

#[test]
fn an_edited_file_closes_a_gap_for_authorize_and_for_nothing_that_is_done() {
    let office = office("query");
    edit(&office, false);
    let denied = office.exec("flip-on");
    assert_eq!((denied.exit, ran(&office).as_str()), (9, ""), "a denial stands: {}{}", denied.stdout, denied.stderr);
    edit(&office, true);
    let shown = office.world.cutter("authorize plan.json");
    assert_eq!(shown.exit, 0, "{}", shown.stdout);
    for words in ["STATED", "run.facts.", "facts   cutter authorize plan.json --facts postgres"] {
        assert!(shown.stdout.contains(words), "no `{words}` in {}", shown.stdout);
    }
    let done = office.exec("flip-on");
    assert_eq!((done.exit, ran(&office).as_str()), (7, ""), "{}{}", done.stdout, done.stderr);
    for words in [
        "it is approved by facts that do not come from where they must",
        "`run.facts.backup_key.selftest_passed` comes from what `runs.json` states, and must come from a query",
        "measure them: cutter exec plan.json flip-on",
    ] {
        assert!(split(&done.stdout).join(" ").contains(words), "no `{words}` in {}", done.stdout);
    }
    assert_eq!(
        office.world.cutter("log --format json").stdout.matches("\"started\"").count(),
        0,
        "nothing was used up"
    );
}

#[test]
fn a_fact_that_may_be_stated_is_good_enough_where_the_schema_says_so() {
    let office = office("stated");
    let done = office.exec("flip-on");
    assert_eq!((done.exit, ran(&office).as_str()), (0, "flip-on\n"), "{}{}", done.stdout, done.stderr);
    assert!(!office.world.cutter("authorize plan.json").stdout.contains("STATED"));
}

#[test]
fn every_fact_that_a_policy_of_the_row_reads_stands_in_the_record_with_its_source() {
    let office = office("query");
    let document = office.world.cutter("authorize plan.json --format json").json();
    let read: Vec<&Value> = document["facts_read"].as_array().unwrap().iter().collect();
    let of = |name: &str| *read.iter().find(|fact| fact["fact"] == name).unwrap_or_else(|| panic!("no {name}"));
    let key = of("run.facts.backup_key.selftest_passed");
    assert_eq!(
        (&key["value"], &key["source"], &key["name"], &key["needs"]),
        (&json!("true"), &json!("stated"), &json!("runs.json"), &json!("query"))
    );
    let group = of("Cutter::Agent::\"run-agent\".parents");
    assert_eq!((&group["source"], &group["needs"]), (&json!("bundle"), &json!("bundle")));
    let row = &document["decisions"][0];
    assert!(row["facts"].as_array().unwrap().contains(&json!("run.facts.backup_key.selftest_passed")));
    assert!(document["unmeasured"].as_array().unwrap().contains(&json!("run.facts.switch.enabled")));
    let explained = office.world.cutter_with("explain plan.json flip-on", &[("COLUMNS", "400")]).stdout;
    assert!(explained.contains("allow"), "{explained}");
}
