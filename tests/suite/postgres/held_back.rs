//! Sessions that hand out no counters for as long as they like: what replicates, and whose client does not read its answer.

use crate::postgres::scene::{Scene, row, status};
use crate::support::postgres::{Options, Server};
use crate::support::waiting::wait_until;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A session in the protocols of queries and of replication (PostgreSQL, "Frontend/Backend Protocol"), as no client library speaks
/// them.
struct Sender(UnixStream);

impl Sender {
    fn connect(server: &Server, more: &str) -> Self {
        let socket = server.socket_directory().join(format!(".s.PGSQL.{}", server.port()));
        let mut sender = Self(UnixStream::connect(socket).unwrap());
        let settings = format!("user\0postgres\0database\0directus\0{more}\0");
        let mut startup = Vec::from(196_608_u32.to_be_bytes());
        startup.extend(settings.as_bytes());
        sender.0.write_all(&(u32::try_from(startup.len()).unwrap() + 4).to_be_bytes()).unwrap();
        sender.0.write_all(&startup).unwrap();
        sender.wait_for(b'Z');
        sender
    }

    fn says(&mut self, statement: &str, until: u8) {
        self.leaves(statement);
        self.wait_for(until);
    }

    /// Says something, and does not read the answer.
    fn leaves(&mut self, statement: &str) {
        let length = u32::try_from(statement.len()).unwrap() + 5;
        self.0.write_all(&[&b"Q"[..], &length.to_be_bytes(), statement.as_bytes(), b"\0"].concat()).unwrap();
    }

    /// Writes a row and takes it back so soon after the last message that the server has not handed out the counters of it.
    fn writes_and_undoes(&mut self, server: &Server) {
        let mut client = server.connect("postgres", "directus");
        let mut counted = || {
            let count = format!("SELECT pg_stat_get_tuples_deleted('{}'::regclass)", &ID["relation:".len()..]);
            client.query_one(&count, &[]).unwrap().get::<_, i64>(0)
        };
        loop {
            let before = counted();
            self.says("SELECT count(*) FROM public.knowledge_documents", b'Z');
            self.says(WRITES, b'Z');
            self.says(UNDOES, b'Z');
            if counted() == before {
                return;
            }
        }
    }

    fn sends(&mut self, from: &str) {
        self.says(&format!("START_REPLICATION PHYSICAL {from}"), b'W');
    }

    fn wait_for(&mut self, kind: u8) {
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).unwrap();
            let mut body = vec![0; u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4];
            self.0.read_exact(&mut body).unwrap();
            assert_ne!(head[0], b'E', "{}", String::from_utf8_lossy(&body));
            if head[0] == kind {
                return;
            }
        }
    }
}

const WRITES: &str = "SET session_replication_role = replica; INSERT INTO public.knowledge_documents
    (slug, title, body, metadata, relevance) VALUES ('x', 'x', 'x', '{}', 1)";
const UNDOES: &str = "DELETE FROM public.knowledge_documents WHERE slug = 'x'";
const ID: &str = "relation:public.knowledge_documents";

/// A server whose observer is told what sessions do.
fn scene() -> Scene {
    let scene = Scene::with(&Options::directus().setting("track_functions", "all"));
    scene.server.execute("GRANT pg_read_all_stats TO cutter_observe");
    scene
}

