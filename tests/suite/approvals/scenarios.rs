//! The scenarios of the domain that need signatures, and the branch on which the seed report turns.

use crate::approvals::office::{AGENT, NOW, Office, PLAN, PLANNER, plan};
use crate::support::world::scripted;

#[test]
fn with_fresh_approvals_and_closed_preconditions_the_first_run_is_authorized() {
    let office = Office::new();
    office.approve_o9();
    let ran = office.authorize(PLAN, "");
    assert_eq!((ran.exit, ran.json()["verdict"].as_str()), (0, Some("AUTHORIZED")), "{}{}", ran.stdout, ran.stderr);
    let document = ran.json();
    let cut = document["decisions"].as_array().unwrap().iter().find(|row| row["id"] == "cut").unwrap();
    assert_eq!(cut["basis"], "approved");
    assert_eq!(cut["needs"], serde_json::json!([{"gate": "FLIP"}, {"gate": "SG_1"}]));
}

/// Scenarios 3, 4 and the lifecycle half of 7: each gate is needed, and none stands for another.
#[test]
fn without_any_one_of_the_three_approvals_it_is_ready_and_no_more() {
    let office = Office::new();
    office.approve_o9();
    for (gate, still_denied) in [("FLIP", "flip-on"), ("SG_1", "cut"), ("SG_2", "enact")] {
        let file = format!("approvals/{gate}.json.sig");
        let signature = office.world.read(&file);
        office.world.remove(&file);
        let ran = office.authorize(PLAN, "");
        let document = ran.json();
        assert_eq!((ran.exit, document["verdict"].as_str()), (5, Some("READY_FOR_SOVEREIGN_APPROVAL")), "{gate}");
        let row = document["decisions"].as_array().unwrap().iter().find(|row| row["id"] == still_denied).unwrap();
        assert_eq!(row["basis"], "approval_required");
        office.world.write(&file, signature);
    }
}

#[test]
fn with_approvals_and_an_open_precondition_it_is_blocked() {
    let office = Office::new();
    let documents = office.world.read("entities/documents.json");
    office.world.write("entities/documents.json", documents.replace("\"units\": 2,", "\"units\": 0,"));
    office.approve_o9();
    let ran = office.authorize(PLAN, "");
    assert_eq!((ran.exit, ran.json()["verdict"].as_str()), (9, Some("BLOCKED")), "{}", ran.stderr);
    assert_eq!(ran.json()["open_gaps"], serde_json::json!(["GAP8"]));
}

/// Scenario 25: an approval covers its own rows and nothing else.
#[test]
fn a_valid_cut_approval_lifts_no_absolute_ban() {
    let office = Office::new();
    let rows = r#"{"id":"restart","action":"Iu::Action::\"restart_service\"","resource":"Iu::Service::\"directus\""},
        {"id":"cut","effect":"cut-leg-a"}"#;
    office.world.write("plan.json", plan(PLANNER, AGENT, rows));
    office.request("plan.json");
    office.sign("SG_1", "sovereign");
    office.sign("FLIP", "sovereign");
    let ran = office.authorize("plan.json", "");
    let document = ran.json();
    assert_eq!(ran.exit, 2);
    assert_eq!(document["decisions"][0]["basis"], "forbidden");
    assert_eq!(document["decisions"][1]["basis"], "approved");
}

