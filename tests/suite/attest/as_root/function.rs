//! Calling a function of the database under approvals: what was pinned and is another by now is not called, and said.

use crate::attest::scene::Scene;
use crate::support::world::{COMPENSATION, PLAN};
use serde_json::{Value, json};

/// The function that is called, pinned; what follows says how.
const FUNCTION: &str = r#"
[effects.compensate.sql]
function = "public.fn_iu_create(text, text, text, text, text, text, text, text, uuid)"
role = "cutter_exec"
owner = "directus"
definition_sha256 = "DEFINITION"
"#;

pub const WORK: &str = r#"answers = { status = "created" }
[effects.compensate.sql.arguments]
canonical_address = { value = "TEST-1/ARTICLE-1" }
title = { value = "x'); DROP TABLE public.information_unit; --" }
body = { value = "$1 ${resource} {resource}" }
actor = { value = "cutter_exec" }
"#;

/// One call for each row of a file whose digest is a fact of the run.
const EACH: &str = r#"each = { file = "ROWS", sha256_fact = "cutplan.writer_digest" }
answers = { status = "created" }
[effects.compensate.sql.arguments]
canonical_address = { field = "address" }
title = { field = "title" }
body = { value = "of a file" }
actor = { value = "cutter_exec" }
"#;

/// A run whose one action the quorum approved.
fn approved() -> Scene {
    approved_for(Scene::new(), WORK)
}

fn approved_for(scene: Scene, work: &str) -> Scene {
    approved_by(scene, work, |config| config)
}

/// The same by a configuration that is changed last.
pub fn approved_by(scene: Scene, work: &str, change: impl FnOnce(String) -> String) -> Scene {
    let quorum = ["president", "council-1", "council-2"];
    let signer =
        |who: &&str| format!("{who} namespaces=\"cutter-approval,cutter-reject\" {}", scene.make_key(who, "ed25519"));
    scene.write("policies/allowed_signers", quorum.iter().map(signer).collect::<String>());
    scene.configure(|config| {
        let pins = |name: &str| {
            let (_, rest) = config.split_once(&format!("[effects.{name}.sql]")).unwrap();
            let (_, digest) = rest.split_once("definition_sha256 = \"").unwrap();
            let (_, triggers) = rest.split_once(&format!("[effects.{name}.sql.triggers")).unwrap();
            let (triggers, _) = triggers.split_once(&format!("[effects.{name}.expects]")).unwrap();
            let triggers = format!("[effects.{name}.sql.triggers{triggers}").replace(name, "compensate");
            (digest[..64].to_owned(), triggers)
        };
        let (digest, triggers) = pins("cut-leg-a");
        let work = FUNCTION.replace("DEFINITION", &digest) + work;
        let compensation = format!("{COMPENSATION}\ndoes = \"creates one unit\"\n{work}{triggers}");
        change(format!("{config}\n[effects.compensate]\n{compensation}"))
    });
    let target = scene.read(PLAN).parse::<Value>().unwrap()["target"]["database"].clone();
    scene.edit(PLAN, |plan| {
        plan["run"] = json!("ictr-20260521T100000Z-5a5a5a5a");
        plan["target"] = json!({"database": target});
        plan["actions"] = json!([{"id": "it", "effect": "compensate"}]);
    });
    scene.let_facts_be_stated();
    scene.sign();
    let ran = scene.cutter(&format!("approval request {PLAN}"));
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    scene.edit("approvals/SG_3.json", |document| {
        document["allowance"] = json!("explicit");
        document["reason"] = json!("compensation ruled by the quorum");
    });
    for who in quorum {
        scene.keygen_sign(who, "cutter-approval", "approvals/SG_3.json");
        std::fs::rename(scene.path("approvals/SG_3.json.sig"), scene.path(&format!("approvals/SG_3.json.{who}.sig")))
            .unwrap();
    }
    scene
}

