//! Relations of every kind, names of every kind, and captures of different kinds.

use crate::postgres::scene::{EVIDENCE, Scene, remarkable, row, status};
use crate::support::waiting::wait_until;
use serde_json::{Value, json};
use std::thread;

fn observe(scene: &Scene, relations: &[&str]) {
    let relations: String = relations.iter().map(|name| format!("[evidence.relations.{name:?}]\n")).collect();
    scene.write(
        "cutter.toml",
        scene.config("cutter_observe", &format!("[evidence]\ncounter_lag_seconds = 1\n{relations}")),
    );
}

fn found<'a>(capture: &'a Value, id: &str) -> &'a Value {
    capture["observations"].as_array().unwrap().iter().find(|found| found["id"] == id).unwrap()
}

fn captured(scene: &Scene, more: &[&str]) -> Value {
    let output = scene.run(&[&["evidence", "capture", "--format", "json"], more].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_done_and_undone_under_a_view_is_not_taken_for_nothing() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE VIEW public.seen AS SELECT title FROM public.knowledge_documents; CREATE VIEW public.twice AS SELECT * FROM public.seen;
         GRANT SELECT ON public.seen, public.twice TO cutter_observe",
    );
    observe(&scene, &["public.twice"]);
    assert_eq!(scene.capture("a.json"), 0, "{:#?}", scene.unknown("a.json"));
    scene.server.execute("UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1");
    scene.server.execute("UPDATE public.knowledge_documents SET title = rtrim(title, '!') WHERE id = 1");
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "relation:public.twice")), (7, "UNKNOWN"), "{:#?}", remarkable(&comparison));
}

#[test]
fn what_a_function_under_a_view_reads_is_said_not_to_be_counted() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE FUNCTION public.titles() RETURNS SETOF text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN QUERY SELECT title FROM public.knowledge_documents; END';
         CREATE VIEW public.behind AS SELECT * FROM public.titles(); CREATE VIEW public.above AS SELECT * FROM public.behind;
         CREATE VIEW public.written AS SELECT query_to_xml('TABLE public.knowledge_documents', true, true, '')::text AS x;
         CREATE VIEW public.harmless AS SELECT lower(title) FROM public.knowledge_documents;
         GRANT SELECT ON public.behind, public.above, public.written, public.harmless TO cutter_observe",
    );
    observe(&scene, &["public.above", "public.written", "public.harmless"]);
    let capture = captured(&scene, &[]);
    for (name, words) in [("above", "the function public.titles()"), ("written", "the function query_to_xml")] {
        let found = found(&capture, &format!("relation:public.{name}"));
        assert!(found["unknown"].to_string().contains(words), "{found:#}");
    }
    assert_eq!(found(&capture, "relation:public.harmless")["status"], "observed");
}

#[test]
fn what_a_view_sets_does_not_change_how_others_are_read() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO cutter_observe;
         CREATE FUNCTION evil.hash_record_extended(record, bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
         CREATE FUNCTION evil.sets() RETURNS text LANGUAGE sql AS
             $$ SELECT set_config('search_path', 'evil, pg_catalog', false) || set_config('row_security', 'on', false) $$;
         CREATE VIEW public.a_view AS SELECT evil.sets() AS x; GRANT SELECT ON public.a_view TO cutter_observe;
         ALTER TABLE public.unit_version ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON public.unit_version USING (false)",
    );
    let evidence = |more: &str| {
        format!(
            "[evidence]\ncounter_lag_seconds = 1\n{more}[evidence.relations.\"public.unit_version\"]\n[evidence.relations.\"public.knowledge_documents\"]\nscopes = {{ one = \"id = 1\" }}\n"
        )
    };
    let content = |more: &str| {
        scene.write("cutter.toml", scene.config("cutter_observe", &evidence(more)));
        let capture = captured(&scene, &[]);
        let hidden = found(&capture, "relation:public.unit_version");
        assert!(hidden["unknown"].to_string().contains("42501"), "{hidden:#}");
        found(&capture, "relation:public.knowledge_documents")["values"]["content"].clone()
    };
    assert_eq!(content(""), content("[evidence.relations.\"public.a_view\"]\n"));
}

#[test]
fn a_foreign_partition_is_unknown_and_says_so() {
    let scene = Scene::new();
    let file = scene.server.socket_directory().join("data/rows.csv");
    std::fs::write(&file, "1\n2\n").unwrap();
    scene.server.execute(&format!(
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
         CREATE TABLE public.whole (i int) PARTITION BY RANGE (i);
         CREATE TABLE public.near PARTITION OF public.whole FOR VALUES FROM (10) TO (20); INSERT INTO public.whole VALUES (11);
         CREATE FOREIGN TABLE public.far PARTITION OF public.whole FOR VALUES FROM (0) TO (10) SERVER files OPTIONS (filename '{}', format 'csv');
         GRANT SELECT ON public.whole, public.near, public.far TO cutter_observe",
        file.display()
    ));
    observe(&scene, &["public.whole"]);
    let capture = captured(&scene, &[]);
    let whole = found(&capture, "relation:public.whole");
    assert_eq!((&whole["status"], &whole["values"]["rows"]), (&json!("unknown"), &json!("3")), "{whole:#}");
    assert!(whole["unknown"].to_string().contains("foreign table public.far"), "{whole:#}");
}

