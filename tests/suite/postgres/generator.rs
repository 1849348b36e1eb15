//! Random mutations with a ledger of the truth: whatever was done, a comparison never says that nothing was.
//!
//! `CUTTER_MUTATIONS=500` takes so many steps; the figures are printed.

use crate::postgres::scene::{EVIDENCE, Scene, remarkable};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// A kind of step, what it does, and what undoes it; none where nothing is done at all.
struct Kind {
    name: &'static str,
    sql: &'static str,
    undo: Option<&'static str>,
}

const KINDS: &[Kind] = &[
    Kind { name: "read", sql: "SELECT count(*) FROM public.knowledge_documents WHERE title <> '§'", undo: None },
    Kind { name: "analyze", sql: "ANALYZE public.knowledge_documents", undo: None },
    Kind {
        name: "insert",
        sql: "INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('s§', 'x', 'x', '{}', 1)",
        undo: Some("DELETE FROM public.knowledge_documents WHERE slug = 's§'"),
    },
    Kind {
        name: "update",
        sql: "UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1",
        undo: Some("UPDATE public.knowledge_documents SET title = left(title, -1) WHERE id = 1"),
    },
    Kind {
        name: "delete and insert the same",
        sql: "CREATE TEMP TABLE kept AS SELECT * FROM public.iu_lifecycle_log WHERE id = 2; DELETE FROM public.iu_lifecycle_log WHERE id = 2; INSERT INTO public.iu_lifecycle_log OVERRIDING SYSTEM VALUE TABLE kept; DROP TABLE kept",
        undo: Some("SELECT 1"),
    },
    Kind {
        name: "add a column",
        sql: "ALTER TABLE public.dot_config ADD COLUMN c§ int",
        undo: Some("ALTER TABLE public.dot_config DROP COLUMN c§"),
    },
    Kind { name: "table", sql: "CREATE TABLE public.t§ (i int)", undo: Some("DROP TABLE public.t§") },
    Kind { name: "index", sql: "CREATE INDEX i§ ON public.unit_version (title)", undo: Some("DROP INDEX public.i§") },
    Kind {
        name: "trigger",
        sql: "ALTER TABLE public.information_unit DISABLE TRIGGER trg_iu_enacted_immut",
        undo: Some("ALTER TABLE public.information_unit ENABLE TRIGGER trg_iu_enacted_immut"),
    },
    Kind {
        name: "function",
        sql: "CREATE FUNCTION public.f§() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        undo: Some("DROP FUNCTION public.f§()"),
    },
    Kind { name: "enum", sql: "CREATE TYPE public.e§ AS ENUM ('a')", undo: Some("DROP TYPE public.e§") },
    Kind {
        name: "publication",
        sql: "CREATE PUBLICATION p§ FOR TABLE public.unit_version",
        undo: Some("DROP PUBLICATION p§"),
    },
    Kind {
        name: "grant",
        sql: "GRANT INSERT ON public.unit_version TO cutter_ro",
        undo: Some("REVOKE INSERT ON public.unit_version FROM cutter_ro"),
    },
    Kind {
        name: "grant on a column",
        sql: "GRANT UPDATE (title) ON public.unit_version TO cutter_ro",
        undo: Some("REVOKE UPDATE (title) ON public.unit_version FROM cutter_ro"),
    },
    Kind {
        name: "grant on the system",
        sql: "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO cutter_ro",
        undo: Some("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) FROM cutter_ro"),
    },
    Kind {
        name: "membership",
        sql: "GRANT cutter_verify TO cutter_ro",
        undo: Some("REVOKE cutter_verify FROM cutter_ro"),
    },
    Kind { name: "role", sql: "CREATE ROLE r§", undo: Some("DROP ROLE r§") },
    Kind {
        name: "password",
        sql: "ALTER ROLE cutter_exec PASSWORD 'p§'",
        undo: Some("ALTER ROLE cutter_exec PASSWORD NULL"),
    },
    Kind {
        name: "setting of a role",
        sql: "ALTER ROLE cutter_exec SET work_mem = '5MB'",
        undo: Some("ALTER ROLE cutter_exec RESET work_mem"),
    },
    Kind {
        name: "right to a parameter",
        sql: "GRANT SET ON PARAMETER session_replication_role TO cutter_ro",
        undo: Some("REVOKE SET ON PARAMETER session_replication_role FROM cutter_ro"),
    },
    Kind { name: "large object", sql: "SELECT lo_create(§)", undo: Some("SELECT lo_unlink(§)") },
    Kind {
        name: "comment",
        sql: "COMMENT ON TABLE public.unit_version IS '§'",
        undo: Some("COMMENT ON TABLE public.unit_version IS NULL"),
    },
    Kind { name: "sequence", sql: "SELECT nextval('public.birth_registry_id_seq')", undo: Some("SELECT 1") },
    Kind { name: "call", sql: "SELECT public.fn_iu_create_plan('NEW/§', 't', 'b', 'a')", undo: Some("SELECT 1") },
];

