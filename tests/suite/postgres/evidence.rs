//! Captures and comparisons: what they hold, what they refuse, and that they write nothing.

use crate::postgres::scene::{EVIDENCE, Scene, remarkable, row, status};
use crate::support::postgres::Options;
use serde_json::{Value, json};

#[test]
fn a_capture_writes_nothing_and_needs_no_right_to() {
    let scene = Scene::with(
        &Options::directus().setting("track_functions", "all").setting("default_transaction_read_only", "on"),
    );
    let snapshot = || {
        let row =
            scene.server.connect("cutter_observe", "directus").query_one("SELECT pg_current_snapshot()::text", &[]);
        row.unwrap().get::<_, String>(0)
    };
    let before = snapshot();
    assert_eq!(scene.capture("a.json"), 0, "{:#?}", scene.unknown("a.json"));
    assert_eq!(scene.run(&["evidence", "capture", "--strict", "--format", "json"]).status.code(), Some(0));
    assert_eq!(snapshot(), before);
}

#[test]
fn every_name_that_the_policies_ask_for_is_observed_under_that_name() {
    let scene = Scene::new();
    let more = "
[evidence.services.directus]
pid_file = \"FOLDER/pid\"
[evidence.host.units]
paths = [\"/etc/systemd/system\", \"/nowhere\"]
[evidence.host.cron]
paths = [\"/nowhere\"]
[evidence.trees.runtime-root]
path = \"FOLDER/nowhere\"
[evidence.trees.\"v0.6-deployed\"]
path = \"FOLDER/tree\"
";
    scene.write("pid", std::process::id().to_string());
    scene.write("cutter.toml", scene.config("cutter_observe", &format!("{EVIDENCE}{more}")));
    assert_eq!(scene.capture("a.json"), 7);
    let again =
        scene.run(&["evidence", "capture", "--error-format", "plain", "--format", "json", "--output", "again.json"]);
    assert_eq!(
        String::from_utf8(again.stderr).unwrap(),
        "warning: `host:cron` could not be observed in full: the host has none of them\n\
         warning: `tree:runtime-root` could not be observed in full: it does not exist\n\
         note: unmeasured (exit code 7): something could not be judged, observed or read; the result is in `again.json`\n"
    );
    let capture: Value = serde_json::from_str(&scene.read("a.json")).unwrap();
    let found: Vec<(&str, &str)> = capture["observations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["id"].as_str().unwrap(), found["status"].as_str().unwrap()))
        .collect();
    for id in [
        "catalog:columns",
        "catalog:constraints",
        "catalog:default_acl",
        "catalog:functions",
        "catalog:policies",
        "catalog:relation_acl",
        "catalog:role_memberships",
        "catalog:triggers",
        "database:identity",
        "flag:execution_enabled",
        "function:public.fn_iu_create",
        "function:public.fn_iu_enact",
        "host:units",
        "relation:public.information_unit",
        "service:directus",
        "service:postgres",
        "tree:v0.4-skeleton",
        "tree:v0.6-deployed",
    ] {
        assert!(found.contains(&(id, "observed")), "{id}: {:?}", scene.unknown("a.json"));
    }
    for id in ["host:cron", "tree:runtime-root"] {
        assert!(found.contains(&(id, "unknown")), "{id}");
    }
    assert_eq!(capture["level"]["reached"], "counts");
    assert_eq!(capture["level"]["missing"], json!(["host:cron", "tree:runtime-root"]));
}

#[test]
fn captures_that_say_nothing_about_each_other_are_refused() {
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit); 6] = [
        ("different databases", |a| a["database"]["system_identifier"] = "1".into()),
        ("different roles", |a| a["database"]["role"] = "postgres".into()),
        ("the same configuration", |a| a["config_sha256"] = "0".repeat(64).into()),
        ("out of order", |a| a["finished_at"] = "2999-01-01T00:00:00Z".into()),
        ("out of order", |a| a["database"]["snapshot"] = "9999999:9999999:".into()),
        ("older than", |a| {
            a["started_at"] = "2001-01-01T00:00:00Z".into();
            a["finished_at"] = "2001-01-01T00:00:00Z".into();
        }),
    ];
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    let kept = scene.read("a.json");
    for (words, edit) in cases {
        scene.edit("a.json", edit);
        let refusal = scene.refusal();
        assert!(refusal.contains(words), "{words}: {refusal}");
        scene.write("a.json", &kept);
    }
    scene.write("cutter.toml", &(scene.read("cutter.toml") + "\n# changed\n"));
    assert!(scene.refusal().contains("the same configuration"));
}

#[test]
fn servers_of_their_own_are_different_databases() {
    let (one, other) = (Scene::new(), Scene::with(&Options::directus().own_identity()));
    one.capture("a.json");
    other.capture("b.json");
    one.write("b.json", other.read("b.json"));
    assert!(one.refusal().contains("different databases"));
}

#[test]
fn a_capture_that_was_bent_is_no_capture() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    let kept = scene.read("b.json");
    let edits: [fn(&mut Value); 4] = [
        |b| b["observations"][0]["status"] = "unknown".into(),
        |b| b["observations"].as_array_mut().unwrap().reverse(),
        |b| b["more"] = 1.into(),
        |b| b["version"] = 2.into(),
    ];
    for edit in edits {
        scene.edit("b.json", edit);
        assert!(scene.refusal().contains("is not a capture"));
        scene.write("b.json", &kept);
    }
}

#[test]
fn an_observation_that_is_missing_from_a_capture_is_unknown() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.capture("b.json");
    scene.edit("b.json", |b| {
        b["observations"].as_array_mut().unwrap().retain(|found| found["id"] != "catalog:triggers")
    });
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "catalog:triggers")), (7, "UNKNOWN"));
}

