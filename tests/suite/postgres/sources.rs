//! Where the server cannot count, or has not counted yet: never is that taken for nothing done.

use crate::postgres::scene::{EVIDENCE, Scene, remarkable, row, status};
use crate::support::postgres::Options;
use crate::support::waiting::wait_until;
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

const DOCUMENTS: &str = "relation:public.knowledge_documents";
const INSERT: &str = "INSERT INTO public.knowledge_documents (id, slug, title, body, metadata, relevance) OVERRIDING SYSTEM VALUE VALUES (999, 'x', 'x', 'x', '{}', 1)";
const DELETE: &str = "DELETE FROM public.knowledge_documents WHERE slug = 'x'";

fn because(comparison: &Value, id: &str) -> String {
    row(comparison, id)["because"].to_string()
}

/// Comes back when a message sleeps, by when everything before its sleep is done.
fn sleeps(scene: &Scene, statement: &str) {
    let mut client = scene.server.connect("postgres", "directus");
    let sleeping =
        format!("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%{statement}%'");
    wait_until(format!("a message sleeps by {statement}"), || !client.query(&sleeping, &[]).unwrap().is_empty());
    drop(client);
    // The first sleep of a message is a short one, and this session is gone.
    thread::sleep(Duration::from_millis(500));
}

/// Everything between the captures is done and undone in one message, which goes on for longer than the final capture.
#[test]
fn what_a_message_of_several_transactions_did_is_not_known_until_its_session_is_idle() {
    for by in [
        "BEGIN; SELECT pg_sleep(0.1); COMMIT; BEGIN; {I}; COMMIT; BEGIN; {D}; COMMIT; BEGIN; SELECT pg_sleep(120); COMMIT",
        "DO $$ BEGIN {I}; COMMIT; {D}; COMMIT; PERFORM pg_sleep(120); END $$",
    ] {
        let scene = Scene::new();
        scene.capture("a.json");
        let sql = by.replace("{I}", INSERT).replace("{D}", DELETE);
        thread::scope(|scope| {
            // It is ended when it has been captured, however slow that was.
            scope.spawn(|| scene.server.connect("postgres", "directus").batch_execute(&sql).unwrap_err());
            sleeps(&scene, "pg_sleep(120)");
            let exit = scene.capture("b.json");
            scene.server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(120)%' AND pid <> pg_backend_pid()");
            assert_eq!(exit, 0, "{:#?}", scene.unknown("b.json"));
        });
        let (exit, comparison) = scene.compare();
        assert_eq!((exit, status(&comparison, DOCUMENTS)), (7, "UNKNOWN"), "{:#?}", remarkable(&comparison));
        assert!(
            because(&comparison, DOCUMENTS).contains("may hold counters back until it is idle: wait for it"),
            "{comparison:#}"
        );
        assert_eq!(comparison["level"]["reached"], "counts");
    }
}

#[test]
fn a_capture_that_may_wait_for_whoever_is_at_work_sees_what_was_undone() {
    let scene = Scene::new();
    scene.capture("a.json");
    let sql = format!("BEGIN; {INSERT}; COMMIT; BEGIN; {DELETE}; COMMIT; BEGIN; SELECT pg_sleep(3); COMMIT");
    thread::scope(|scope| {
        scope.spawn(|| scene.server.execute(&sql));
        sleeps(&scene, "pg_sleep(3)");
        let output = scene.run(&["evidence", "capture", "--settle", "30", "--format", "json", "--output", "b.json"]);
        assert_eq!(output.status.code(), Some(0));
    });
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, DOCUMENTS)), (6, "CHANGED"), "{:#?}", remarkable(&comparison));
}

