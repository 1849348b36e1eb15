//! What a witness sees beside a run: what was done and undone, by each of its parts, and at which level that is proven.

use crate::postgres::companion::{DOCUMENTS, INSERT, Witness, compare, inspected, logical, patient, witnessed};
use crate::postgres::scene::{EVIDENCE, Scene, remarkable, row, status};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[test]
fn where_nothing_is_done_the_level_witness_is_reached() {
    for scene in [patient(logical()), patient(inspected())] {
        let (exit, comparison, shown) = witnessed(&scene, "");
        assert_eq!((exit, remarkable(&comparison)), (0, Vec::new()), "{shown}");
        assert_eq!(
            (&comparison["level"]["reached"], status(&comparison, "witness:record")),
            (&"witness".into(), "UNCHANGED")
        );
        assert!(shown.contains("SIGTERM"), "{shown}");
    }
}

#[test]
fn what_was_inserted_and_deleted_again_is_seen_though_its_counters_were_reset() {
    for (scene, part) in [(logical(), "slot"), (inspected(), "wal")] {
        let (exit, comparison, shown) = witnessed(
            &scene,
            &format!("{INSERT}; DELETE FROM public.knowledge_documents WHERE slug = 'x'; SELECT pg_stat_reset()"),
        );
        let row = row(&comparison, DOCUMENTS);
        assert_eq!((exit, &row["status"], &row["baseline"]), (6, &"CHANGED".into(), &row["final"]), "{shown}");
        assert!(row["because"].to_string().contains(&format!("saw by its {part}: 1 delete, 1 insert")), "{row}");
    }
}

#[test]
fn an_update_there_and_back_is_seen_by_slot_and_log() {
    for (scene, part) in [(logical(), "slot: 2 update"), (inspected(), "wal: ")] {
        let sql = "UPDATE public.knowledge_documents SET title = title || '!' WHERE id = 1;; UPDATE public.knowledge_documents SET title = rtrim(title, '!') WHERE id = 1";
        let (exit, comparison, _) = witnessed(&scene, sql);
        let row = row(&comparison, DOCUMENTS);
        assert!(exit == 6 && row["status"] == "CHANGED" && row["because"].to_string().contains(part), "{row}");
    }
}

#[test]
fn a_rolled_back_insert_is_seen_in_the_log_and_a_truncated_table_by_the_slot() {
    let scene = inspected();
    let (_, comparison, _) = witnessed(&scene, &format!("BEGIN; {INSERT}; ROLLBACK; CHECKPOINT"));
    assert!(row(&comparison, DOCUMENTS)["because"].to_string().contains("wal: 1 insert"), "{comparison:#}");
    let (_, comparison, _) = witnessed(&logical(), "TRUNCATE public.iu_lifecycle_log, public.knowledge_documents");
    for name in [DOCUMENTS, "relation:public.iu_lifecycle_log"] {
        assert!(row(&comparison, name)["because"].to_string().contains("slot: 1 truncate"), "{comparison:#}");
    }
}

#[test]
fn without_slot_and_log_it_says_so_and_still_sees_by_counters_and_headers() {
    let scene = Scene::new();
    let witness = Witness::start(&scene);
    scene.capture("a.json");
    witness.rest(&scene);
    // The longer headers take, the longer the witness rests before it looks at them again.
    for (title, looks) in [("x", 1), ("y", 2)] {
        scene.server.execute(&format!("UPDATE public.knowledge_documents SET title = '{title}' WHERE id = 1"));
        witness.sees(&scene, "headers", DOCUMENTS, looks);
    }
    witness.rest(&scene);
    scene.capture("b.json");
    witness.rest(&scene);
    let (_, shown) = witness.end("TERM");
    let (exit, comparison) = compare(&scene);
    // Long lines go on below.
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains("`wal_level` is `replica`, not `logical`") && shown.contains("`pg_walinspect` is not installed"),
        "{shown}"
    );
    assert!(shown.contains("DDL, grants and sequences") && shown.contains("roll-backs"), "{shown}");
    let row = row(&comparison, DOCUMENTS);
    assert!(exit == 6 && row["because"].to_string().contains("headers: 2 headers moved"), "{row}");
    assert_ne!(comparison["level"]["reached"], "witness");
}

#[test]
fn a_relation_that_the_log_does_not_tell_of_keeps_the_level_down() {
    let scene = patient(logical());
    scene.server.execute("ALTER TABLE public.knowledge_documents SET UNLOGGED");
    let (exit, comparison, shown) = witnessed(&scene, "");
    assert_eq!((exit, &comparison["level"]["reached"]), (0, &"net".into()), "{comparison:#}");
    assert!(row(&comparison, "witness:record")["because"].to_string().contains("it is not logged"));
    assert!(shown.contains("unlogged  public.knowledge_documents"), "{shown}");
}

