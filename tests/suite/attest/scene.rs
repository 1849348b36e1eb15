//! A production-shaped server, the shipped project pointed at it, people with keys, and the walk of one run.

use crate::support::judging::words;
use crate::support::postgres::{Options, Server};
use crate::support::scrubbed::scrubbed;
use crate::support::tree::copy;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

pub const SECRET: &str = "correct horse battery \"staple\"";
pub const PLAN: &str = "plans/o9-first-production-run.json";
pub const FREE: [&str; 4] =
    ["author-backup-runner", "audit-grant-matrix", "read-source-registries", "package-first-run"];

pub struct Scene {
    pub server: Server,
    folder: TempDir,
    /// Below folders that only root can change, which is not so of `/tmp`.
    safe: TempDir,
}

pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
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
        let folder = TempDir::new().unwrap();
        let scene = Self { server, folder, safe: crate::support::guarded::folder() };
        for name in ["policies", "entities", "plans"] {
            copy(&root().join(name), &scene.path(name));
        }
        scene.lay_out_the_host();
        scene.configure(|config| config);
        scene.aim_the_plan();
        for name in ["reviewer", "planner", "observer", "attester", "second", "stranger"] {
            scene.key(name);
        }
        scene.trust();
        scene.sign();
        assert_eq!(scene.cutter("ledger init").exit, 0);
        scene
    }

    /// The trees, the switch, and what an operator saved of a container.
    fn lay_out_the_host(&self) {
        self.write("v0.6/orchestrator/__init__.py", "__execution_enabled__ = False\n");
        self.write("v0.4/agent.py", "print('v0.4')\n");
        self.write("staged/backup_runner.py", "def run(): pass\n");
        fs::create_dir(self.path("runtime")).unwrap();
        self.write(
            "directus.json",
            r#"[{"Id":"4bd6","State":{"StartedAt":"2026-05-01T00:00:00Z","Pid":77,"Status":"running"},"RestartCount":0,"Image":"sha256:00"}]"#,
        );
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
        let here = self.folder.path().display().to_string();
        let program = env!("CARGO_BIN_EXE_cutter");
        let shipped = fs::read_to_string(root().join("cutter.toml")).unwrap();
        let (before, rest) = shipped.split_once("[database]").unwrap();
        let (_, after) = rest.split_once("# What `--facts postgres`").unwrap();
        let socket = self.server.socket_directory().display();
        let mut config = format!(
            "{before}[database]\nhost = \"{socket}\"\nuser = \"cutter_observe\"\ndbname = \"directus\"\n# What `--facts postgres`{after}"
        );
        config = config
            .replace(
                "[evidence]\n",
                "[secrets]\nvariables = [\"CUTTER_TEST_TOKEN\"]\n\n[evidence]\ncounter_lag_seconds = 1\n",
            )
            .replace("/opt/incomex/dot/iu-cutter-v0.6/cutter_agent", &format!("{here}/v0.6"))
            .replace("/opt/incomex/dot/iu-cutter-v0.6", &format!("{here}/v0.6"))
            .replace("/opt/incomex/dot/iu-cutter", &format!("{here}/v0.4"))
            .replace("/var/lib/cutter/evidence/directus.inspect.json", &format!("{here}/directus.json"))
            .replace("path = \"/var/lib/cutter\"", &format!("path = \"{here}/runtime\""));
        // An audit that finds a difference, or targets that lack something, ends with a code of its own.
        let audit = |command: &str, code: i32| format!(r#"["sh", "-c", "{program} {command}; test $? = {code}"]"#);
        let trust = self.trust_path().display().to_string();
        let targets =
            format!("evidence targets --trust {trust} {PLAN} --facts postgres --package runtime > targets.txt");
        for (effect, argv) in [
            ("author-backup-runner", r#"["cp", "staged/backup_runner.py", "runtime/backup_runner.py"]"#.to_owned()),
            ("audit-grants", audit("evidence grants --package runtime > grants.txt", 4)),
            ("read-registries", audit(&targets, 9)),
            ("package-first-run", format!(r#"["cp", "{PLAN}", "runtime/first-run.json"]"#)),
        ] {
            let header = format!("[effects.{effect}]\n");
            assert!(config.contains(&header), "{effect}");
            config = config.replace(&header, &format!("{header}argv = {argv}\n"));
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

    pub fn key(&self, name: &str) {
        self.write("keys/.keep", "");
        let path = self.path(&format!("keys/{name}"));
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"];
        assert!(Command::new("ssh-keygen").args(arguments).arg(path).status().unwrap().success());
    }

    /// Who may sign what, in a file that only root can change.
    pub fn trust(&self) {
        let line = |name: &str, namespace: &str| {
            format!("{name} namespaces=\"{namespace}\" {}", self.read(&format!("keys/{name}.pub")))
        };
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
        fs::write(self.trust_path(), text.concat()).unwrap();
    }

    pub fn trust_path(&self) -> PathBuf {
        self.safe.path().join("trusted_signers")
    }

    /// Signs bundle and plan anew.
    pub fn sign(&self) {
        for (signature, command) in [
            ("policies.sig", "bundle sign --key keys/reviewer".to_owned()),
            (&*format!("{PLAN}.sig"), format!("plan sign {PLAN} --key keys/planner")),
        ] {
            let _ = fs::remove_file(self.path(signature));
            let ran = self.cutter(&command);
            assert_eq!(ran.exit, 0, "{}", ran.stderr);
        }
    }

    /// Signs a file with `ssh-keygen` alone, into `FILE.sig`.
    pub fn keygen_sign(&self, key: &str, namespace: &str, file: &str) {
        let _ = fs::remove_file(self.path(&format!("{file}.sig")));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.path(&format!("keys/{key}")));
        assert!(command.arg(self.path(file)).output().unwrap().status.success());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    pub fn cutter(&self, arguments: &str) -> Ran {
        self.cutter_with(arguments, &[])
    }

    pub fn cutter_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Ran {
        let output = scrubbed(env!("CARGO_BIN_EXE_cutter"))
            .args(words(&arguments.split_whitespace().collect::<Vec<_>>(), &self.trust_path()))
            .current_dir(self.folder.path())
            .env("CUTTER_TEST_TOKEN", SECRET)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Ran {
            exit: output.status.code().expect("cutter ended by a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Captures into a file, which the observer signs.
    pub fn capture(&self, name: &str) -> i32 {
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
        let output = Command::new(env!("CARGO_BIN_EXE_cutter")).args(["schema", "attestation"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
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

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A row of a table of the report, by its id.
pub fn row<'a>(statement: &'a Value, table: &str, id: &str) -> &'a Value {
    let rows = statement["predicate"][table].as_array().unwrap();
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no `{id}` in {table}"))
}