#[test]
fn what_a_session_did_whose_last_answer_nobody_reads_is_not_taken_for_nothing() {
    let scene = scene();
    let mut watch = scene.server.connect("postgres", "directus");
    // Its session is the youngest; no row before it has said what it says, and while it works.
    let waits = "SELECT state || ' ' || wait_event FROM (SELECT * FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY backend_start DESC LIMIT 1) AS youngest
        WHERE query LIKE '%repeat(%' AND (wait_event = 'ClientWrite' OR state = 'idle' AND wait_event = 'ClientRead')";
    let mut is_blocked = |size: usize| {
        let mut sender = Sender::connect(&scene.server, "");
        sender.says("SELECT count(*) FROM public.knowledge_documents", b'Z');
        sender.leaves(&format!("BEGIN; {WRITES}; COMMIT; BEGIN; {UNDOES}; COMMIT; SELECT repeat('x', {size})"));
        let mut found = None;
        wait_until("the session waits for its client", || {
            found = watch.query_opt(waits, &[]).unwrap().map(|row| row.get::<_, String>(0));
            found.is_some()
        });
        (found.as_deref() == Some("idle ClientWrite")).then_some(sender)
    };
    // Only where the very end of the answer finds no room the session says that it is idle; how much room there is differs.
    let size = (100_000..600_000).step_by(4096).find(|size| is_blocked(*size).is_some());
    let size = size.expect("an answer whose end finds no room");
    // What those did comes in when they end.
    std::thread::sleep(Duration::from_millis(500));
    scene.capture("a.json");
    let _held = is_blocked(size).expect("the same once more");
    scene.capture("b.json");
    let (_, comparison) = scene.compare();
    let row = row(&comparison, ID);
    assert!(
        status(&comparison, ID) == "UNKNOWN" && row.to_string().contains("its client does not read its answer"),
        "{row}"
    );
}

/// The name of a session is whatever whoever connects says, and so may be its login.
#[test]
fn what_a_session_did_that_bears_the_observers_own_name_is_not_taken_for_nothing() {
    let scene = scene();
    scene.capture("a.json");
    let mut sender = Sender::connect(&scene.server, "application_name\0cutter-observe\0");
    sender.says("SELECT count(*) FROM public.knowledge_documents", b'Z');
    sender.leaves(&format!("BEGIN; {WRITES}; COMMIT; BEGIN; {UNDOES}; COMMIT; SELECT pg_sleep(60)"));
    std::thread::sleep(Duration::from_millis(500));
    scene.capture("b.json");
    let (_, comparison) = scene.compare();
    let row = row(&comparison, ID);
    assert!(status(&comparison, ID) == "UNKNOWN" && row.to_string().contains("cutter-observe"), "{row}");
}

#[test]
fn what_a_session_did_before_it_began_to_replicate_is_not_taken_for_nothing() {
    type Before<'a> = &'a dyn Fn(&mut Sender, &Server, &str);
    type Between<'a> = &'a dyn Fn(Sender, &Server, &str) -> Option<Sender>;
    let at_both_ends = |before: Before<'_>, between: Between<'_>| {
        let scene = scene();
        let asked = scene.server.connect("postgres", "directus").query_one("SELECT pg_current_wal_lsn()::text", &[]);
        let from: String = asked.unwrap().get(0);
        let mut sender = Sender::connect(&scene.server, "replication\0database\0");
        before(&mut sender, &scene.server, &from);
        scene.capture("a.json");
        std::thread::sleep(Duration::from_millis(1100));
        let _still_there = between(sender, &scene.server, &from);
        // Something else is done, so that nothing but the counters says that nothing was done here.
        scene.server.execute("CREATE TABLE public.other ()");
        scene.capture("b.json");
        let comparison = scene.compare().1;
        (status(&comparison, ID).to_owned(), row(&comparison, ID).to_string())
    };
    let sends = |sender: &mut Sender, _: &Server, from: &str| sender.sends(from);
    let nothing = |_: &mut Sender, _: &Server, _: &str| ();
    let (is, why) = at_both_ends(&nothing, &|mut sender, server, from| {
        sender.writes_and_undoes(server);
        sender.sends(from);
        Some(sender)
    });
    assert!(is == "UNKNOWN" && why.contains("until it ends"), "{why}");
    // It was at it before the baseline, and does nothing else.
    let (is, why) = at_both_ends(&sends, &|sender, _, _| Some(sender));
    assert_eq!(is, "UNCHANGED", "{why}");
    // What it did before the baseline comes in when it ends.
    let ends = |sender: &mut Sender, server: &Server, from: &str| {
        sender.writes_and_undoes(server);
        sender.sends(from);
    };
    let (is, why) = at_both_ends(&ends, &|sender, _, _| {
        drop(sender);
        std::thread::sleep(Duration::from_millis(500));
        None
    });
    assert!(is == "UNKNOWN" || is == "CHANGED", "{why}");
}