/// What is changed between approval and use, how it is taken back, and what is said.
const CHANGES: &[(&str, &str, &str)] = &[
    (
        "ALTER FUNCTION public.fn_iu_create SET work_mem = '4MB'",
        "ALTER FUNCTION public.fn_iu_create RESET work_mem",
        "its definition has the sha256",
    ),
    (
        "ALTER FUNCTION public.fn_iu_create OWNER TO workflow_admin",
        "ALTER FUNCTION public.fn_iu_create OWNER TO directus",
        "it is owned by `workflow_admin`",
    ),
    (
        "ALTER FUNCTION public.fn_iu_create RENAME TO fn_iu_other",
        "ALTER FUNCTION public.fn_iu_other RENAME TO fn_iu_create",
        "there is no such function",
    ),
    (
        "ALTER TABLE public.information_unit DISABLE TRIGGER trg_ab_iu_birth_gate_l1",
        "ALTER TABLE public.information_unit ENABLE TRIGGER trg_ab_iu_birth_gate_l1",
        "the trigger `trg_ab_iu_birth_gate_l1` of `public.information_unit` has the sha256",
    ),
    (
        "ALTER FUNCTION public.fn_iu_birth_gate_l1() SET work_mem = '4MB'",
        "ALTER FUNCTION public.fn_iu_birth_gate_l1() RESET work_mem",
        "the trigger `trg_ab_iu_birth_gate_l1` of `public.information_unit` has the sha256",
    ),
    (
        "ALTER TRIGGER trg_uv_enacted_immut ON public.unit_version RENAME TO another",
        "ALTER TRIGGER another ON public.unit_version RENAME TO trg_uv_enacted_immut",
        "the trigger `another` of `public.unit_version` is not declared",
    ),
    (
        "CREATE TRIGGER more BEFORE INSERT ON public.birth_registry FOR EACH ROW EXECUTE FUNCTION public.fn_enacted_immutable()",
        "DROP TRIGGER more ON public.birth_registry",
        "the trigger `more` of `public.birth_registry` is not declared",
    ),
    (
        "ALTER ROLE cutter_exec SET session_replication_role = replica",
        "ALTER ROLE cutter_exec RESET session_replication_role",
        "`session_replication_role` is `replica`",
    ),
];

pub fn units(scene: &Scene) -> i64 {
    let sql = "SELECT count(*) FROM public.information_unit WHERE canonical_address = 'TEST-1/ARTICLE-1'";
    scene.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn what_changed_between_approval_and_use_is_not_called_and_what_did_not_is() {
    let scene = approved();
    for (change, undo, words) in CHANGES {
        scene.server.execute(change);
        let ran = scene.exec("it");
        scene.server.execute(undo);
        assert!(ran.exit == 1 && ran.stderr.contains(words), "{change}: {} {}{}", ran.exit, ran.stdout, ran.stderr);
        assert_eq!(units(&scene), 0, "{change}");
        let listed = scene.cutter(&format!("approval list {PLAN} --format json")).json();
        assert_eq!(listed["approvals"][0]["status"], "accepted", "{change}");
    }
    let ran = scene.exec("it");
    assert_eq!((ran.exit, units(&scene)), (0, 1), "{}{}", ran.stdout, ran.stderr);
    let sql = "SELECT title FROM public.unit_version v JOIN public.information_unit u ON u.id = v.unit_id
               WHERE u.canonical_address = 'TEST-1/ARTICLE-1'";
    let title: String = scene.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0);
    assert_eq!(title, "x'); DROP TABLE public.information_unit; --");
    assert_eq!(scene.exec("it").exit, 5, "it is used up");
}

#[test]
fn an_answer_that_is_not_the_declared_one_or_a_refusal_of_the_server_lasts_no_longer_than_the_call() {
    for (before, words) in [
        (
            "SELECT public.fn_iu_create('TEST-1/ARTICLE-1', 'x', 'y', 'somebody')",
            "answered `status`: \"exists_complete\"",
        ),
        ("REVOKE EXECUTE ON FUNCTION public.fn_iu_create FROM cutter_exec", "permission denied"),
    ] {
        let scene = approved();
        scene.server.execute(before);
        let there = units(&scene);
        let ran = scene.exec("it");
        let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ran.exit == 10 && said.contains(words) && said.contains("stay used"), "{said} {}", ran.stderr);
        assert_eq!(units(&scene), there);
    }
}