#[test]
fn growth_is_tolerated_up_to_its_bound_and_only_as_growth() {
    let tolerate = "
[[evidence.tolerate]]
id = \"relation:public.knowledge_documents\"
growth = 1
why = \"every report that is uploaded is one\"
[[evidence.tolerate]]
id = \"database:sequences\"
value = \"public.knowledge_documents_id_seq\"
growth = 1
why = \"every report that is uploaded is one\"
";
    let insert = "INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('NAME', 'x', 'x', '{}', 1)";
    let two = insert.replace("NAME", "a") + ";" + &insert.replace("NAME", "b");
    let edited = insert.to_owned() + "; UPDATE public.knowledge_documents SET title = 'x' WHERE id = 1";
    let update = "UPDATE public.knowledge_documents SET title = 'x' WHERE id = 1";
    for (sql, exit, wanted) in
        [(insert, 0, "TOLERATED"), (&two, 6, "CHANGED"), (&edited, 6, "CHANGED"), (update, 6, "CHANGED")]
    {
        let scene = Scene::new();
        scene.write("cutter.toml", scene.config("cutter_observe", &format!("{EVIDENCE}{tolerate}")));
        scene.capture("a.json");
        scene.server.execute(sql);
        scene.capture("b.json");
        let (found, comparison) = scene.compare();
        assert_eq!(
            (status(&comparison, "relation:public.knowledge_documents"), found),
            (wanted, exit),
            "{sql} {:#?}",
            remarkable(&comparison)
        );
    }
}

