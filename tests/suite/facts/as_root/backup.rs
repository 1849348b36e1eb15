//! An encrypted backup of real tables by real programs: what it leaves, what it brings about, and that nothing lasts otherwise.

use super::billing::{Month, PLAN};
use crate::support::postgres::Server;
use crate::support::ran::Ran;
use crate::support::world::{CUTTER, World, mode, root};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BAN: &str = r#"
@id("switch-on-needs-backup")
@title("Turn posting on without a fresh backup of this run")
@tier("precondition")
@gap("BACKUP")
@severity("high")
@evidence("none")
@advice("run the row of the backup")
forbid (
  principal,
  action == Billing::Action::"turn_posting",
  resource
)
when { context.to && context.run.stage == Cutter::Stage::"use" }
unless
{
  context.run.facts has backup &&
  context.run.facts.backup.run == context.run.id &&
  context.run.facts.backup.taken_at <= context.run.now &&
  context.run.facts.backup.taken_at > context.run.now.offset(duration("-60m")) &&
  context.run.facts.backup.envelope.containsAll(["sha256", "size_bytes", "gpg_fpr", "artifact_ref"]) &&
  context.run.facts.backup.size > 0 &&
  context.run.facts.backup.sha256 != ""
};
"#;

const ROWS: &str = "
INSERT INTO billing.staged SELECT 'x', '2026-10', md5(n::text) || 'plain', n FROM generate_series(1, 20000) n;
CREATE TABLE billing.hidden (secret text);
GRANT SELECT ON billing.staged, billing.entry, billing.book TO closer;";

/// Somebody's keys, both halves, in a folder of their own.
pub struct Keys(tempfile::TempDir);

impl Keys {
    /// A key that can do this.
    pub fn make(name: &str, usage: &str) -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        mode(keys.0.path(), 0o700);
        let pair = if usage == "sign" { ["ed25519", "sign"] } else { ["future-default", "default"] };
        keys.gpg(&["--passphrase", "", "--quick-generate-key", name, pair[0], pair[1], "never"], b"");
        keys
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("/usr/bin/gpg");
        command.args(["--batch", "--quiet", "--homedir"]).arg(self.0.path()).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut to, input) = (child.stdin.take().unwrap(), input.to_vec());
        // However much comes out of it before all has gone in.
        let fed = std::thread::spawn(move || std::io::Write::write_all(&mut to, &input));
        let output = child.wait_with_output().unwrap();
        fed.join().unwrap().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub fn public(&self) -> Vec<u8> {
        self.gpg(&["--armor", "--export"], b"")
    }

    pub fn fingerprint(&self) -> String {
        let listed = String::from_utf8(self.gpg(&["--with-colons", "--list-keys"], b"")).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "gpg-agent"]).status();
    }
}

/// A month whose first row is a backup of the staged entries.
struct Vault {
    month: Month,
    keys: Keys,
}

impl Vault {
    fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// The same, in which something is otherwise before anything is signed.
    fn with(change: impl FnOnce(&World, &Keys)) -> Self {
        let keys = Keys::make("Vault <vault@example.org>", "all");
        let month = Month::with(|world: &World, server: &Server| {
            server.execute(ROWS);
            let dump = fs::canonicalize(server.client("pg_dump").get_program()).unwrap();
            let config = world.read("cutter.toml");
            let (before, rest) = config.split_once("does = \"prints").unwrap();
            let (_, after) = rest.split_once("[effects.posting-on]").unwrap();
            let work = format!(
                "does = \"backs the staged entries up\"\nbuiltin = \"backup\"\nfolder = \"{}\"\n[effects.preview.produces]\n\
                 \"backup.run\" = {{ type = \"String\", answer = \"run_id\" }}\n\
                 \"backup.taken_at\" = {{ type = \"datetime\", answer = \"taken_at\" }}\n\
                 \"backup.envelope\" = {{ type = \"Set<String>\", answer = \"envelope\" }}\n\
                 \"backup.size\" = {{ type = \"Long\", answer = \"size_bytes\" }}\n\
                 \"backup.sha256\" = {{ type = \"String\", answer = \"sha256\" }}\n",
                world.path("backups").display()
            );
            let settings = format!(
                "[backup]\nrole = \"closer\"\ntables = [\"billing.staged\", \"billing.entry\"]\nkey_file = \"{}\"\n\
                 fingerprint = \"{}\"\npg_dump = \"{}\"\ngpg = \"/usr/bin/gpg\"\n\
                 envelope = {{ database = \"run.facts.database\" }}\n",
                world.safe("backup-key.asc").display(),
                keys.fingerprint(),
                dump.display()
            );
            world.write("cutter.toml", format!("{before}{work}[effects.posting-on]{after}\n{settings}"));
            fs::write(world.safe("backup-key.asc"), keys.public()).unwrap();
            let facts = "type Facts = { posting_on: Bool,";
            let more = "type Facts = { @source(\"ledger\") backup?: { run: String, taken_at: datetime, envelope: Set<String>, \
                        size: Long, sha256: String }, posting_on: Bool,";
            world.replace("policies/billing.cedarschema", facts, more);
            world.append("policies/bans.cedar", BAN);
            change(world, &keys);
        });
        Self { month, keys }
    }