#[test]
fn a_record_that_lies_on_two_pages_of_the_log_is_seen_though_only_one_of_them_is_on_the_disk() {
    let scene = inspected();
    let witness = Witness::start(&scene);
    let mut writer = scene.server.connect("postgres", "directus");
    // Nothing but the log tells of it.
    writer.batch_execute("SET track_counts = off; CHECKPOINT; BEGIN; SELECT pg_current_xact_id()").unwrap();
    let mut number = |sql: &str| -> i64 { writer.query_one(sql, &[]).unwrap().get(0) };
    number(
        "SELECT (pg_logical_emit_message(false, 'x', repeat('x', 16384 - 400 - p.used)) - '0/0')::bigint
         FROM (SELECT mod(pg_current_wal_insert_lsn() - '0/0', 8192)::int AS used) AS p",
    );
    let begins = number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint");
    number(
        "INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance)
         SELECT 'x', 'x', string_agg(md5(i::text), ''), '{}', 1 FROM generate_series(1, 40) AS i RETURNING 1::bigint",
    );
    // The server's writer brings whole pages to the disk, and so the record's first part.
    let started = Instant::now();
    while number("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint") <= begins {
        assert!(started.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(50));
    }
    let flushed = number("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint");
    assert!(flushed % 8192 == 0 && flushed - begins < 1000, "{begins} {flushed}");
    witness.rest(&scene);
    writer.batch_execute("ROLLBACK").unwrap();
    witness.rest(&scene);
    let (exit, shown) = witness.end("TERM");
    assert_eq!(exit, Some(6), "{shown}");
    assert!(shown.contains("1 insert") && !shown.contains("UNKNOWN"), "{shown}");
}

#[test]
fn a_partition_that_is_not_logged_keeps_the_level_down() {
    let scene = logical();
    scene.server.execute(
        "CREATE TABLE public.parted (id int) PARTITION BY LIST (id);
         CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES IN (1);
         CREATE UNLOGGED TABLE public.parted_2 PARTITION OF public.parted FOR VALUES IN (2);
         GRANT SELECT ON public.parted, public.parted_1, public.parted_2 TO cutter_observe",
    );
    scene.write("cutter.toml", scene.config("cutter_observe", &format!("{EVIDENCE}{PARTED}")));
    let scene = patient(scene);
    let (_, comparison, shown) = witnessed(
        &scene,
        "SET track_counts = off; INSERT INTO public.parted VALUES (2); DELETE FROM public.parted WHERE id = 2",
    );
    let because = row(&comparison, "witness:record")["because"].to_string();
    assert_eq!(comparison["level"]["reached"], "net", "{comparison:#}");
    assert!(because.contains("its partition or child public.parted_2 is not logged"), "{because}");
    assert!(shown.contains("unlogged  public.parted"), "{shown}");
}

#[test]
fn a_partition_that_is_made_later_is_watched_and_one_that_is_not_logged_is_a_gap() {
    for (persistence, part) in [("", "slot"), ("", "wal"), ("UNLOGGED", "")] {
        let scene = if part == "wal" { inspected() } else { logical() };
        scene.server.execute(
            "CREATE TABLE public.parted (id int) PARTITION BY LIST (id); GRANT SELECT ON public.parted TO cutter_observe",
        );
        scene.write("cutter.toml", scene.config("cutter_observe", &format!("{EVIDENCE}{PARTED}")));
        let (_, comparison, shown) = witnessed(
            &scene,
            &format!(
                "CREATE {persistence} TABLE public.parted_1 PARTITION OF public.parted FOR VALUES IN (1);;
                 SET track_counts = off; INSERT INTO public.parted VALUES (1); DELETE FROM public.parted"
            ),
        );
        let parted = row(&comparison, "relation:public.parted");
        if part.is_empty() {
            assert!(shown.contains("what the log tells of `public.parted` changed"), "{shown}");
            // That it has a part more is seen without any witness.
            assert_eq!((status(&comparison, "witness:record"), &parted["status"]), ("UNKNOWN", &"CHANGED".into()));
        } else {
            let words = format!("the witness saw by its {part}: 1 delete, 1 insert");
            assert!(parted["status"] == "CHANGED" && parted["because"].to_string().contains(&words), "{parted}");
        }
    }
}

const PARTED: &str = "\n[evidence.relations.\"public.parted\"]\n";