#[test]
fn types_without_a_binary_form_are_digested_as_text() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE TABLE public.acls (id int, a aclitem); INSERT INTO public.acls VALUES (1, 'postgres=r/postgres'); GRANT SELECT ON public.acls TO cutter_observe",
    );
    observe(&scene, &["public.acls"]);
    for strict in [&[][..], &["--strict"]] {
        let digest = |capture: &Value| {
            let values = &found(capture, "relation:public.acls")["values"];
            assert!(
                values[if strict.is_empty() { "content" } else { "sha256" }].as_str().unwrap().starts_with("text "),
                "{capture:#}"
            );
            values.clone()
        };
        let before = digest(&captured(&scene, strict));
        scene.server.execute("UPDATE public.acls SET a = 'postgres=w/postgres'");
        assert_ne!(before, digest(&captured(&scene, strict)));
        scene.server.execute("UPDATE public.acls SET a = 'postgres=r/postgres'");
    }
}

#[test]
fn a_stream_that_breaks_leaves_all_others_whole_and_says_why() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE VIEW public.broken AS SELECT 1 / (i - 5000) AS i FROM generate_series(1, 10000) AS i; GRANT SELECT ON public.broken TO cutter_observe",
    );
    observe(&scene, &["public.broken", "public.unit_version", "cutter_governance.verify_result"]);
    let capture = captured(&scene, &["--strict"]);
    let broken = found(&capture, "relation:public.broken");
    assert!(broken["unknown"].to_string().contains("22012"), "{broken:#}");
    for id in ["relation:public.unit_version", "relation:cutter_governance.verify_result"] {
        assert_eq!(found(&capture, id)["status"], "observed", "{capture:#}");
    }
}

#[test]
fn captures_of_different_kinds_or_levels_are_refused() {
    let scene = Scene::new();
    for (more, words) in [(&["--strict"][..], "--strict"), (&["--level", "counts"], "different levels")] {
        scene.capture("a.json");
        scene.run(&[&["evidence", "capture", "--format", "json", "--output", "b.json"], more].concat());
        let refusal = scene.refusal();
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn wildcards_watch_all_but_what_is_excluded_and_the_output_says_how_much() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE SCHEMA \"od.d\"; CREATE TABLE \"od.d\".\"ta.b\"\"le\" (i int); GRANT USAGE ON SCHEMA \"od.d\" TO cutter_observe;
         GRANT SELECT ON ALL TABLES IN SCHEMA \"od.d\" TO cutter_observe",
    );
    let evidence = "[evidence]\ncounter_lag_seconds = 1\nexclude = [\"public.knowledge_documents\"]\n[evidence.relations.\"public.*\"]\n[evidence.relations.'\"od.d\".\"ta.b\"\"le\"']\n";
    scene.write("cutter.toml", scene.config("cutter_observe", evidence));
    let capture = captured(&scene, &[]);
    let ids: Vec<&str> =
        capture["observations"].as_array().unwrap().iter().map(|found| found["id"].as_str().unwrap()).collect();
    assert!(
        ids.contains(&"relation:public.information_unit") && !ids.contains(&"relation:public.knowledge_documents"),
        "{ids:?}"
    );
    let odd = found(&capture, "relation:\"od.d\".\"ta.b\"\"le\"");
    assert_eq!((&odd["status"], &odd["values"]["rows"]), (&json!("observed"), &json!("0")), "{odd:#}");
    let (watched, of) =
        (capture["coverage"]["relations"].as_u64().unwrap(), capture["coverage"]["of"].as_u64().unwrap());
    assert!(watched > 5 && of > watched, "{watched} of {of}");
    let shown = String::from_utf8(scene.run(&["evidence", "capture", "--all"]).stdout).unwrap();
    assert!(
        shown.contains(&format!("{watched} of {of} relations")) && shown.contains("pg_statistic: what ANALYZE"),
        "{shown}"
    );
    scene.write("cutter.toml", scene.config("cutter_observe", "[evidence.relations.\"pubic.*\"]"));
    let shown = String::from_utf8(scene.run(&["evidence", "capture"]).stdout).unwrap();
    assert!(shown.contains("it means no relation here; there are") && shown.contains("`public.*`"), "{shown}");
}