#[test]
fn a_probe_calls_its_function_leaves_nothing_and_is_not_attested_as_never_called() {
    let expects = r#"[effects.compensate.expects]
"function:public.fn_iu_create" = { calls = 1 }
"relation:public.information_unit" = { inserted = 1 }
"relation:public.unit_version" = { inserted = 1 }
"database:transactions" = { rolled_back = 1 }
"#;
    let work = format!("rolls_back = true\n{WORK}");
    let scene = approved_by(Scene::new(), &work, |config| format!("{config}\n{expects}"));
    scene.cutter("evidence capture --format json --output a.json");
    let ran = scene.exec("it");
    assert_eq!((ran.exit, units(&scene)), (0, 0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("and was rolled back"), "{}", ran.stdout);
    assert_eq!(scene.exec("it").exit, 5, "it is used up");
    scene.cutter("evidence capture --format json --output b.json");
    let ran = scene.cutter(&format!("attest {PLAN} --baseline a.json --final b.json --format json"));
    let report = ran.json();
    let rows = report["predicate"]["non_mutation"].as_array().unwrap_or_else(|| panic!("{}{}", ran.stdout, ran.stderr));
    let status = |id: &str| {
        let row = rows.iter().find(|row| row["id"] == id).unwrap();
        (row["status"].as_str().unwrap(), row["baseline"] == row["final"])
    };
    // It was called, and what it wrote was written and is not there.
    assert_eq!(status("function:public.fn_iu_create"), ("EXPECTED", false), "{rows:#?}");
    for relation in ["information_unit", "unit_version"] {
        assert_eq!(status(&format!("relation:public.{relation}")), ("EXPECTED", true), "{rows:#?}");
    }
    assert_eq!(report["predicate"]["contradictions"], json!([]), "{rows:#?}");
}

#[test]
fn a_function_is_called_for_each_row_of_the_file_that_was_approved_and_all_of_it_lasts_or_nothing() {
    let count = |scene: &Scene| -> i64 {
        let sql = "SELECT count(*) FROM public.information_unit WHERE canonical_address LIKE 'EACH-%'";
        scene.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0)
    };
    let with = |rows: &Value| {
        let scene = Scene::new();
        let (file, text) = (scene.path("rows.json"), rows.to_string());
        scene.write("rows.json", &text);
        let digest = cutter::digest::Digest::of(text.as_bytes()).to_string();
        scene.edit("entities/runs.json", |runs| {
            for run in runs.as_array_mut().unwrap() {
                run["attrs"]["facts"]["cutplan"] =
                    json!({"units": 2, "writer_digest": digest, "second_digest": digest});
            }
        });
        approved_for(scene, &EACH.replace("ROWS", &file.display().to_string()))
    };
    let row = |address: &str| json!({"address": address, "title": "one of several"});
    let scene = with(&json!([row("EACH-1/ARTICLE-1"), row("EACH-1/ARTICLE-2")]));
    let text = scene.read("rows.json");
    scene.write("rows.json", text.replace("ARTICLE-2", "ARTICLE-3"));
    let other = scene.exec("it");
    assert!(other.exit == 1 && other.stderr.contains("has the sha256"), "{}{}", other.stdout, other.stderr);
    scene.write("rows.json", &text);
    let ran = scene.exec("it");
    assert_eq!((ran.exit, count(&scene)), (0, 2), "{}{}", ran.stdout, ran.stderr);
    // The second call answers that it is there already, and the first does not last.
    let scene = with(&json!([row("EACH-1/ARTICLE-1"), row("EACH-1/ARTICLE-1")]));
    let ran = scene.exec("it");
    assert_eq!((ran.exit, count(&scene)), (10, 0), "{}{}", ran.stdout, ran.stderr);
}