/// How a step is carried out.
const MANNERS: &[&str] =
    &["committed", "undone by another session", "undone in one message", "rolled back", "in many messages"];

#[test]
fn no_mutation_is_ever_taken_for_nothing() {
    let wanted: Option<usize> = std::env::var("CUTTER_MUTATIONS").ok().and_then(|steps| steps.parse().ok());
    let scene = Scene::new();
    scene.write(
        "cutter.toml",
        scene.config("cutter_observe", &EVIDENCE.replace("\"public.fn_iu_enact\"]", "\"public.fn_iu_create_plan\"]")),
    );
    let mut chance: u64 = 11;
    let mut next = |below: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % below
    };
    let began = Instant::now();
    let (mut seen, mut false_alarms, mut false_cleans): (BTreeMap<&str, usize>, usize, Vec<String>) =
        (BTreeMap::new(), 0, Vec::new());
    assert_eq!(scene.capture("b.json"), 0, "{:#?}", scene.unknown("b.json"));
    let mut step = 0;
    while wanted.map_or(began.elapsed() < SHORT, |wanted| step < wanted) {
        fs::rename(scene.path("b.json"), scene.path("a.json")).unwrap();
        step += 1;
        // Each kind in turn, in a manner of its own each time.
        let (kind, manner) = (&KINDS[(step + next(3)) % KINDS.len()], MANNERS[next(MANNERS.len())]);
        let text = |sql: &str| sql.replace('§', &step.to_string());
        let (sql, undo) = (text(kind.sql), text(kind.undo.unwrap_or("SELECT 1")));
        // What cannot stand in a transaction with others is committed; a call or a bump cannot be rolled back.
        match manner {
            "undone by another session" => {
                scene.server.execute(&sql);
                scene.server.execute(&undo);
            }
            "undone in one message" => scene.server.execute(&format!("BEGIN; {sql}; COMMIT; BEGIN; {undo}; COMMIT")),
            "rolled back" => scene.server.execute(&format!("BEGIN; {sql}; ROLLBACK")),
            "in many messages" => {
                let mut client = scene.server.connect("postgres", "directus");
                ["BEGIN", &sql, "COMMIT"].iter().for_each(|sql| client.batch_execute(sql).unwrap());
            }
            _ => scene.server.execute(&sql),
        }
        scene.capture("b.json");
        let (exit, comparison) = scene.compare();
        // A definition that was never committed was in nobody's way; rows and calls are counted even so.
        let is_nothing = kind.undo.is_none();
        *seen.entry(kind.name).or_default() += 1;
        match (is_nothing, exit) {
            (true, 0) | (false, 6 | 7) => {}
            (true, _) => false_alarms += 1,
            (false, _) => {
                false_cleans.push(format!("step {step}: {} {manner}: {:#?}", kind.name, remarkable(&comparison)))
            }
        }
        if kind.undo.is_some() && matches!(manner, "committed" | "in many messages") {
            scene.server.execute(&undo);
            scene.capture("b.json");
        }
    }
    eprintln!(
        "{step} steps in {:?}: {} false cleans, {false_alarms} false alarms, {seen:?}",
        began.elapsed(),
        false_cleans.len()
    );
    assert!(false_cleans.is_empty(), "{}", false_cleans.join("\n"));
    assert_eq!(false_alarms, 0);
}

const SHORT: Duration = Duration::from_secs(40);