    /// The one backup there is, and its envelope.
    fn artifact(&self) -> (PathBuf, Value) {
        let [envelope, artifact]: [PathBuf; 2] = self.files().try_into().unwrap();
        (artifact, fs::read_to_string(envelope).unwrap().parse().unwrap())
    }

    /// Every file of the folder, the envelope of a backup before it.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(self.month.world.path("backups")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn begin(&self, row: &str) -> Child {
        let mut command = self.month.command(&["exec", PLAN, row, "--facts", "postgres"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn rows(server: &Server, database: &str, table: &str) -> Vec<String> {
    let sql = format!("SELECT t::text FROM {table} t ORDER BY 1");
    server.connect("postgres", database).query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_backup_decrypts_to_the_same_rows_and_what_was_measured_of_it_is_a_fact_from_the_ledger() {
    let vault = Vault::new();
    let ran = vault.month.exec("preview");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let (artifact, envelope) = vault.artifact();
    let bytes = fs::read(&artifact).unwrap();
    let digest = cutter::digest::Digest::of(&bytes).to_string();
    let (number, taken_at) = (envelope["in"]["database"].clone(), envelope["taken_at"].clone());
    assert!(number.as_str().is_some_and(|number| number.len() > 10), "{envelope:#}");
    let wanted = json!({"version": 1, "taken_at": taken_at,
        "in": {"run_id": "close-2026-10", "tables": ["billing.staged", "billing.entry"], "database": number},
        "out": {"sha256": digest, "size_bytes": bytes.len(), "gpg_fpr": vault.keys.fingerprint(),
                "artifact_ref": artifact.display().to_string()}});
    assert_eq!(envelope, wanted);
    assert!(bytes.len() > 100_000 && fs::metadata(&artifact).unwrap().mode() & 0o777 == 0o600);
    // Restored elsewhere it is what it was.
    let dump = vault.month.world.path("dump");
    fs::write(&dump, vault.keys.gpg(&["--decrypt"], &bytes)).unwrap();
    let server = &vault.month.server;
    server.execute("CREATE DATABASE restored");
    server
        .connect("postgres", "restored")
        .batch_execute("CREATE SCHEMA billing; CREATE TABLE billing.book (month text PRIMARY KEY)")
        .unwrap();
    let restored = server.client("pg_restore").args(["--no-acl", "--dbname=restored"]).arg(&dump).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    for table in ["billing.staged", "billing.entry"] {
        assert_eq!(rows(server, "restored", table), rows(server, "postgres", table), "{table}");
    }
    // The next row rests on it, by the ledger.
    let document = vault.month.cutter(&format!("authorize {PLAN} --facts postgres --format json")).json();
    let facts = document["facts_read"].as_array().unwrap();
    let fact = |name: &str| {
        let fact = facts.iter().find(|fact| fact["fact"] == format!("run.facts.backup.{name}")).unwrap();
        (fact["value"].clone(), fact["source"].clone(), fact["name"].clone())
    };
    assert_eq!(fact("sha256"), (json!(format!("\"{digest}\"")), json!("ledger"), json!("preview")));
    assert_eq!(fact("size").0, json!(bytes.len().to_string()));
    let ran = vault.month.exec("posting-on");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let log = vault.month.cutter("log --format json").stdout;
    assert!(log.contains(&digest), "{log}");
}

#[test]
fn the_plaintext_goes_through_a_pipe_and_the_password_is_no_argument() {
    let vault = Vault::new();
    let trace = vault.month.world.path("trace");
    let inner = vault.month.command(&["exec", PLAN, "preview", "--facts", "postgres"]);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", "trace=write,pwrite64,writev,sendto,execve", "-s", "4096", "-o"]).arg(&trace);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(vault.month.world.folder()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = Ran::of(&mut command);
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let trace = String::from_utf8_lossy(&fs::read(&trace).unwrap()).into_owned();
    let plain: Vec<&str> = trace.lines().filter(|line| line.contains("\"PGDMP")).collect();
    assert!(!plain.is_empty() && plain.iter().all(|line| line.contains("<pipe:[")), "{plain:#?}");
    // What is written into the folder is what `gpg` gave, and nothing else goes there before its envelope.
    let written = trace.lines().filter(|line| line.contains("/backups/") && line.contains("write(")).count();
    assert!(written > 1, "nothing was seen to be written into the folder");
    let programs: Vec<&str> = trace.lines().filter(|line| line.contains("execve(")).collect();
    assert!(programs.iter().any(|line| line.contains("pg_dump") && line.contains("--snapshot=")), "{programs:#?}");
    for file in vault.files() {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(5).any(|part| part == b"PGDMP"), "{}", file.display());
    }
}

/// What is wrong, how it is made so, the exit, and what is said.
type Fault = (&'static str, &'static dyn Fn(&World, &Keys), i32, &'static str);

#[test]
fn what_is_wrong_with_key_programs_or_tables_is_found_before_anything_begins() {
    let faults: [Fault; 9] = [
        (
            "unset",
            &|world, keys| world.replace("cutter.toml", &keys.fingerprint(), ""),
            1,
            "no fingerprint of a key is set",
        ),
        (
            "another's key",
            &|world, _| {
                fs::write(world.safe("backup-key.asc"), Keys::make("Eve <eve@example.org>", "all").public()).unwrap()
            },
            1,
            "is pinned",
        ),
        (
            "two keys",
            &|world, keys| {
                let both = [keys.public(), Keys::make("Eve <eve@example.org>", "all").public()].concat();
                fs::write(world.safe("backup-key.asc"), both).unwrap();
            },
            1,
            "holds 2 keys, not one",
        ),
        (
            "a key that signs",
            &|world, keys| {
                let signs = Keys::make("Sam <sam@example.org>", "sign");
                fs::write(world.safe("backup-key.asc"), signs.public()).unwrap();
                world.replace("cutter.toml", &keys.fingerprint(), &signs.fingerprint());
            },
            1,
            "cannot encrypt",
        ),
        ("no key", &|world, _| fs::write(world.safe("backup-key.asc"), "no key").unwrap(), 1, "cannot be imported"),
        ("a key that others write", &|world, _| mode(&world.safe("backup-key.asc"), 0o666), 8, "is not safe"),
        (
            "no such table",
            &|world, _| world.replace("cutter.toml", "\"billing.staged\"", "\"billing.nothing\""),
            1,
            "`billing.nothing` is not a table that `closer` may read",
        ),
        (
            "no right",
            &|world, _| world.replace("cutter.toml", "\"billing.staged\"", "\"billing.hidden\""),
            1,
            "`billing.hidden` is not a table that `closer` may read",
        ),
        (
            "a script",
            &|world, _| {
                fs::write(world.safe("wrapper"), "#!/bin/sh\nexec pg_dump \"$@\"\n").unwrap();
                mode(&world.safe("wrapper"), 0o755);
                let wrapper = world.safe("wrapper").display().to_string();
                let config = world.read("cutter.toml");
                let is = config.lines().find(|line| line.starts_with("pg_dump = ")).unwrap().to_owned();
                world.replace("cutter.toml", &is, &format!("pg_dump = \"{wrapper}\""));
            },
            1,
            "it is a script",
        ),
    ];
    for (what, change, exit, says) in faults {
        let vault = Vault::with(change);
        let ran = vault.month.exec("preview");
        let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ran.exit == exit && said.contains(says), "{what}: {} {}{said}", ran.exit, ran.stdout);
        assert_eq!(vault.files(), Vec::<PathBuf>::new(), "{what}");
        let log = vault.month.cutter("log --format json").stdout;
        assert!(!log.contains("\"started\""), "{what}: {log}");
        if !["no such table", "no right"].contains(&what) {
            let tried = vault.month.cutter("backup self-test");
            assert_eq!(tried.exit, exit, "{what}: {}{}", tried.stdout, tried.stderr);
        }
    }
}

/// The children of a process that run this program.
fn child(of: &Child, program: &str) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", of.id())).ok()?;
    let runs = |pid: &&str| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        name.trim() == program || exe.ends_with(Path::new(program))
    };
    children.split_whitespace().find(runs)?.parse().ok()
}

#[test]
fn nothing_lasts_when_one_of_both_ends_in_the_middle() {
    for (program, says) in [("pg_dump", "`pg_dump` ended by signal 9"), ("gpg", "`gpg` ended by signal 9")] {
        let vault = Vault::new();
        // The dump waits for a lock, so that there is a middle.
        let mut holder = vault.month.server.connect("postgres", "postgres");
        let mut transaction = holder.transaction().unwrap();
        transaction.batch_execute("LOCK TABLE billing.staged IN ACCESS EXCLUSIVE MODE").unwrap();
        let running = vault.begin("preview");
        let began = Instant::now();
        let victim = loop {
            match child(&running, program).filter(|_| child(&running, "pg_dump").is_some()) {
                Some(pid) => break pid,
                None => assert!(began.elapsed() < Duration::from_secs(60), "no `{program}` was seen"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(Command::new("kill").args(["-9", &victim.to_string()]).status().unwrap().success());
        let ran: Ran = running.wait_with_output().unwrap().into();
        drop(transaction);
        let said = format!("{}{}", ran.stdout, ran.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ran.exit == 10 && said.contains(says), "{program}: {} {said}", ran.exit);
        assert_eq!(vault.files(), Vec::<PathBuf>::new(), "{program}");
        let blocked = vault.month.exec("posting-on");
        assert_eq!(blocked.exit, 9, "{}{}", blocked.stdout, blocked.stderr);
    }
}

#[test]
fn nothing_lasts_when_there_is_no_room() {
    let vault = Vault::new();
    let folder = vault.month.world.path("backups");
    fs::create_dir(&folder).unwrap();
    let inner = vault.month.command(&["exec", PLAN, "preview", "--facts", "postgres"]);
    let script = "mount -t tmpfs -o size=64k none \"$0\" && \"$@\"; code=$?; ls -A \"$0\"; exit $code";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(&folder).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(vault.month.world.folder()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = Ran::of(&mut command);
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(ran.exit == 10 && said.contains("no space left"), "{} {said}{}", ran.exit, ran.stderr);
    assert!(!ran.stdout.contains("unfinished\n") && !ran.stdout.contains(".envelope.json"), "{said}");
}

#[test]
fn the_self_test_says_for_whom_it_encrypted() {
    let vault = Vault::new();
    let ran = vault.month.cutter("backup self-test --output backup-key.status");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    let status = vault.month.world.read("backup-key.status");
    let wanted = format!(
        "fingerprint_set=true\npublic_key_imported=true\nselftest_passed=true\nfingerprint={}\n",
        vault.keys.fingerprint()
    );
    assert!(status.starts_with(&wanted) && status.contains("\nrecipient="), "{status}");
    // By the name that people know.
    let path = format!("{}:{}", Path::new(CUTTER).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut runner = Command::new("python3");
    runner.arg(root().join("staged/backup_runner.py")).arg("--selftest").env("PATH", path);
    let ran = Ran::of(runner.current_dir(vault.month.world.folder()));
    assert!(ran.exit == 0 && ran.stdout.starts_with(&wanted), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_backup_of_nothing_is_no_configuration() {
    let world = World::shipped();
    let config = world.read("cutter.toml");
    let (before, rest) = config.split_once("\n[backup]\n").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    world.write("cutter.toml", format!("{before}\n{after}"));
    let ran = world.cutter("authorize plans/o9-first-production-run.json");
    assert!(ran.exit == 3 && ran.stderr.contains("nothing says of what"), "{} {}", ran.exit, ran.stderr);
}