/// A session that is in no transaction, and in the middle of what its client has to say, hands nothing out.
#[test]
fn who_may_not_know_whether_a_session_is_idle_does_not_take_it_for_idle() {
    let scene = Scene::new();
    let config = scene.read("cutter.toml").replace("counter_lag_seconds = 1", "counter_lag_seconds = 11");
    scene.write("cutter.toml", config);
    scene.capture("a.json");
    let socket = scene.server.socket_directory().join(".s.PGSQL.5432");
    let mut session = UnixStream::connect(socket).unwrap();
    let start = b"\0\x03\0\0user\0postgres\0database\0directus\0\0";
    let with_length = |body: &[u8]| [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body].concat();
    let message = |kind: u8, body: &[u8]| [&[kind][..], &with_length(body)].concat();
    session.write_all(&with_length(start)).unwrap();
    for sql in ["BEGIN", INSERT, "COMMIT", "BEGIN", DELETE, "COMMIT"] {
        let parse = [b"\0", sql.as_bytes(), b"\0\0\0"].concat();
        let parts = [message(b'P', &parse), message(b'B', &[0; 8]), message(b'E', &[0; 5])];
        session.write_all(&parts.concat()).unwrap();
    }
    // The client asks for the answers so far, and does not say that this is all.
    session.write_all(&message(b'H', &[])).unwrap();
    let mut answer = Vec::new();
    while !answer.windows(8).any(|part| part == b"DELETE 1") || !answer.ends_with(b"COMMIT\0") {
        let mut bytes = [0; 4096];
        let length = session.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend(&bytes[..length]);
    }
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, DOCUMENTS)), (7, "UNKNOWN"), "{:#?}", remarkable(&comparison));
    assert!(because(&comparison, DOCUMENTS).contains("told to pg_read_all_stats only"), "{comparison:#}");
}

#[test]
fn what_was_called_in_a_transaction_that_spans_both_captures_is_not_known() {
    let scene = Scene::new();
    let mut caller = scene.server.connect("postgres", "directus");
    caller.batch_execute("BEGIN; SELECT 1").unwrap();
    assert_eq!(scene.capture("a.json"), 0);
    caller.batch_execute("SELECT public.fn_iu_create('NEW-DOC/DIEU/1', 'Title', 'Body', 'tester')").unwrap();
    scene.capture("b.json");
    let (_, comparison) = scene.compare();
    let function = "function:public.fn_iu_create";
    assert_eq!(status(&comparison, function), "UNKNOWN", "{:#?}", remarkable(&comparison));
    assert!(because(&comparison, function).contains("what it called is not counted yet"), "{comparison:#}");
    assert_eq!(status(&comparison, DOCUMENTS), "UNCHANGED");
}

#[test]
fn rows_that_were_forged_in_a_message_that_goes_on_are_no_growth() {
    let tolerate = "[[evidence.tolerate]]\nid = \"relation:public.birth_registry\"\ngrowth = 20\nwhy = \"reports are born\"\n[evidence.relations.\"public.birth_registry\"]\n[[evidence.tolerate]]\nid = \"database:sequences\"\nvalue = \"public.birth_registry_id_seq\"\ngrowth = 20\nwhy = \"reports are born\"\n";
    let birth = "INSERT INTO public.birth_registry (subject_table, subject_id, subject_name, born_by) VALUES ('r', '1', 'r', 'x')";
    for (forged, wanted) in [(true, "CHANGED"), (false, "TOLERATED")] {
        let scene = Scene::new();
        scene.write("cutter.toml", scene.config("cutter_observe", &format!("{EVIDENCE}{tolerate}")));
        scene.capture("a.json");
        thread::scope(|scope| {
            if forged {
                scope.spawn(|| scene.server.execute("SET app.canonical_writer = 'x'; BEGIN; UPDATE public.birth_registry SET born_by = 'forged'; COMMIT; BEGIN; SELECT pg_sleep(5); COMMIT"));
                sleeps(&scene, "pg_sleep(5)");
            }
            scene.server.execute(birth);
            scene.capture("b.json");
        });
        let (_, comparison) = scene.compare();
        let found = status(&comparison, "relation:public.birth_registry");
        assert_eq!(found, wanted, "{:#?}", remarkable(&comparison));
    }
}

