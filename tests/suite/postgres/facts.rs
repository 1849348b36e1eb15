//! Facts from the database: rows become entities, and whatever does not fit decides nothing.

use crate::postgres::scene::Scene;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const DOCUMENTS: &str = r#"
[facts.queries.documents]
query = """
SELECT r.docprefix AS id, true AS registered, v.snapshot_ref <> '' AS snapshot, true AS dry_run_green, v.unit_count AS units,
       EXISTS (SELECT FROM public.information_unit u WHERE u.canonical_address LIKE r.docprefix || '/%') AS cut_before,
       CASE WHEN r.authority_class <> '' THEN 'authoritative' END AS class
FROM cutter_governance.source_document_registry r JOIN cutter_governance.source_document_version_registry v USING (source_document_id)
"""
entity = "Document"
id = "id"
attributes = ["registered", "snapshot", "dry_run_green", "units", "cut_before"]
parents = { class = "Class" }
absent = { registered = false, snapshot = false, dry_run_green = false, units = 0, cut_before = true }
"#;

const RUN: &str = r#"
[facts.queries.run]
query = """
SELECT has_function_privilege('cutter_exec', p.oid, 'EXECUTE') AS "facts.grants.executor_may_call",
       (SELECT system_identifier::text FROM pg_control_system()) AS "facts.target.database", 'ICX-CONST' AS "facts.target.document"
FROM pg_proc p WHERE p.proname = 'fn_iu_create'
"""
entity = "Run"
attributes = ["facts.grants.executor_may_call", "facts.target.database"]
references = { "facts.target.document" = "Document" }
"#;

/// A scene whose configuration has these queries beside the repository's own.
fn scene(queries: &str) -> Scene {
    let scene = Scene::new();
    write(&scene, "cutter_observe", queries);
    scene
}

fn write(scene: &Scene, user: &str, queries: &str) {
    let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("cutter.toml")).unwrap();
    let mut rest: toml::Table = shipped.parse().unwrap();
    ["database", "facts"].into_iter().for_each(|table| drop(rest.remove(table)));
    scene.write("cutter.toml", format!("{rest}\n{}", scene.config(user, queries)));
}

fn authorize(scene: &Scene, more: &[&str]) -> Output {
    let root = env!("CARGO_MANIFEST_DIR");
    let (policies, entities, plan) =
        (format!("{root}/policies"), format!("{root}/entities"), format!("{root}/plans/o9-first-production-run.json"));
    let arguments = [
        "authorize",
        "--trust",
        "none",
        &plan,
        "--policies",
        &policies,
        "--entities",
        &entities,
        "--facts",
        "postgres",
        "--now",
        "2026-05-21T08:15:00Z",
        "--error-format",
        "plain",
    ];
    scene.run(&[&arguments, more].concat())
}