/// Scenario 26: a grant-only approval covers exactly the statements of the plan.
#[test]
fn a_grant_approval_covers_the_exact_statements_and_no_grant_option() {
    let office = Office::new();
    let grant = |id: &str, option: bool| {
        format!(
            r#"{{"id":"{id}","effect":"grant","context":{{"privilege":"SELECT","on":"cutter_governance.verify_result","with_grant_option":{option}}}}}"#
        )
    };
    let is = "action = 'Iu::Action::\"grant\"'\nresource = 'Iu::Role::\"cutter_exec\"'\n\
              open = ['privilege', 'on', 'with_grant_option']";
    office.world.declare("grant", is, &scripted("true"));
    let operator = r#"Cutter::Person::\"operator\""#;
    office.world.write("plan.json", plan(PLANNER, operator, &grant("one", false)));
    office.request("plan.json");
    office.sign("GRANT", "sovereign");
    assert_eq!(office.authorize("plan.json", "").exit, 0);
    office.world.write("plan.json", plan(PLANNER, operator, &[grant("one", false), grant("two", false)].join(",")));
    assert_eq!(office.code("plan.json", "GRANT", ""), "wrong_plan");
    office.world.write("plan.json", plan(PLANNER, operator, &grant("one", true)));
    assert_eq!(office.authorize("plan.json", "").exit, 2);
}

/// Scenario 10: what is no approval document opens nothing and is not mistaken for an error.
#[test]
fn a_ruling_a_draft_a_stub_and_a_row_are_no_approvals() {
    let office = Office::new();
    office.world.write("approvals/ruling.json", r#"{"verdict":"PASS","selected_next":"O9"}"#);
    office.world.write("approvals/draft.md", "gate: SG_1\nallowance: explicit\n");
    office.world.write(
        "approvals/row.json",
        r#"{"verdict":"approve","status":"decided","decision_at":"1970-01-01","findings":[]}"#,
    );
    office.world.write("approvals/broken.json", b"\xff\xfe");
    let ran = office.authorize(PLAN, "");
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    let approvals = ran.json()["approvals"].as_array().unwrap().clone();
    let codes: Vec<&str> = approvals.iter().map(|row| row["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["malformed", "malformed", "malformed", "missing", "missing", "missing"]);
}

/// Scenario 14: an authority's input is not completed.
#[test]
fn a_run_id_with_another_hyphen_is_another_run() {
    let office = Office::new();
    office.approve_o9();
    office.edit("SG_1", |document| document["run"] = "ictr-20260521T081500Z1a2b3c4d".into());
    office.sign("SG_1", "sovereign");
    assert_eq!(office.code(PLAN, "SG_1", ""), "wrong_run");
}

#[test]
fn a_request_holds_exactly_the_barred_rows_and_says_what_no_approval_lifts() {
    let office = Office::new();
    let ran = office.world.cutter(&format!("approval request plans/forbidden-sampler.json --output ask --now {NOW}"));
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("`no-hard-delete` is forbidden: no approval can ever lift it"), "{}", ran.stdout);
    let document: serde_json::Value = office.world.read("ask/BREAK_GLASS.json").parse().unwrap();
    let rows = document["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["id"]), (1, &"no-restore-without-break-glass".into()));
    assert_eq!(
        (document["allowance"].as_str(), document["expires_at"].as_str()),
        (Some(""), Some("2026-05-21T09:15:00Z"))
    );
    let again = office.world.cutter(&format!("approval request plans/forbidden-sampler.json --output ask --now {NOW}"));
    assert_eq!(again.exit, 1);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
}

#[test]
fn cutter_approval_sign_makes_what_ssh_keygen_makes() {
    let office = Office::new();
    office.request(PLAN);
    let ran = office.world.cutter("approval sign --yes approvals/SG_1.json --key keys/sovereign");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert_eq!(office.code(PLAN, "SG_1", ""), "accepted");
    let no = office.world.cutter("approval sign --yes approvals/SG_1.json --key keys/sovereign --reject --as no");
    assert_eq!(no.exit, 0, "{}", no.stderr);
    assert_eq!(office.code(PLAN, "SG_1", ""), "vetoed");
}

#[test]
fn looking_writes_nothing_not_even_a_ledger() {
    let office = Office::new();
    office.world.remove(".cutter");
    let before = office.world.listing();
    assert_eq!(office.authorize(PLAN, "").exit, 5);
    office.world.cutter(&format!("approval list {PLAN}"));
    office.world.cutter(&format!("explain {PLAN} cut"));
    assert_eq!(office.world.listing(), before);
}
