//! A server, a project folder beside it, and the program run in that folder.

use crate::support::postgres::{Options, Server};
use crate::support::world::{World, root};
use serde_json::Value;
use std::fs;
use std::ops::Deref;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

/// Everything a test of the program needs.
pub struct Scene {
    pub server: Server,
    /// For how many seconds a capture waits for sessions at most.
    pub settle: u32,
    world: World,
}

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Scene {
    /// The production shape, with functions tracked, as seen by the observer.
    pub fn new() -> Self {
        Self::with(&Options::directus().setting("track_functions", "all"))
    }

    pub fn with(options: &Options) -> Self {
        let scene = Self { server: Server::start_with(options), settle: 0, world: World::empty() };
        // A file of this very second would have to be waited for.
        for name in ["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"] {
            let file = fs::File::open(scene.server.socket_directory().join("data").join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        }
        scene.write("tree/switch.py", "__execution_enabled__ = False\n");
        scene.write("cutter.toml", scene.config("cutter_observe", EVIDENCE));
        scene
    }

    /// A configuration that reaches the server as this role.
    pub fn config(&self, user: &str, rest: &str) -> String {
        let socket = self.server.socket_directory().display();
        format!("[database]\nhost = \"{socket}\"\nuser = \"{user}\"\ndbname = \"directus\"\n{rest}")
            .replace("FOLDER", &self.folder().display().to_string())
    }

    /// Writes the shipped configuration, as edited, with this scene's own connection.
    pub fn configure(&self, edit: impl FnOnce(&mut toml::Table)) {
        let text = fs::read_to_string(root().join("cutter.toml")).unwrap();
        let mut shipped: toml::Table = text.parse().unwrap();
        let own: toml::Table = self.config("cutter_observe", "").parse().unwrap();
        shipped.insert("database".to_owned(), own["database"].clone());
        // What is observed of the host is not there.
        let facts = shipped["facts"].as_table_mut().unwrap();
        for observed in ["flags", "trees"] {
            facts.remove(observed);
        }
        edit(&mut shipped);
        self.write("cutter.toml", toml::to_string(&shipped).unwrap());
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.env("COLUMNS", "300");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Captures into a file; gives the exit code.
    pub fn capture(&self, name: &str) -> i32 {
        let settle = self.settle.to_string();
        let output = self.run(&["evidence", "capture", "--settle", &settle, "--format", "json", "--output", name]);
        assert!(self.path(name).exists(), "{}", String::from_utf8_lossy(&output.stderr));
        output.status.code().unwrap()
    }

    /// What could not be observed, for messages.
    pub fn unknown(&self, name: &str) -> Vec<String> {
        let capture: Value = serde_json::from_str(&self.read(name)).unwrap();
        let observations = capture["observations"].as_array().unwrap();
        observations
            .iter()
            .filter(|found| found["status"] == "unknown")
            .map(|found| format!("{} {}", found["id"], found["unknown"]))
            .collect()
    }

    /// Compares `a.json` and `b.json`; gives the exit code and the comparison.
    pub fn compare(&self) -> (i32, Value) {
        let output = self.run(&["evidence", "compare", "a.json", "b.json", "--format", "json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{error}"));
        (output.status.code().unwrap(), value)
    }

    /// The refusal of a comparison.
    pub fn refusal(&self) -> String {
        let output = self.run(&["evidence", "compare", "a.json", "b.json", "--error-format", "plain"]);
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stderr).unwrap()
    }
}

/// The status of one row of a comparison.
pub fn status<'a>(comparison: &'a Value, id: &str) -> &'a str {
    row(comparison, id)["status"].as_str().unwrap()
}

pub fn row<'a>(comparison: &'a Value, id: &str) -> &'a Value {
    let rows = comparison["rows"].as_array().unwrap();
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no row `{id}`"))
}

/// Rows that are not as they were, for messages.
pub fn remarkable(comparison: &Value) -> Vec<&Value> {
    comparison["rows"].as_array().unwrap().iter().filter(|row| row["status"] != "UNCHANGED").collect()
}

pub const EVIDENCE: &str = r#"
[evidence]
counter_lag_seconds = 1
functions = ["public.fn_iu_create", "public.fn_iu_enact"]

[evidence.relations."public.information_unit"]
scopes = { draft = "lifecycle_status = 'draft'", enacted = "lifecycle_status = 'enacted'" }
newest = "created_at"
[evidence.relations."public.unit_version"]
[evidence.relations."public.iu_lifecycle_log"]
[evidence.relations."public.knowledge_documents"]
[evidence.relations."cutter_governance.cut_change_set"]
[evidence.relations."cutter_governance.review_decision"]
[evidence.relations."cutter_governance.verify_result"]

[evidence.rows]
"config:dot_config" = "SELECT key, value FROM public.dot_config"

[evidence.flags.execution_enabled]
file = "FOLDER/tree/switch.py"
pattern = '(?m)^__execution_enabled__\s*=\s*(True|False)\s*$'

[evidence.trees."v0.4-skeleton"]
path = "FOLDER/tree"

[evidence.services.postgres]
database = true
"#;
