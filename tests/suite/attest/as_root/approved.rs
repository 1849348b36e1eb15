//! An approved action: what it declares to change must have changed, exactly so, and nothing else.

use crate::attest::scene::{Scene, row};
use crate::ledger::scene::rewrite;
use crate::support::world::COMPENSATION;
use serde_json::{Value, json};

pub const UPDATE: &str = "UPDATE public.unit_version SET title = title || '!' WHERE id = (SELECT min(id::text)::uuid FROM public.unit_version)";

/// A run whose one action the quorum approved, and whose command does this to the database.
pub fn run(sql: &str, expects: &str) -> (Scene, i32, Value) {
    run_beside(sql, expects, &[])
}

/// The same, with more rows in the plan, which are not run.
pub fn run_beside(sql: &str, expects: &str, beside: &[Value]) -> (Scene, i32, Value) {
    let scene = Scene::new();
    for who in ["president", "council-1", "council-2"] {
        scene.make_key(who, "ed25519");
    }
    let signer = |who: &&str| {
        format!("{who} namespaces=\"cutter-approval,cutter-reject\" {}", scene.read(&format!("keys/{who}.pub")))
    };
    scene.write(
        "policies/allowed_signers",
        ["president", "council-1", "council-2"].iter().map(signer).collect::<String>(),
    );
    let socket = scene.server.socket_directory().display().to_string();
    let psql = scene.server.client("psql").get_program().to_str().unwrap().to_owned();
    let sql = format!("SET session_replication_role = replica; {sql}");
    let argv =
        json!([psql, "-qX", "-v", "ON_ERROR_STOP=1", "-h", socket, "-U", "postgres", "-d", "directus", "-c", sql]);
    scene.configure(|config| {
        config.replace(
            "[gates.BREAK_GLASS]",
            &format!(
                "[effects.compensate]\n{COMPENSATION}\ndoes = \"compensates\"\nargv = {argv}\npin = \"root-owned\"\n{expects}\n[gates.BREAK_GLASS]"
            ),
        )
    });
    let number: Value = scene.read(crate::support::world::PLAN).parse().unwrap();
    let compensate = json!({"id": "compensate", "action": "Iu::Action::\"compensate\"",
        "resource": "Iu::Relation::\"public.information_unit\"", "effect": "compensate"});
    let actions: Vec<&Value> = [&compensate].into_iter().chain(beside).collect();
    let plan = json!({
        "version": 1, "plan": "compensation", "run": "ictr-20260521T100000Z-5a5a5a5a", "mode": "live",
        "author": "Cutter::Agent::\"planner\"", "principal": "Cutter::Agent::\"run-agent\"",
        "target": {"database": number["target"]["database"]},
        "actions": actions,
    });
    scene.write(crate::support::world::PLAN, plan.to_string());
    scene.let_facts_be_stated();
    scene.sign();
    let ran = scene.cutter(&format!("approval request {}", crate::support::world::PLAN));
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let mut document: Value = scene.read("approvals/SG_3.json").parse().unwrap();
    document["allowance"] = json!("explicit");
    document["reason"] = json!("compensation ruled by the quorum");
    scene.write("approvals/SG_3.json", document.to_string());
    for who in ["president", "council-1", "council-2"] {
        scene.keygen_sign(who, "cutter-approval", "approvals/SG_3.json");
        std::fs::rename(scene.path("approvals/SG_3.json.sig"), scene.path(&format!("approvals/SG_3.json.{who}.sig")))
            .unwrap();
    }
    assert_eq!(scene.capture("a.json"), 0);
    let ran = scene.exec("compensate");
    assert!(matches!(ran.exit, 0 | 10), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(scene.capture("b.json"), 0);
    let (exit, report) = scene.report();
    (scene, exit, report)
}

fn kinds(report: &Value) -> Vec<&str> {
    report["predicate"]["contradictions"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect()
}

pub const ONE: &str = r#"expects = { "relation:public.unit_version" = { updated = 1 } }"#;

#[test]
fn an_approved_action_that_does_exactly_what_it_declares_is_done_with_approval() {
    let (scene, exit, report) = run(UPDATE, ONE);
    assert_eq!(
        (exit, &report["predicate"]["verdict"]),
        (0, &"AUTHORIZED".into()),
        "{:#}",
        report["predicate"]["contradictions"]
    );
    let observed = row(&report, "non_mutation", "relation:public.unit_version");
    assert_eq!((&observed["status"], &observed["explained_by"]), (&"EXPECTED".into(), &json!(["compensate"])));
    let ban = row(&report, "forbidden", "no-compensation-without-approval");
    assert_eq!((&ban["status"], &ban["lifted"]), (&"DONE_WITH_APPROVAL".into(), &json!(["compensate"])));
    let done = row(&report, "done", "compensate");
    assert_eq!((&done["approvals"][0]["gate"], &done["outcome"]), (&"SG_3".into(), &"finished".into()));
    assert_eq!(row(&report, "forbidden", "no-hard-delete")["status"], "NOT_DONE");
    // Nothing of it is left to be believed: verify decides the row again, with the gate as it was open then.
    let ran = scene.attest("--attest report.json --key keys/attester");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let ran = scene.cutter(&format!("verify report.json --policies policies --trust {}", scene.trust_path().display()));
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("1 rows, decided again"), "{}", ran.stdout);
}

#[test]
fn an_effect_that_is_absent_differs_or_goes_further_contradicts() {
    let twice =
        "UPDATE public.unit_version SET title = title || '!' WHERE id IN (SELECT id FROM public.unit_version LIMIT 2)";
    let elsewhere =
        format!("{UPDATE}; UPDATE public.dot_config SET value = value || ' ' WHERE key = 'iu_create.gateway.mode'");
    for (sql, expects, kind) in [
        ("SELECT 1", ONE, "effect_absent"),
        (twice, ONE, "effect_differs"),
        (
            "DELETE FROM public.unit_version WHERE id = (SELECT min(id::text)::uuid FROM public.unit_version)",
            ONE,
            "effect_differs",
        ),
        (UPDATE, "", "unexplained_change"),
        (elsewhere.as_str(), ONE, "unexplained_change"),
    ] {
        let (_scene, exit, report) = run(sql, expects);
        assert_eq!((exit, kinds(&report)), (6, vec![kind]), "{sql}");
    }
}

#[test]
fn the_sequence_of_a_table_moves_with_the_rows_that_are_declared_for_it_and_no_further() {
    let insert = |number: &str| {
        format!(
            "INSERT INTO public.iu_lifecycle_log OVERRIDING SYSTEM VALUE SELECT (one).* FROM (SELECT jsonb_populate_record(l, jsonb_build_object('id', {number})) AS one FROM public.iu_lifecycle_log l LIMIT 1) AS ones"
        )
    };
    let next = "nextval('public.iu_lifecycle_log_id_seq')";
    let expects = r#"expects = { "relation:public.iu_lifecycle_log" = { inserted = 1 } }"#;
    for (sql, status, exit) in [
        (insert(next), "EXPECTED", 0),
        (format!("{}; SELECT {next}", insert(next)), "CHANGED", 6),
        // What may grow by itself does so beside it, within its own bound.
        (format!("{}; SELECT nextval('public.knowledge_documents_id_seq')", insert(next)), "EXPECTED", 0),
        (
            format!(
                "{}; SELECT count(nextval('public.knowledge_documents_id_seq')) FROM generate_series(1, 21)",
                insert(next)
            ),
            "CHANGED",
            6,
        ),
        (format!("{}; SELECT setval('public.iu_lifecycle_log_id_seq', 1)", insert("999999")), "CHANGED", 6),
    ] {
        let (_scene, found, report) = run(&sql, expects);
        let observed = row(&report, "non_mutation", "database:sequences");
        let told = &report["predicate"]["contradictions"];
        assert_eq!((found, &observed["status"]), (exit, &status.into()), "{sql}: {told:#}");
        let named = observed["explained_by"] == json!(["compensate"]) || told.to_string().contains("inserted = ");
        assert!(named || sql.contains("setval"), "{told:#}");
    }
}

#[test]
fn a_failed_action_that_changed_nothing_is_disclosed_and_leaves_calls_unknown() {
    let (_scene, exit, report) = run("SELECT 1 / 0", ONE);
    // It was rolled back, and a call that ends in an error is counted nowhere.
    assert_eq!((exit, kinds(&report)), (7, Vec::new()));
    let told = report["predicate"]["disclosures"].to_string();
    assert!(told.contains("`compensate` ended with 1"), "{told}");
}

#[test]
fn an_action_whose_approval_is_no_longer_there_or_whose_recorded_decision_was_edited_leaves_nothing_certain() {
    let (scene, exit, _) = run(UPDATE, ONE);
    assert_eq!(exit, 0);
    let journal = scene.read(".cutter/records.ndjson");
    let uncertain = |why: &str| {
        let (exit, report) = scene.report();
        assert_eq!((exit, &report["predicate"]["verdict"]), (7, &"INDETERMINATE".into()), "{why}");
        let told = report["predicate"]["disclosures"].to_string();
        assert!(told.contains(why), "no `{why}` in {told}");
    };
    for (from, to, why) in [
        (r#""basis":"approved""#, r#""basis":"permitted""#, "deciding again does not give it"),
        (r#""id":"SG_3""#, r#""id":"BREAK_GLASS""#, "deciding again does not give it"),
    ] {
        assert!(journal.contains(from), "{from}");
        rewrite(&scene.path(".cutter"), |_| journal.replace(from, to));
        uncertain(why);
    }
    rewrite(&scene.path(".cutter"), |_| journal.clone());
    for who in ["president", "council-1"] {
        std::fs::remove_file(scene.path(&format!("approvals/SG_3.json.{who}.sig"))).unwrap();
    }
    uncertain("no recorded approval opens `SG_3` at that moment");
}

#[test]
fn a_report_after_facts_changed_verifies_and_one_whose_quorum_was_stripped_or_renamed_does_not() {
    let (scene, _, _) = run(UPDATE, ONE);
    let facts = scene.read("entities/runs.json");
    // Facts that changed after the use: the row is decided again by those of its moment.
    scene.write("entities/runs.json", facts.replacen("\"facts\":", "\n\"facts\":", 1));
    assert_ne!(facts, scene.read("entities/runs.json"));
    let ran = scene.attest("--attest report.json --key keys/attester");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let ran = scene.verify("report.json --policies policies --expect AUTHORIZED");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(scene.faults("report.json --expect BLOCKED").contains("BLOCKED was expected"));
    // To whoever knows that a voter's key is the author's, the quorum was not there.
    let root = std::fs::read_to_string(scene.trust_path()).unwrap();
    let key = scene.public_key("council-1");
    for entity in ["Cutter::Agent::\"run-agent\"", "Cutter::Person::\"council-2\""] {
        scene.trust(&format!("{root}voter namespaces=\"cutter-evidence\" {key}\n# cutter-signer: voter = {entity}\n"));
        let faults = scene.faults("report.json --policies policies");
        assert!(faults.contains("predicate.decisions.approvals") && faults.contains("self_approval"), "{faults}");
    }
    scene.trust(&root);
    let approvals = |change: &dyn Fn(&mut Value)| {
        let name = format!("forged-{}.json", std::fs::read_dir(scene.folder()).unwrap().count());
        scene.forge(&name, |it| change(it));
        scene.faults(&format!("{name} --policies policies"))
    };
    for (what, change) in [
        (
            "signatures",
            &(|it: &mut Value| it["predicate"]["grounds"]["approvals"][0]["signatures"] = json!([]))
                as &dyn Fn(&mut Value),
        ),
        ("signers", &|it| it["predicate"]["decisions"]["approvals"][0]["signers"] = json!(["president"])),
        ("id", &|it| it["predicate"]["decisions"]["approvals"][0]["id"] = json!("another")),
        ("gate", &|it| it["predicate"]["decisions"]["approvals"][0]["gate"] = json!("SG_1")),
        ("used", &|it| it["predicate"]["done"][0]["approvals"][0]["id"] = json!("another")),
    ] {
        let faults = approvals(change);
        assert!(faults.contains("approvals"), "{what}: {faults}");
    }
}

#[test]
fn the_journal_of_a_real_run_comes_out_the_same_and_otherwise_without_the_permit_it_rested_on() {
    let (scene, exit, _) = run(UPDATE, ONE);
    assert_eq!(exit, 0);
    let log = scene.cutter("log --format json --output journal.json");
    assert_eq!(log.exit, 0, "{}", log.stderr);
    let same = scene.cutter("replay journal.json");
    assert_eq!(same.exit, 0, "{}{}", same.stdout, same.stderr);
    assert!(same.stdout.starts_with("replay  THE SAME  1 decisions"), "{}", same.stdout);
    scene.replace("policies/permits.cedar", "executor-does-its-work", "executor-does-nothing");
    scene.replace(
        "policies/permits.cedar",
        "action in Iu::Action::\"executor_work\"",
        "action == Iu::Action::\"survey\"",
    );
    let narrowed = scene.cutter("replay journal.json");
    assert_eq!(narrowed.exit, 0, "{}{}", narrowed.stdout, narrowed.stderr);
    assert!(narrowed.stdout.contains("NARROWED"), "{}", narrowed.stdout);
}