#[test]
fn a_long_table_has_the_same_digest_by_any_number_of_workers() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE TABLE public.long_table (id int PRIMARY KEY, body text NOT NULL);
         INSERT INTO public.long_table SELECT i, repeat('x', 900) FROM generate_series(1, 30000) i;
         DELETE FROM public.long_table WHERE id % 7 = 0; GRANT SELECT ON public.long_table TO cutter_observe",
    );
    let digest = |workers: usize, strict: bool| {
        let evidence = format!(
            "[evidence]\nworkers = {workers}\ncounter_lag_seconds = 0\n[evidence.relations.\"public.long_table\"]\nscopes = {{ even = \"id % 2 = 0\" }}\nnewest = \"id\"\n"
        );
        scene.write("cutter.toml", scene.config("cutter_observe", &evidence));
        let mut arguments = vec!["evidence", "capture", "--format", "json"];
        arguments.extend(strict.then_some("--strict"));
        let output = scene.run(&arguments);
        let capture: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = capture["observations"]
            .as_array()
            .unwrap()
            .iter()
            .find(|found| found["id"] == "relation:public.long_table");
        found.unwrap().clone()
    };
    let (one, three) = (digest(1, false), digest(3, false));
    assert_eq!((&one["values"], &one["traces"]), (&three["values"], &three["traces"]));
    assert_eq!(one["values"]["newest id"], "30000");
    assert_eq!((&one["values"]["rows"], &one["values"]["rows even"]), (&json!("25715"), &json!("12858")));
    let strict = digest(3, true);
    assert_eq!(strict["values"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!((&strict["traces"], &strict["values"]["rows"]), (&one["traces"], &one["values"]["rows"]));
}

#[test]
fn relations_of_every_kind_are_observed_or_unknown() {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE TABLE public.\"odd \"\"name\" (cutter_row int, t int, j json); INSERT INTO public.\"odd \"\"name\" VALUES (1, 2, '{}');
         CREATE TABLE public.parts (i int) PARTITION BY LIST (i); CREATE TABLE public.part PARTITION OF public.parts DEFAULT;
         INSERT INTO public.parts VALUES (1), (2); CREATE VIEW public.seen AS SELECT i FROM public.parts;
         CREATE MATERIALIZED VIEW public.kept AS SELECT i FROM public.parts;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO cutter_observe",
    );
    let evidence = r#"[evidence]
counter_lag_seconds = 0
[evidence.relations."public.odd \"name"]
[evidence.relations."public.parts"]
[evidence.relations."public.seen"]
[evidence.relations."public.kept"]
[evidence.relations."public.absent"]
"#;
    scene.write("cutter.toml", scene.config("cutter_observe", evidence));
    assert_eq!(scene.capture("a.json"), 7);
    scene.server.execute("UPDATE public.part SET i = 3 WHERE i = 2; UPDATE public.part SET i = 2 WHERE i = 3; DELETE FROM public.\"odd \"\"name\"");
    scene.capture("b.json");
    let (_, comparison) = scene.compare();
    for (name, wanted, shown) in [
        ("odd \"name", "CHANGED", "1 rows"),
        ("parts", "CHANGED", "2 rows"),
        ("kept", "UNCHANGED", "2 rows"),
        ("absent", "UNKNOWN", "unknown"),
    ] {
        let row = row(&comparison, &format!("relation:public.{name}"));
        assert_eq!((&row["status"], &row["baseline"]), (&json!(wanted), &json!(shown)), "{row}");
    }
    assert_ne!(status(&comparison, "relation:public.seen"), "CHANGED");
}

#[test]
fn every_form_shows_every_row() {
    let scene = Scene::new();
    scene.capture("a.json");
    scene.server.execute("UPDATE public.dot_config SET value = 'a|b' WHERE key = 'iu_create.gateway.mode'");
    scene.capture("b.json");
    let rows = scene.compare().1["rows"].as_array().unwrap().len();
    for format in [&["--all"][..], &["--format", "markdown"]] {
        for arguments in [&["evidence", "compare", "a.json", "b.json"][..], &["evidence", "capture"]] {
            let output = scene.run(&[arguments, format].concat());
            let text = String::from_utf8(output.stdout).unwrap();
            let is_row = |line: &&str| line.starts_with("| ") || line.starts_with("  ");
            let ids = text.lines().filter(is_row).filter(|line| line.contains(':')).count();
            assert!(ids >= rows, "{text}");
        }
    }
    assert_eq!(scene.run(&["evidence", "compare", "a.json", "b.json", "--format", "ndjson"]).status.code(), Some(64));
}

#[test]
fn a_lock_that_somebody_holds_makes_a_table_unknown_in_time() {
    let scene = Scene::new();
    let mut holder = scene.server.connect("postgres", "directus");
    holder.batch_execute("BEGIN; LOCK TABLE public.knowledge_documents IN ACCESS EXCLUSIVE MODE").unwrap();
    assert_eq!(scene.capture("a.json"), 7);
    assert!(scene.unknown("a.json").iter().any(|text| text.contains("knowledge_documents") && text.contains("55P03")));
}

#[test]
fn a_configuration_that_cannot_be_observed_is_an_error() {
    let scene = Scene::new();
    for (evidence, words) in [
        ("[evidence.relations.information_unit]", "has no schema"),
        ("[evidence]\ndatabase = [\"sequence\"]", "names `sequence`"),
        ("[evidence]\ncatalogs = [\"trigger\"]", "names `trigger`"),
        ("[evidence.flags.x]\nfile = \"x\"", "is not complete"),
        ("[evidence.flags.x]\nfile = \"x\"\npattern = \"(\"", "not a valid regular expression"),
        ("[evidence.services.x]\nunit = \"x\"\ndatabase = true", "needs exactly one way to be found"),
        ("[evidence]\nworkers = 0", "between 1 and 64"),
        ("", "does not say what to observe"),
    ] {
        scene.write("cutter.toml", scene.config("cutter_observe", evidence));
        let output = scene.run(&["evidence", "capture"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && error.contains(words), "{evidence}: {error}");
    }
}