#[test]
fn a_server_that_does_not_count_knows_nothing_of_what_was_undone() {
    for (name, sql) in [
        ("server", ""),
        ("database", "ALTER DATABASE directus SET track_counts = off"),
        ("role", "ALTER ROLE cutter_exec SET track_counts = off"),
        ("function", "CREATE FUNCTION public.still() RETURNS int LANGUAGE sql SET track_counts = off AS 'SELECT 1'"),
        ("granted", "GRANT SET ON PARAMETER track_counts TO cutter_exec"),
    ] {
        let options = Options::directus().setting("track_functions", "all");
        let scene = Scene::with(&if name == "server" { options.setting("track_counts", "off") } else { options });
        if !sql.is_empty() {
            scene.server.execute(sql);
        }
        assert_eq!(scene.capture("a.json"), 7, "{name}");
        scene.server.execute(INSERT);
        scene.server.execute(DELETE);
        scene.capture("b.json");
        let (_, comparison) = scene.compare();
        assert_ne!(status(&comparison, "relation:public.iu_lifecycle_log"), "UNCHANGED", "{name}");
        assert_eq!(status(&comparison, "database:counters"), "UNKNOWN", "{name}");
        assert_ne!(comparison["level"]["reached"], "net", "{name}");
    }
}

#[test]
fn a_standby_counts_nothing_and_proves_no_quiet() {
    let mut scene = Scene::new();
    let signal = scene.server.socket_directory().join("data/standby.signal");
    fs::write(&signal, "").unwrap();
    scene.server.restart();
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (7, 7));
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, &comparison["quiet"]["proven"]), (7, &false.into()));
    assert_eq!(status(&comparison, DOCUMENTS), "UNKNOWN");
    assert!(because(&comparison, "database:counters").contains("a standby counts nothing"), "{comparison:#}");
}

#[test]
fn functions_whose_calls_may_not_be_counted_are_unknown_and_all_else_is_not() {
    let scene = Scene::with(&Options::directus());
    assert_eq!((scene.capture("a.json"), scene.capture("b.json")), (7, 7));
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "function:public.fn_iu_create")), (7, "UNKNOWN"));
    assert!(
        because(&comparison, "function:public.fn_iu_create").contains("`track_functions` is `none`"),
        "{comparison:#}"
    );
    let others: Vec<&Value> = remarkable(&comparison)
        .into_iter()
        .filter(|row| !row["id"].as_str().unwrap().starts_with("function:"))
        .collect();
    assert_eq!(others, Vec::<&Value>::new());
    let scene = Scene::new();
    scene.server.execute("CREATE FUNCTION public.inl(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1'");
    let evidence = "[evidence]\ncounter_lag_seconds = 1\nfunctions = [\"public.inl\"]\n";
    scene.write("cutter.toml", scene.config("cutter_observe", evidence));
    scene.capture("a.json");
    scene.server.execute("SELECT public.inl(i) FROM generate_series(1, 2) AS i");
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, "function:public.inl")), (7, "UNKNOWN"), "{comparison:#}");
}

#[test]
fn a_file_in_a_folder_of_configuration_and_a_file_that_was_written_are_told_apart() {
    let scene = Scene::new();
    scene
        .server
        .execute("GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean), pg_read_binary_file(text) TO cutter_observe");
    let data = scene.server.socket_directory().join("data");
    fs::create_dir(data.join("conf.d")).unwrap();
    let files = "database:configuration_files";
    scene.capture("a.json");
    thread::sleep(Duration::from_millis(1200));
    let text = fs::read_to_string(data.join("postgresql.conf")).unwrap();
    fs::write(data.join("postgresql.conf"), text).unwrap();
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, files)), (0, "UNCHANGED"), "{:#?}", remarkable(&comparison));
    thread::sleep(Duration::from_millis(1200));
    fs::write(data.join("conf.d/x.conf"), "work_mem = '5MB'\n").unwrap();
    scene.capture("b.json");
    let (exit, comparison) = scene.compare();
    assert_eq!((exit, status(&comparison, files)), (6, "CHANGED"), "{:#?}", remarkable(&comparison));
}
