//! A production-shaped server, the shipped project pointed at it, people with keys, and the walk of one run.

use crate::support::judging::words;
use crate::support::postgres::{Options, Server};
use crate::support::ran::Ran;
use crate::support::scrubbed::scrubbed;
use crate::support::world::{PLAN, World, root, split};
use serde_json::Value;
use std::fs;
use std::ops::Deref;
use std::time::{Duration, SystemTime};

pub const SECRET: &str = "correct horse battery \"staple\"";
pub const FREE: [&str; 4] =
    ["author-backup-runner", "audit-grant-matrix", "read-source-registries", "package-first-run"];

/// What `docker inspect` prints of a container.
pub const CONTAINER: &str = r#"[{"Id":"4bd6","State":{"StartedAt":"2026-05-01T00:00:00Z","Pid":77,"Status":"running"},"RestartCount":0,"Image":"sha256:00"}]"#;

pub struct Scene {
    pub server: Server,
    world: World,
}

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Scene {
    /// Bundle and plan are signed, the ledger is made, and nothing was captured.
    pub fn new() -> Self {
        let server = Server::start_with(&Options::directus().setting("track_functions", "all"));
        // A file of this very second would have to be waited for.
        for name in ["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"] {
            let file = fs::File::open(server.socket_directory().join("data").join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        }
        let scene = Self { server, world: World::shipped() };
        scene.lay_out_the_host();
        scene.configure(|config| config);
        scene.aim_the_plan();
        for name in ["reviewer", "planner", "observer", "attester", "second", "stranger"] {
            scene.make_key(name, "ed25519");
        }
        scene.lay_the_trust_root();
        scene.sign();
        assert_eq!(scene.cutter("ledger init").exit, 0);
        scene
    }

    /// The trees, the switch, and what an operator saved of a container.
    fn lay_out_the_host(&self) {
        self.write("v0.6/orchestrator/__init__.py", "__execution_enabled__ = False\n");
        for (name, text) in [
            ("backup-key", "fingerprint_set=false\npublic_key_imported=false\nselftest_passed=false\n"),
            ("tests", "passed=471\nfailed=0\ncommit=fdcf580\n"),
            ("deployed", "commit=fdcf580\n"),
            ("dry-run", "generic-first-target=FAIL\n"),
            ("ruling", "ruling_recorded=false\n"),
        ] {
            self.write(&format!("operator/{name}.status"), text);
        }
        self.write("v0.4/agent.py", "print('v0.4')\n");
        self.write("staged/backup_runner.py", fs::read(root().join("staged/backup_runner.py")).unwrap());
        fs::create_dir(self.path("runtime")).unwrap();
        self.save_the_container(CONTAINER);
        let git = |arguments: &[&str]| {
            let folder = self.path("v0.4");
            let mut command = scrubbed("git");
            command.arg("-C").arg(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(arguments);
            assert!(command.output().unwrap().status.success());
        };
        git(&["init", "-q"]);
        git(&["add", "."]);
        git(&["commit", "-qm", "v0.4"]);
    }

    /// The shipped configuration, for this server and these folders; `change` has the last word.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let here = self.folder().display().to_string();
        let shipped = fs::read_to_string(root().join("cutter.toml")).unwrap();
        let (before, rest) = shipped.split_once("[database]").unwrap();
        let (_, after) = rest.split_once("# How the roles").unwrap();
        let socket = self.server.socket_directory().display();
        let mut config = format!(
            "{before}[database]\nhost = \"{socket}\"\nuser = \"cutter_observe\"\ndbname = \"directus\"\n# How the roles{after}"
        );
        config = config
            .replace(
                "[evidence]\n",
                "[secrets]\nvariables = [\"CUTTER_TEST_TOKEN\"]\n\n[evidence]\ncounter_lag_seconds = 1\n",
            )
            .replace("/opt/incomex/dot/iu-cutter-v0.6/cutter_agent", &format!("{here}/v0.6"))
            .replace("/opt/incomex/dot/iu-cutter-v0.6", &format!("{here}/v0.6"))
            .replace("/opt/incomex/dot/iu-cutter", &format!("{here}/v0.4"))
            .replace("/var/lib/cutter-operator/", &format!("{here}/operator/"))
            .replace("/var/lib/cutter/evidence/directus.inspect.json", &format!("{here}/directus.json"))
            .replace("path = \"/var/lib/cutter\"", &format!("path = \"{here}/runtime\""));
        let install = |from: &str, to: &str| {
            format!("argv = [\"/usr/bin/install\", \"{here}/{from}\", \"{here}/runtime/{to}\"]\npin = \"root-owned\"\n")
        };
        let (before, rest) = config.split_once("argv = [\"/usr/bin/install\"").unwrap();
        let (_, after) = rest.split_once("pin = \"root-owned\"\n").unwrap();
        config = format!("{before}{}{after}", install("staged/backup_runner.py", "backup_runner.py"));
        config = config.replace("folder = \"/var/lib/cutter", &format!("folder = \"{here}/runtime"));
        for (role, password) in
            [("cutter_exec", "DOT_CUTTER_EXEC_DB_PASSWORD"), ("cutter_observe", "CUTTER_OBSERVE_DB_PASSWORD")]
        {
            let of_environment = format!(
                "[connections.{role}]\nhost_env = \"DOT_CUTTER_DB_HOST\"\nport_env = \"DOT_CUTTER_DB_PORT\"\ndbname_env = \"DOT_CUTTER_DB_NAME\"\nuser = \"{role}\"\npassword_env = \"{password}\"\n"
            );
            assert!(config.contains(&of_environment), "{role}");
            let here = format!("[connections.{role}]\nhost = \"{socket}\"\nuser = \"{role}\"\n");
            config = config.replace(&of_environment, &here);
        }
        self.write("cutter.toml", change(config));
    }

    /// Throwaway servers have a number of their own.
    fn aim_the_plan(&self) {
        let sql = "SELECT system_identifier::text FROM pg_control_system()";
        let number: String = self.server.connect("postgres", "directus").query_one(sql, &[]).unwrap().get(0);
        let text = self.read(PLAN);
        self.write(PLAN, text.replace("7611578671664259111", &number));
    }

    /// Who may sign what, in a file that only root can change.
    fn lay_the_trust_root(&self) {
        let line = |name: &str, namespace: &str| format!("{name} namespaces=\"{namespace}\" {}", self.public_key(name));
        let text = [
            line("reviewer", "cutter-bundle"),
            line("planner", "cutter-plan"),
            line("observer", "cutter-evidence"),
            line("attester", "cutter-attestation"),
            line("second", "cutter-attestation"),
            "# cutter-signer: planner = Cutter::Agent::\"planner\"\n".to_owned(),
            "# cutter-signer: observer = Cutter::Person::\"observer\"\n".to_owned(),
            "# cutter-user: root = Cutter::Agent::\"run-agent\"\n".to_owned(),
        ];
        self.trust(&text.concat());
    }

    /// Signs bundle and plan again.
    pub fn sign(&self) {
        self.sign_bundle("reviewer");
        self.sign_plan(PLAN, "planner");
    }

    /// Runs `cutter` under the scene's trust root, with the secret in its environment.
    pub fn cutter(&self, arguments: &str) -> Ran {
        self.cutter_with(arguments, &[])
    }

    pub fn cutter_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Ran {
        let words = words(&split(arguments), &self.trust_path());
        let mut command = self.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        Ran::of(command.env("CUTTER_TEST_TOKEN", SECRET).envs(environment.iter().copied()))
    }

    /// What an operator saves of a container before each capture.
    pub fn save_the_container(&self, inspected: &str) {
        self.write("directus.json", inspected);
    }

    /// Captures into a file, which the observer signs.
    pub fn capture(&self, name: &str) -> i32 {
        self.save_the_container(CONTAINER);
        let ran = self.cutter(&format!("evidence capture --format json --output {name}"));
        assert!(self.path(name).exists(), "{}", ran.stderr);
        self.keygen_sign("observer", "cutter-evidence", name);
        ran.exit
    }

    /// Runs one action as the run agent.
    pub fn exec(&self, action: &str) -> Ran {
        self.cutter(&format!("exec {PLAN} {action}"))
    }

    /// The four actions that need nobody's approval.
    pub fn do_what_is_free(&self) {
        for action in FREE {
            let ran = self.exec(action);
            assert_eq!(ran.exit, 0, "{action}: {}{}", ran.stdout, ran.stderr);
        }
    }

    /// What `cutter schema attestation` prints.
    pub fn published_schema() -> Value {
        World::empty().cutter("schema attestation").json()
    }

    /// The report as JSON, with the exit code.
    pub fn report(&self) -> (i32, Value) {
        let ran = self.attest("--format json");
        (ran.exit, ran.json())
    }

    /// `cutter attest` over `a.json` and `b.json`.
    pub fn attest(&self, more: &str) -> Ran {
        self.attest_with(more, &[])
    }

    pub fn attest_with(&self, more: &str, environment: &[(&str, &str)]) -> Ran {
        self.cutter_with(&format!("attest {PLAN} --baseline a.json --final b.json {more}"), environment)
    }
}

/// A row of a table of the report, by its id.
pub fn row<'a>(statement: &'a Value, table: &str, id: &str) -> &'a Value {
    let rows = statement["predicate"][table].as_array().unwrap();
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no `{id}` in {table}"))
}
