//! A witness beside a run: what was done and undone is seen, what it did not see is not known, and it leaves nothing.

use crate::scene::{EVIDENCE, Scene, remarkable, row, status};
use crate::support::postgres::Options;
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const INSERT: &str =
    "INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('x', 'x', 'x', '{}', 1)";
const DOCUMENTS: &str = "relation:public.knowledge_documents";

/// A server that lets the observer open a logical slot.
fn logical() -> Scene {
    let scene = Scene::with(&Options::directus().setting("track_functions", "all").setting("wal_level", "logical"));
    scene.server.execute("ALTER ROLE cutter_observe REPLICATION");
    scene
}

/// A server whose log the observer may read.
fn inspected() -> Scene {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE EXTENSION pg_walinspect WITH SCHEMA public;
         GRANT EXECUTE ON FUNCTION public.pg_get_wal_records_info TO cutter_observe",
    );
    scene
}

/// A witness that is watching.
struct Witness(Child);

impl Witness {
    fn start(scene: &Scene) -> Self {
        Self::with(scene, &[])
    }

    fn with(scene: &Scene, more: &[&str]) -> Self {
        let mut command = scene.command(&["evidence", "witness", "--record", "w.ndjson", "--every", "100"]);
        let child = command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut witness = Self(child);
        let began = Instant::now();
        let path = scene.folder.path().join("w.ndjson");
        while !std::fs::read_to_string(&path).is_ok_and(|text| text.contains('\n')) {
            assert!(witness.0.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(30));
            sleep(Duration::from_millis(20));
        }
        witness
    }

    /// Lets looks pass, so that what comes next lies between two of them.
    ///
    /// Servers of tests do not wait for the disk, so that the log is complete only after a while.
    fn rest(&self) {
        sleep(Duration::from_millis(1200));
    }

    /// Sends a signal, and gives the exit code and what was printed.
    fn end(self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("sh").args(["-c", "kill -\"$1\" \"$0\"", &self.0.id().to_string(), signal]).status();
        assert!(sent.unwrap().success());
        self.wait()
    }

    fn wait(self) -> (Option<i32>, String) {
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    }
}

fn compare(scene: &Scene) -> (i32, Value) {
    let output = scene.run(&["evidence", "compare", "a.json", "b.json", "--witness", "w.ndjson", "--format", "json"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}")))
}

/// Baseline, this, final, between the beginning and the end of a witness.
fn witnessed(scene: &Scene, sql: &str) -> (i32, Value, String) {
    let witness = Witness::start(scene);
    scene.capture("a.json");
    witness.rest();
    sql.split(";;").filter(|sql| !sql.is_empty()).for_each(|sql| {
        scene.server.execute(sql);
        witness.rest();
    });
    scene.capture("b.json");
    witness.rest();
    let (_, shown) = witness.end("TERM");
    let (exit, comparison) = compare(scene);
    (exit, comparison, shown)
}

fn left_on_the_server(scene: &Scene) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_stat_activity WHERE usename = 'cutter_observe')
               + (SELECT count(*) FROM pg_class WHERE relpersistence = 't')";
    scene.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn where_nothing_is_done_the_level_witness_is_reached() {
    for scene in [logical(), inspected()] {
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
    let sql = "UPDATE public.knowledge_documents SET title = 'x' WHERE id = 1;; UPDATE public.knowledge_documents SET title = 'y' WHERE id = 1";
    let (exit, comparison, shown) = witnessed(&scene, sql);
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
    let scene = logical();
    scene.server.execute("ALTER TABLE public.knowledge_documents SET UNLOGGED");
    let (exit, comparison, shown) = witnessed(&scene, "");
    assert_eq!((exit, &comparison["level"]["reached"]), (0, &"net".into()), "{comparison:#}");
    assert!(row(&comparison, "witness:record")["because"].to_string().contains("it is not logged"));
    assert!(shown.contains("unlogged  public.knowledge_documents"), "{shown}");
}

#[test]
fn declared_growth_stays_tolerated_and_an_update_does_not() {
    let tolerate = format!("{EVIDENCE}\n[[evidence.tolerate]]\nid = \"{DOCUMENTS}\"\ngrowth = 1\nwhy = \"reports\"\n
[[evidence.tolerate]]\nid = \"database:sequences\"\nvalue = \"public.knowledge_documents_id_seq\"\ngrowth = 1\nwhy = \"reports\"\n");
    let update = "UPDATE public.knowledge_documents SET title = 'x' WHERE id = 1";
    for (sql, wanted, code) in [(INSERT.to_owned(), "TOLERATED", 0), (format!("{INSERT}; {update}"), "CHANGED", 6)] {
        let scene = logical();
        scene.write("cutter.toml", &scene.config("cutter_observe", &tolerate));
        let (exit, comparison, _) = witnessed(&scene, &sql);
        // Within the lag of the counters nobody knows whether they tell of the time before the baseline.
        let documents = row(&comparison, DOCUMENTS);
        if wanted == "CHANGED" {
            assert_eq!((exit, &documents["status"]), (code, &wanted.into()), "{documents}");
        } else {
            assert!(exit == 0 || exit == 7, "{documents}");
            assert!(
                !documents["because"].to_string().contains("slot") || documents["status"] == "TOLERATED",
                "{documents}"
            );
        }
    }
}

#[test]
fn every_way_of_ending_it_in_order_writes_a_last_line() {
    let scene = Scene::new();
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
        std::fs::remove_file(scene.folder.path().join("w.ndjson")).unwrap();
    }
}