#[test]
fn rows_become_entities_and_outrank_what_was_recorded() {
    let scene = scene(&format!("{DOCUMENTS}{RUN}"));
    let output = authorize(&scene, &["--format", "json"]);
    let decisions: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(decisions["facts"]["source"], "postgres");
    let facts = &decisions["decisions"][0]["context"]["run"]["facts"];
    assert_eq!(facts["grants"]["executor_may_call"], true);
    assert_eq!(facts["grants"]["public_may_execute"], false);
    assert_ne!(facts["target"]["database"], facts["target"]["expected_database"]);
    assert_eq!(facts["target"]["document"]["__entity"]["id"], "ICX-CONST");
    let again = authorize(&scene, &["--format", "json"]);
    assert_eq!(again.stdout, output.stdout);
    scene.server.execute("REVOKE EXECUTE ON FUNCTION public.fn_iu_create FROM cutter_exec");
    let revoked: Value = serde_json::from_slice(&authorize(&scene, &["--format", "json"]).stdout).unwrap();
    assert_eq!(revoked["decisions"][0]["context"]["run"]["facts"]["grants"]["executor_may_call"], false);
    assert_ne!(revoked["facts"]["sha256"], decisions["facts"]["sha256"]);
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_query_and_decides_nothing() {
    let select = |from: &str, to: &str| DOCUMENTS.replace(from, to);
    let cases = [
        (select("v.unit_count AS units", "'many' AS units"), 3, "must be a Long, not the string `many`"),
        (select("v.unit_count AS units", "1.5 AS units"), 3, "`numeric`"),
        (select("v.unit_count AS units", "NULL::int AS units"), 3, "column `units` is NULL"),
        (select("r.docprefix AS id", "NULL::text AS id"), 3, "column `id` is NULL"),
        (select("v.unit_count AS units", "v.unit_count AS unit"), 3, "column `units` is missing"),
        (
            select("WHERE u.canonical_address LIKE r.docprefix || '/%'", "")
                .replace("entity = \"Document\"", "entity = \"Document\"\nmost_rows = 0"),
            3,
            "more than 0 rows",
        ),
        (select("entity = \"Document\"", "entity = \"Dokument\""), 3, "not an entity type"),
        (
            select(
                "FROM cutter_governance.source_document_registry r",
                "FROM generate_series(1, 2), cutter_governance.source_document_registry r",
            ),
            3,
            "a second time",
        ),
        (select("true AS registered", "pg_sleep(5) IS NULL AS registered"), 1, "SQLSTATE 57014"),
        (select("true AS registered", "nextval('public.birth_registry_id_seq') > 0 AS registered"), 1, "SQLSTATE"),
        (select("true AS registered", "1 / 0 > 0 AS registered"), 1, "SQLSTATE 22012"),
        (select("source_document_registry r", "no_such_table r"), 1, "SQLSTATE 42P01"),
        (select("SELECT r.docprefix", "SELEKT r.docprefix"), 1, "SQLSTATE 42601"),
        (
            select("true AS registered", "pg_terminate_backend(pg_backend_pid()) AS registered"),
            1,
            "query `documents` failed",
        ),
    ];
    let scene = scene("");
    for (queries, exit, words) in cases {
        let limit = if queries.contains("pg_sleep(5)") { 1 } else { 30 };
        write(&scene, "cutter_observe", &format!("statement_timeout_seconds = {limit}\n{queries}"));
        let output = authorize(&scene, &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{words}: {error}");
        assert!(error.contains(words) && error.contains("documents"), "{words}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_recorded_entity_that_its_query_did_not_give_has_nothing_that_the_query_owns() {
    let without = DOCUMENTS.replace("registered = false, ", "").replace("units = 0, ", "");
    let output = authorize(&scene(&without), &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("lacks the attribute `registered`"), "{error}");
    // What is asked of one run says nothing of another.
    let output = authorize(&scene(RUN), &["--format", "json"]);
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_queries_a_connection_or_rights_nothing_is_decided() {
    let scene = scene("");
    let failed = |exit: i32, words: &str| {
        let output = authorize(&scene, &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(exit) && error.contains(words), "{words}: {error}");
    };
    failed(3, "no query for facts");
    write(&scene, "context_pack_readonly", DOCUMENTS);
    failed(1, "SQLSTATE 42501");
    write(&scene, "cutter_ro", DOCUMENTS);
    failed(1, "SQLSTATE 28000");
    let whole = scene.read("cutter.toml");
    scene.write("cutter.toml", format!("{}\n{DOCUMENTS}", whole.split("[database]").next().unwrap()));
    failed(3, "no `[database]`");
}

#[test]
fn a_query_cannot_write_nor_smuggle_a_second_statement() {
    let scene = scene("");
    for query in [
        "SELECT 1; DELETE FROM public.dot_config",
        "SELECT 1) AS a; DELETE FROM public.dot_config; SELECT (1",
        "DELETE FROM public.dot_config RETURNING key AS id",
        "WITH gone AS (DELETE FROM public.dot_config RETURNING key AS id) SELECT * FROM gone",
        "SELECT public.fn_iu_create('NEW-DOC/DIEU/1', 'Title', 'Body', 'tester')::text AS id",
    ] {
        write(
            &scene,
            "workflow_admin",
            &format!("[facts.queries.bad]\nquery = \"{query}\"\nentity = \"Document\"\nid = \"id\"\n"),
        );
        assert_eq!(authorize(&scene, &[]).status.code(), Some(1), "{query}");
    }
    let count = scene.server.connect("postgres", "directus").query_one("SELECT count(*) FROM public.dot_config", &[]);
    assert_eq!(count.unwrap().get::<_, i64>(0), 22);
}