#[test]
fn declared_growth_stays_tolerated_and_an_update_does_not() {
    let tolerate = format!("{EVIDENCE}\n[[evidence.tolerate]]\nid = \"{DOCUMENTS}\"\ngrowth = 1\nwhy = \"reports\"\n
[[evidence.tolerate]]\nid = \"database:sequences\"\nvalue = \"public.knowledge_documents_id_seq\"\ngrowth = 1\nwhy = \"reports\"\n");
    let update = "UPDATE public.knowledge_documents SET title = 'x' WHERE id = 1";
    for (sql, wanted, code) in [(INSERT.to_owned(), "TOLERATED", 0), (format!("{INSERT}; {update}"), "CHANGED", 6)] {
        let scene = logical();
        scene.write("cutter.toml", scene.config("cutter_observe", &tolerate));
        let scene = patient(scene);
        let witness = Witness::start(&scene);
        scene.capture("a.json");
        // Within the lag of the counters nobody knows whether they tell of the time before the baseline.
        sleep(Duration::from_millis(11_500));
        scene.server.execute(&sql);
        witness.rest(&scene);
        scene.capture("b.json");
        witness.rest(&scene);
        witness.end("TERM");
        let (exit, comparison) = compare(&scene);
        let documents = row(&comparison, DOCUMENTS);
        assert_eq!((exit, &documents["status"]), (code, &wanted.into()), "{:#?}", remarkable(&comparison));
        assert!(documents["because"].to_string().contains("the witness saw by its slot: 1 insert"), "{documents}");
    }
}

#[test]
fn what_happened_before_the_baseline_or_after_the_end_is_none_of_the_run() {
    let scene = patient(logical());
    let witness = Witness::start(&scene);
    scene.server.execute("UPDATE public.knowledge_documents SET title = 'x' WHERE id = 1");
    ["slot", "counters", "headers"].iter().for_each(|part| witness.sees(&scene, part, DOCUMENTS, 1));
    witness.rest(&scene);
    scene.capture("a.json");
    scene.capture("b.json");
    witness.rest(&scene);
    scene.server.execute("UPDATE public.knowledge_documents SET title = 'y' WHERE id = 1");
    witness.end("TERM");
    let (exit, comparison) = compare(&scene);
    assert_eq!((exit, status(&comparison, DOCUMENTS)), (0, "UNCHANGED"), "{comparison:#}");
}

#[test]
fn what_was_seen_is_placed_by_the_clock_of_the_server_and_by_that_of_no_host() {
    let scene = logical();
    let witness = Witness::start(&scene);
    scene.capture("a.json");
    witness.rest(&scene);
    let sql = format!("SET track_counts = off; {INSERT}; DELETE FROM public.knowledge_documents WHERE slug = 'x'");
    scene.server.execute(&sql);
    witness.rest(&scene);
    scene.capture("b.json");
    witness.rest(&scene);
    witness.end("TERM");
    // The host that captured is ten minutes behind.
    for name in ["a.json", "b.json"] {
        scene.edit(name, |capture| {
            for time in ["started_at", "finished_at"] {
                let told: jiff::Timestamp = capture[time].as_str().unwrap().parse().unwrap();
                capture[time] = (told - Duration::from_secs(600)).to_string().into();
            }
        });
    }
    let (_, comparison) = compare(&scene);
    let documents = row(&comparison, DOCUMENTS);
    assert!(
        documents["because"].to_string().contains("the witness saw by its slot: 1 delete, 1 insert"),
        "{documents}"
    );
    assert_eq!((&documents["status"], status(&comparison, "witness:record")), (&"CHANGED".into(), "UNCHANGED"));
    // A capture that does not tell that clock cannot be placed.
    scene.edit("a.json", |capture| drop(capture["database"].as_object_mut().unwrap().remove("opened_at")));
    let (_, comparison) = compare(&scene);
    assert_eq!((status(&comparison, "witness:record"), status(&comparison, DOCUMENTS)), ("UNKNOWN", "UNKNOWN"));
}

#[test]
fn a_configuration_that_asks_for_a_witness_is_not_content_without() {
    let scene = logical();
    let evidence = EVIDENCE.replace("[evidence]\n", "[evidence]\nlevel = \"witness\"\n");
    scene.write("cutter.toml", scene.config("cutter_observe", &evidence));
    let scene = patient(scene);
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (0, 0));
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "witness:record")), (7, "UNKNOWN"));
    assert_eq!(&comparison["level"], &serde_json::json!({"requested": "witness", "reached": "net"}));
    let (exit, comparison, _) = witnessed(&scene, "");
    assert_eq!((exit, &comparison["level"]["reached"]), (0, &"witness".into()));
    scene.server.execute("ALTER ROLE cutter_observe NOREPLICATION");
    std::fs::remove_file(scene.path("w.ndjson")).unwrap();
    let (exit, comparison, _) = witnessed(&scene, "");
    assert_eq!((exit, status(&comparison, "witness:record")), (7, "UNKNOWN"));
}