#[test]
fn a_killed_witness_leaves_nothing_on_the_server_and_what_it_saw_in_its_record() {
    let scene = logical();
    let witness = Witness::start(&scene);
    scene.capture("a.json");
    witness.rest();
    scene.server.execute(INSERT);
    witness.rest();
    assert_ne!(left_on_the_server(&scene), 0);
    assert_eq!(witness.end("KILL").0, None);
    let began = Instant::now();
    while left_on_the_server(&scene) != 0 {
        assert!(began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(50));
    }
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
fn what_happened_before_the_baseline_or_after_the_end_is_none_of_the_run() {
    let scene = logical();
    let witness = Witness::start(&scene);
    scene.server.execute("UPDATE public.knowledge_documents SET title = 'x' WHERE id = 1");
    witness.rest();
    scene.capture("a.json");
    scene.capture("b.json");
    witness.rest();
    scene.server.execute("UPDATE public.knowledge_documents SET title = 'y' WHERE id = 1");
    witness.end("TERM");
    let (exit, comparison) = compare(&scene);
    assert_eq!((exit, status(&comparison, DOCUMENTS)), (0, "UNCHANGED"), "{comparison:#}");
}

#[test]
fn a_configuration_that_asks_for_a_witness_is_not_content_without() {
    let scene = logical();
    let evidence = EVIDENCE.replace("[evidence]\n", "[evidence]\nlevel = \"witness\"\n");
    scene.write("cutter.toml", &scene.config("cutter_observe", &evidence));
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (0, 0));
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "witness:record")), (7, "UNKNOWN"));
    assert_eq!(&comparison["level"], &serde_json::json!({"requested": "witness", "reached": "net"}));
    let (exit, comparison, _) = witnessed(&scene, "");
    assert_eq!((exit, &comparison["level"]["reached"]), (0, &"witness".into()));
    scene.server.execute("ALTER ROLE cutter_observe NOREPLICATION");
    std::fs::remove_file(scene.folder.path().join("w.ndjson")).unwrap();
    let (exit, comparison, _) = witnessed(&scene, "");
    assert_eq!((exit, status(&comparison, "witness:record")), (7, "UNKNOWN"));
}

#[test]
fn a_record_of_something_else_or_bent_is_refused_and_one_that_breaks_off_is_not_known() {
    let scene = Scene::new();
    let (exit, _, _) = witnessed(&scene, "");
    assert_eq!(exit, 0);
    let kept = scene.read("w.ndjson");
    let id = scene
        .server
        .connect("postgres", "directus")
        .query_one("SELECT system_identifier::text FROM pg_control_system()", &[]);
    let id: String = id.unwrap().get(0);
    let last = kept.lines().last().unwrap().to_owned() + "\n";
    for (bent, words) in [
        (kept.replace(&id, "1"), "another database"),
        (kept.replacen("\"config_sha256\":\"", "\"config_sha256\":\"0", 1), "the same configuration"),
        (kept.replacen("{\"line\":\"opened\"", "{\"line\":\"x\"", 1), "line 1 has another form"),
        (kept.clone() + &last, "comes after the last"),
        (last.clone(), "line 1 does not open it"),
        (String::new(), "line 1 is no JSON"),
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
    witness.rest();
    assert_eq!(witness.end("TERM").0, Some(0));
    assert_eq!(snapshot(), before);
    let kept = scene.read("w.ndjson");
    let output = scene.run(&["evidence", "witness", "--record", "w.ndjson", "--for", "1"]);
    assert_eq!((output.status.code(), scene.read("w.ndjson")), (Some(1), kept));
}
