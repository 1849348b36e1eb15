//! A witness that lives beside a test, and the comparison it testifies in.

use crate::postgres::scene::Scene;
use crate::support::postgres::Options;
use crate::support::waiting::wait_until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

pub const INSERT: &str =
    "INSERT INTO public.knowledge_documents (slug, title, body, metadata, relevance) VALUES ('x', 'x', 'x', '{}', 1)";
pub const DOCUMENTS: &str = "relation:public.knowledge_documents";

/// A server that lets the observer open a logical slot.
pub fn logical() -> Scene {
    let scene = Scene::with(&Options::directus().setting("track_functions", "all").setting("wal_level", "logical"));
    scene.server.execute("ALTER ROLE cutter_observe REPLICATION");
    scene
}

/// The same scene with captures that wait until a witness beside them was idle for long enough to hold nothing back.
pub fn patient(mut scene: Scene) -> Scene {
    // A busy witness is seen idle only now and then.
    scene.settle = 60;
    scene
        .write("cutter.toml", scene.read("cutter.toml").replace("counter_lag_seconds = 1", "counter_lag_seconds = 11"));
    scene
}

/// A server whose log the observer may read.
pub fn inspected() -> Scene {
    let scene = Scene::new();
    scene.server.execute(
        "CREATE EXTENSION pg_walinspect WITH SCHEMA public;
         GRANT EXECUTE ON FUNCTION public.pg_get_wal_records_info TO cutter_observe",
    );
    scene
}

/// A witness that is watching.
pub struct Witness(Child);

impl Witness {
    pub fn start(scene: &Scene) -> Self {
        Self::with(scene, &[])
    }

    pub fn with(scene: &Scene, more: &[&str]) -> Self {
        let mut command = scene.command(&["evidence", "witness", "--record", "w.ndjson", "--every", "100"]);
        let child = command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut witness = Self(child);
        let path = scene.path("w.ndjson");
        wait_until("the witness watches", || {
            assert!(witness.0.try_wait().unwrap().is_none(), "the witness ended");
            std::fs::read_to_string(&path).is_ok_and(|text| text.contains('\n'))
        });
        witness
    }

    /// Lets looks pass, so that what comes next lies between two of them.
    ///
    /// Servers of tests do not wait for the disk, so that the log is complete only after a while.
    pub fn rest(&self, scene: &Scene) {
        let mut client = scene.server.connect("postgres", "directus");
        sleep(Duration::from_millis(1200));
        // The first to end may have begun before; the second began when the log was complete.
        let mut ended = BTreeSet::new();
        let since: SystemTime = client.query_one(COMPLETE, &[]).unwrap().get(0);
        wait_until("two looks of the witness ended", || {
            let last = client.query_opt(LAST_LOOK, &[&since]).unwrap();
            ended.extend(last.map(|row| row.get::<_, SystemTime>(0)));
            ended.len() > 1
        });
    }

    /// Waits until its record holds so many lines of this part about one thing.
    pub fn sees(&self, scene: &Scene, part: &str, id: &str, wanted: usize) {
        let is_it = |line: &Value| line["line"] == "seen" && line["part"] == part && line["id"] == id;
        wait_until(format!("the witness saw {id} by its {part}"), || {
            let record = scene.read("w.ndjson");
            // The last line may not be whole yet.
            record.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(is_it).count() >= wanted
        });
    }

    /// Sends a signal, and gives the exit code and what was printed.
    pub fn end(self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("sh").args(["-c", "kill -\"$1\" \"$0\"", &self.0.id().to_string(), signal]).status();
        assert!(sent.unwrap().success());
        self.wait()
    }

    pub fn wait(self) -> (Option<i32>, String) {
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    }
}

pub fn compare(scene: &Scene) -> (i32, Value) {
    let output = scene.run(&["evidence", "compare", "a.json", "b.json", "--witness", "w.ndjson", "--format", "json"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}")))
}

/// Since when a rest of 1200 ms lasts, less the 600 ms after which the log is complete.
const COMPLETE: &str = "SELECT clock_timestamp() - interval '600 ms'";

/// When the last statement of a look began, while the witness rests between two looks.
const LAST_LOOK: &str = "SELECT max(query_start) FROM pg_stat_activity WHERE application_name = 'cutter-observe'
    HAVING bool_and(state = 'idle' AND state_change < clock_timestamp() - interval '40 ms') AND max(query_start) > $1";

/// Baseline, this, final, between the beginning and the end of a witness.
pub fn witnessed(scene: &Scene, sql: &str) -> (i32, Value, String) {
    let witness = Witness::start(scene);
    scene.capture("a.json");
    witness.rest(scene);
    sql.split(";;").filter(|sql| !sql.is_empty()).for_each(|sql| {
        scene.server.execute(sql);
        witness.rest(scene);
    });
    scene.capture("b.json");
    witness.rest(scene);
    let (_, shown) = witness.end("TERM");
    let (exit, comparison) = compare(scene);
    (exit, comparison, shown)
}
