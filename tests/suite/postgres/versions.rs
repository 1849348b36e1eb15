//! What holds on every version of PostgreSQL: `tests/versions` runs this module on others than the installed one.

use crate::postgres::grants::{audit, shipped};
use crate::postgres::scene::{Scene, remarkable, status};

fn version(scene: &Scene) -> i32 {
    let sql = "SELECT current_setting('server_version_num')::int / 10000";
    scene.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn captures_see_what_was_done_and_nothing_else() {
    let scene = Scene::new();
    let major = version(&scene);
    assert_eq!(scene.capture("b.json"), 0, "{:#?}", scene.unknown("b.json"));
    for (since, sql, row, exit) in [
        (15, "SELECT 1", "catalog:relations", 0),
        (15, "ANALYZE public.unit_version", "catalog:columns", 0),
        (
            15,
            "UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1; UPDATE public.knowledge_documents SET title = rtrim(title, '!') WHERE id = 1",
            "relation:public.knowledge_documents",
            6,
        ),
        (15, "BEGIN; DELETE FROM public.iu_lifecycle_log; ROLLBACK", "relation:public.iu_lifecycle_log", 6),
        (15, "GRANT SELECT ON pg_catalog.pg_authid TO cutter_exec", "catalog:relation_acl", 6),
        (15, "CREATE PUBLICATION leak FOR ALL TABLES", "catalog:pg_publication", 6),
        (15, "SELECT pg_stat_reset()", "database:statistics", 6),
        (16, "GRANT cutter_ro TO cutter_exec WITH INHERIT FALSE", "catalog:role_memberships", 6),
        (17, "GRANT MAINTAIN ON public.unit_version TO cutter_exec", "catalog:relation_acl", 6),
        (
            18,
            "ALTER TABLE public.dot_config ADD COLUMN twice text GENERATED ALWAYS AS (key || key) VIRTUAL",
            "catalog:columns",
            6,
        ),
    ] {
        if since > major {
            continue;
        }
        std::fs::rename(scene.path("b.json"), scene.path("a.json")).unwrap();
        scene.server.execute(sql);
        assert_eq!(scene.capture("b.json"), 0, "{sql}: {:#?}", scene.unknown("b.json"));
        let (found, comparison) = scene.compare();
        let wanted = if exit == 0 { "UNCHANGED" } else { "CHANGED" };
        assert_eq!((found, status(&comparison, row)), (exit, wanted), "{sql}: {:#?}", remarkable(&comparison));
    }
}

#[test]
fn a_membership_gives_what_its_options_say() {
    let conflict = |sql: &str| {
        let scene = shipped();
        let major = version(&scene);
        if major < 16 && sql.contains("INHERIT") {
            return None;
        }
        scene.server.execute(sql);
        let found = audit(&scene).1;
        let holds = |one: &&serde_json::Value| one["role"] == "cutter_exec" && one["name"] == "execute-and-verify";
        Some(found["conflicts"].as_array().unwrap().iter().any(|one| holds(&one)))
    };
    assert_eq!(conflict("SELECT 1"), Some(false));
    assert_eq!(conflict("GRANT cutter_verify TO cutter_exec"), Some(true));
    assert_ne!(conflict("GRANT cutter_verify TO cutter_exec WITH INHERIT FALSE, SET FALSE"), Some(true));
    assert_ne!(conflict("GRANT cutter_verify TO cutter_exec WITH INHERIT FALSE, SET TRUE"), Some(false));
}
