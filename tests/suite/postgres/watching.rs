//! The life of a witness: how it begins and ends, that it leaves nothing, and what its record is worth.

use crate::postgres::companion::{DOCUMENTS, INSERT, Witness, compare, logical, patient, witnessed};
use crate::postgres::scene::{Scene, row, status};
use crate::support::waiting::wait_until;
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

fn left_on_the_server(scene: &Scene) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_stat_activity WHERE usename = 'cutter_observe')
               + (SELECT count(*) FROM pg_class WHERE relpersistence = 't')";
    scene.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn every_way_of_ending_it_in_order_writes_a_last_line() {
    let scene = logical();
    for (signal, more, reason) in [
        ("TERM", &[][..], "SIGTERM"),
        ("INT", &[], "SIGINT"),
        ("HUP", &[], "SIGHUP"),
        ("", &["--for", "1"], "1 s"),
        ("", &["--until", "done"], "the file done"),
    ] {
        let witness = Witness::with(&scene, more);
        if reason == "the file done" {
            scene.write("done", "");
        }
        let (exit, shown) = if signal.is_empty() { witness.wait() } else { witness.end(signal) };
        assert_eq!(exit, Some(0), "{shown}");
        let record = scene.read("w.ndjson");
        let last: Value = serde_json::from_str(record.lines().last().unwrap()).unwrap();
        assert_eq!((&last["line"], &last["reason"]), (&"closed".into(), &reason.into()));
        std::fs::remove_file(scene.path("w.ndjson")).unwrap();
    }
}

#[test]
fn it_is_not_content_where_no_part_sees_every_change_or_a_catalog_was_written() {
    let scene = Scene::new();
    let (exit, shown) = Witness::start(&scene).end("TERM");
    assert!(exit == Some(7) && !shown.contains("table:"), "{shown}");
    let scene = logical();
    let witness = Witness::start(&scene);
    scene.server.execute("CREATE ROLE somebody");
    witness.rest(&scene);
    let (exit, shown) = witness.end("TERM");
    assert!(exit == Some(7) && shown.contains("table:pg_authid") && !shown.contains("relation:"), "{shown}");
}

#[test]
fn a_killed_witness_leaves_nothing_on_the_server_and_what_it_saw_in_its_record() {
    let scene = logical();
    let witness = Witness::start(&scene);
    scene.capture("a.json");
    witness.rest(&scene);
    scene.server.execute(INSERT);
    witness.rest(&scene);
    assert_ne!(left_on_the_server(&scene), 0);
    assert_eq!(witness.end("KILL").0, None);
    wait_until("nothing of it is on the server", || left_on_the_server(&scene) == 0);
    scene.capture("b.json");
    let (exit, comparison) = compare(&scene);
    assert_eq!((exit, status(&comparison, "witness:record")), (6, "UNKNOWN"));
    assert!(row(&comparison, DOCUMENTS)["because"].to_string().contains("slot: 1 insert"), "{comparison:#}");
    // Nobody saw that nothing was done to the others.
    assert_eq!(status(&comparison, "relation:public.unit_version"), "UNKNOWN");
}

#[test]
fn a_witness_that_lost_its_connection_ends_and_what_it_watched_is_not_known() {
    let scene = logical();
    let witness = Witness::start(&scene);
    scene.capture("a.json");
    scene.server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cutter_observe'");
    let (exit, shown) = witness.wait();
    assert!(exit == Some(7) && shown.contains("saw nothing more"), "{shown}");
    scene.capture("b.json");
    let (exit, comparison) = compare(&scene);
    assert_eq!((exit, status(&comparison, "relation:public.unit_version")), (7, "UNKNOWN"));
}

#[test]
fn a_look_that_fails_at_a_lock_does_not_cost_the_slot() {
    let scene = patient(logical());
    let witness = Witness::start(&scene);
    scene.capture("a.json");
    let mut holder = scene.server.connect("postgres", "directus");
    holder.batch_execute("BEGIN; LOCK TABLE public.knowledge_documents IN ACCESS EXCLUSIVE MODE").unwrap();
    // The snapshot moves, so that headers are looked at; the lock is held longer than they wait for it.
    scene.server.execute("CREATE TABLE public.beside AS SELECT 1 AS id");
    sleep(Duration::from_millis(2500));
    holder.batch_execute("ROLLBACK").unwrap();
    // A session that stays connected makes counters late.
    drop(holder);
    witness.rest(&scene);
    scene.server.execute(&format!("{INSERT}; DELETE FROM public.knowledge_documents WHERE slug = 'x'"));
    witness.rest(&scene);
    scene.capture("b.json");
    let (_, shown) = witness.end("TERM");
    let (_, comparison) = compare(&scene);
    assert!(!shown.contains("UNKNOWN"), "{shown}");
    assert!(row(&comparison, DOCUMENTS)["because"].to_string().contains("slot: 1 delete, 1 insert"), "{comparison:#}");
    assert_eq!(status(&comparison, "relation:public.unit_version"), "UNCHANGED", "{comparison:#}");
}