#[test]
fn a_toleration_of_a_family_never_covers_rights() {
    let scene = Scene::new();
    let tolerate = |family: &str| {
        format!(
            "{EVIDENCE}\n[[evidence.tolerate]]\nid = \"catalog:{family}\"\ngrowth = 500\nwhy = \"temporary tables\"\n"
        )
    };
    scene.write("cutter.toml", scene.config("cutter_observe", &tolerate("relation_acl")));
    let output = scene.run(&["evidence", "capture"]);
    assert!(output.status.code() == Some(3) && String::from_utf8_lossy(&output.stderr).contains("holds rights"));
    scene.write("cutter.toml", scene.config("cutter_observe", &tolerate("relations")));
    for (sql, exit) in [("CREATE TEMP TABLE t AS SELECT 1 AS i", 7), ("GRANT SELECT ON pg_authid TO cutter_exec", 6)] {
        scene.capture("a.json");
        scene.server.execute(sql);
        scene.capture("b.json");
        let (found, comparison) = scene.compare();
        assert_eq!(found, exit, "{sql}: {:#?}", remarkable(&comparison));
        assert_eq!(status(&comparison, "catalog:relation_acl"), if exit == 6 { "CHANGED" } else { "UNCHANGED" });
        let tolerated = if exit == 6 { "UNKNOWN" } else { "TOLERATED" };
        let relations = row(&comparison, "catalog:relations");
        assert_eq!(relations["status"], tolerated, "{relations:#}");
    }
}

#[test]
fn a_lock_is_let_go_when_its_relation_is_read() {
    let scene = Scene::new();
    let evidence = "[evidence]\ncounter_lag_seconds = 1\n[evidence.relations.\"public.information_unit\"]\n[evidence.relations.\"public.unit_version\"]\nscopes = { slow = \"id IS NOT NULL AND pg_sleep(0.04) IS NOT NULL\" }\n";
    scene.write("cutter.toml", scene.config("cutter_observe", evidence));
    thread::scope(|scope| {
        scope.spawn(|| scene.capture("a.json"));
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'cutter_observe' AND query LIKE '%pg_sleep(0.04)%' AND state = 'active'";
        let mut client = scene.server.connect("postgres", "directus");
        wait_until("the slow scope is read", || client.query_one(waiting, &[]).unwrap().get::<_, i64>(0) > 0);
        client
            .batch_execute("SET lock_timeout = '2s'; ALTER TABLE public.information_unit ADD COLUMN more int")
            .unwrap();
    });
}

#[test]
fn a_statement_that_somebody_cancelled_says_so() {
    let scene = Scene::new();
    let evidence =
        "[evidence]\ncounter_lag_seconds = 1\n[evidence.flags.slow]\nquery = \"SELECT pg_sleep(30)::text\"\n";
    scene.write("cutter.toml", scene.config("cutter_observe", evidence));
    let shown = thread::scope(|scope| {
        let run = scope.spawn(|| String::from_utf8(scene.run(&["evidence", "capture"]).stdout).unwrap());
        let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE usename = 'cutter_observe' AND state = 'active' AND wait_event = 'PgSleep' AND query LIKE '%pg_sleep(30)%'";
        let mut client = scene.server.connect("postgres", "directus");
        wait_until("the statement is there to cancel", || client.query_one(cancel, &[]).unwrap().get::<_, i64>(0) > 0);
        run.join().unwrap()
    });
    assert!(shown.contains("somebody cancelled it (SQLSTATE 57014)"), "{shown}");
}

#[test]
fn whatever_keeps_the_observer_out_is_told_apart() {
    let scene = Scene::new();
    let file = scene.server.socket_directory().join("data/pg_hba.conf");
    let trust = "local all cutter_observe trust";
    scene.write("passfile", "elsewhere:1:*:*:x\n");
    std::fs::set_permissions(scene.path("passfile"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let passfile = format!("passfile = \"{}\"\n", scene.path("passfile").display());
    for (line, sql, more, words) in [
        ("local all cutter_observe scram-sha-256", "", "", "requires a password, and none is configured"),
        ("local all cutter_observe scram-sha-256", "", passfile.as_str(), "the password file has none for this host"),
        ("local all cutter_observe reject", "", "", "pg_hba.conf allows no connection from here"),
        ("local all cutter_observe peer", "", "", "must be that of the system's user"),
        (trust, "ALTER ROLE cutter_observe CONNECTION LIMIT 0", "", "as its CONNECTION LIMIT allows"),
        (
            trust,
            "ALTER ROLE cutter_observe CONNECTION LIMIT -1 NOLOGIN",
            "",
            "there is no such role, or it may not log in",
        ),
        (
            trust,
            "ALTER ROLE cutter_observe LOGIN; REVOKE CONNECT ON DATABASE directus FROM cutter_observe",
            "",
            "may not connect to the database",
        ),
        (trust, "ALTER DATABASE directus RENAME TO other", "", "there is no such database"),
    ] {
        std::fs::write(&file, format!("{line}\nlocal all all trust\n")).unwrap();
        let mut admin = scene.server.connect("postgres", "postgres");
        admin.batch_execute("SELECT pg_reload_conf(), pg_sleep(0.3)").unwrap();
        admin.batch_execute(sql).unwrap();
        scene.write("cutter.toml", scene.config("cutter_observe", &format!("{more}{EVIDENCE}")));
        let output = scene.run(&["evidence", "capture", "--error-format", "plain"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(words), "{line}: {error}");
    }
}