#[test]
fn a_slot_that_is_lost_is_told_at_once_and_makes_it_unknown() {
    let scene = patient(logical());
    let witness = Witness::start(&scene);
    scene.capture("a.json");
    // Its slot's session cannot go on reading.
    scene.server.execute("ALTER ROLE cutter_observe NOREPLICATION");
    wait_until("the witness says that it is blind", || scene.read("w.ndjson").contains("\"line\":\"blind\""));
    scene.server.execute("ALTER ROLE cutter_observe REPLICATION");
    scene.capture("b.json");
    let (exit, shown) = witness.end("TERM");
    assert!(exit == Some(7) && shown.contains("slot saw nothing more"), "{shown}");
    assert_eq!(scene.read("w.ndjson").matches("\"line\":\"blind\"").count(), 1);
    // The role itself was changed and put back, which is a change.
    let (exit, comparison) = compare(&scene);
    assert_eq!((exit, status(&comparison, "relation:public.unit_version")), (6, "UNKNOWN"));
    assert_eq!(status(&comparison, "catalog:roles"), "CHANGED");
}

#[test]
fn a_witness_that_did_not_watch_the_whole_time_makes_it_unknown() {
    for late in [true, false] {
        let scene = logical();
        if late {
            scene.capture("a.json");
        }
        let witness = Witness::start(&scene);
        scene.capture(if late { "b.json" } else { "a.json" });
        witness.end("TERM");
        if !late {
            scene.capture("b.json");
        }
        let (exit, comparison) = compare(&scene);
        assert_eq!((exit, status(&comparison, "relation:public.unit_version")), (7, "UNKNOWN"), "{comparison:#}");
        let words = if late { "after the baseline" } else { "before the final capture" };
        assert!(row(&comparison, "witness:record")["because"].to_string().contains(words));
    }
}

#[test]
fn a_record_of_something_else_or_bent_is_refused_and_one_that_breaks_off_is_not_known() {
    let scene = patient(Scene::new());
    let (exit, _, _) = witnessed(&scene, "");
    assert_eq!(exit, 0);
    let kept = scene.read("w.ndjson");
    let id = scene
        .server
        .connect("postgres", "directus")
        .query_one("SELECT system_identifier::text FROM pg_control_system()", &[]);
    let id: String = id.unwrap().get(0);
    let opened: Value = serde_json::from_str(kept.lines().next().unwrap()).unwrap();
    let config = opened["config_sha256"].as_str().unwrap().to_owned();
    let last = kept.lines().last().unwrap().to_owned() + "\n";
    for (bent, words) in [
        (kept.replace(&id, "1"), "another database"),
        (kept.replacen(&config, &"0".repeat(64), 1), "the same configuration"),
        (kept.replacen("{\"line\":\"opened\"", "{\"line\":\"x\"", 1), "line 1 has another form"),
        (kept.clone() + &last, "comes after the last"),
        (last.clone(), "line 1 does not open it"),
        (String::new(), "line 1 is not valid JSON"),
    ] {
        scene.write("w.ndjson", &bent);
        let output =
            scene.run(&["evidence", "compare", "a.json", "b.json", "--witness", "w.ndjson", "--error-format", "plain"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && error.contains(words), "{words}: {error}");
    }
    scene.write("w.ndjson", kept.trim_end());
    let (exit, comparison) = compare(&scene);
    assert_eq!((exit, status(&comparison, "witness:record")), (7, "UNKNOWN"));
}

#[test]
fn a_witness_writes_nothing_on_the_server_and_over_no_file() {
    let scene = logical();
    scene.server.execute("ALTER SYSTEM SET default_transaction_read_only = on");
    scene.server.execute("SELECT pg_reload_conf()");
    let snapshot = || {
        let row = scene.server.connect("postgres", "directus").query_one("SELECT pg_current_snapshot()::text", &[]);
        row.unwrap().get::<_, String>(0)
    };
    let before = snapshot();
    let witness = Witness::start(&scene);
    witness.rest(&scene);
    assert_eq!(witness.end("TERM").0, Some(0));
    assert_eq!(snapshot(), before);
    let kept = scene.read("w.ndjson");
    let output = scene.run(&["evidence", "witness", "--record", "w.ndjson", "--for", "1"]);
    assert_eq!((output.status.code(), scene.read("w.ndjson")), (Some(1), kept));
}
