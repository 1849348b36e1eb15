//! A scratch project that a test may spoil, people's keys, a trust root, and the program run in it.

use crate::support::guarded;
use crate::support::judging::words;
use crate::support::ran::{NO_ROOT, Ran};
use crate::support::scrubbed::scrubbed;
use crate::support::tree::copy;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The shipped plan of most tests.
pub const PLAN: &str = "plans/o9-first-production-run.json";
/// The user without rights, who is in every `/etc/passwd`.
pub const NOBODY: u32 = 65534;

/// Where the repository lies.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub struct World {
    folder: TempDir,
    /// Below folders that only root can change, which is not so of `/tmp`; made once a test needs it.
    safe: OnceLock<TempDir>,
}

impl World {
    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), safe: OnceLock::new() }
    }

    /// The shipped policies, facts, plans and configuration.
    pub fn shipped() -> Self {
        let world = Self::empty();
        for name in ["policies", "entities", "plans"] {
            copy(&root().join(name), &world.path(name));
        }
        fs::copy(root().join("cutter.toml"), world.path("cutter.toml")).unwrap();
        world
    }

    /// One of `examples/`, a project of its own.
    pub fn example(name: &str) -> Self {
        let world = Self::empty();
        copy(&root().join("examples").join(name), world.folder());
        world
    }

    /// The bundle of a ward, which has products, decimals, tags, hours of the day and addresses.
    pub fn ward() -> Self {
        let world = Self::empty();
        copy(&root().join("tests/ward"), world.folder());
        world
    }

    /// The shipped ones, where rows of the plan repeat what their effects fix, and some name no effect.
    pub fn wordy() -> Self {
        let world = Self::shipped();
        world.write(PLAN, fs::read_to_string(root().join("tests/long-plan.json")).unwrap());
        world
    }

    /// Adds an effect to the configuration.
    pub fn declare(&self, name: &str, is: &str, work: &str) {
        self.append("cutter.toml", &format!("\n[effects.{name}]\ndoes = \"what a test needs\"\n{is}\n{work}\n"));
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn append(&self, name: &str, text: &str) {
        self.write(name, self.read(name) + text);
    }

    /// Lets every fact of the schema be stated, for tests that are not about where facts come from.
    pub fn let_facts_be_stated(&self) {
        let schema = "policies/cutter.cedarschema";
        let sources = ["query", "observation", "capture", "ledger"].into_iter();
        let stated = sources.fold(self.read(schema), |text, source| {
            text.replace(&format!("@source(\"{source}\")"), "@source(\"stated\")")
        });
        self.write(schema, stated);
    }

    /// Replaces text that must be there.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{name}` has no `{from}`");
        self.write(name, text.replacen(from, to, 1));
    }

    /// Changes a file of JSON.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value: Value = self.read(name).parse().unwrap();
        change(&mut value);
        self.write(name, serde_json::to_string_pretty(&value).unwrap());
    }

    pub fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    pub fn remove_if_there(&self, name: &str) {
        if self.path(name).exists() {
            self.remove(name);
        }
    }

    /// Every file below, with its size.
    pub fn listing(&self) -> Vec<(PathBuf, u64)> {
        let (mut folders, mut files) = (vec![self.path("")], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push((entry.path(), entry.metadata().unwrap().len()));
                }
            }
        }
        files.sort();
        files
    }
}

/// Keys and what they sign.
impl World {
    /// Makes a key `keys/NAME` and gives its public half, a line of text.
    pub fn make_key(&self, name: &str, kind: &str) -> String {
        self.write("keys/.keep", "");
        let path = self.key_path(name);
        let arguments = ["-q", "-t", kind, "-N", "", "-C", name, "-f"];
        assert!(Command::new("ssh-keygen").args(arguments).arg(path).status().unwrap().success());
        self.public_key(name)
    }

    pub fn key_path(&self, name: &str) -> PathBuf {
        self.path(&format!("keys/{name}"))
    }

    pub fn public_key(&self, name: &str) -> String {
        self.read(&format!("keys/{name}.pub"))
    }

    /// Signs a file with `ssh-keygen` alone, into `FILE.sig`.
    pub fn keygen_sign(&self, key: &str, namespace: &str, file: &str) {
        self.remove_if_there(&format!("{file}.sig"));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.key_path(key)).arg(self.path(file));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Signs the bundle as the program does; a signature that is there is thrown away.
    pub fn sign_bundle(&self, key: &str) {
        self.sign_by(&format!("bundle sign --key keys/{key}"), "policies.sig");
    }

    pub fn sign_plan(&self, plan: &str, key: &str) {
        self.sign_by(&format!("plan sign {plan} --key keys/{key}"), &format!("{plan}.sig"));
    }

    fn sign_by(&self, command: &str, signature: &str) {
        self.remove_if_there(signature);
        let ran = self.cutter(command);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
    }

    /// A path below folders that only root can change.
    pub fn safe(&self, name: &str) -> PathBuf {
        self.safe.get_or_init(guarded::folder).path().join(name)
    }

    pub fn trust_path(&self) -> PathBuf {
        self.safe("trusted_signers")
    }

    /// Rewrites the trust root.
    pub fn trust(&self, text: &str) {
        fs::write(self.trust_path(), text).unwrap();
        mode(&self.trust_path(), 0o644);
    }
}

/// The program.
impl World {
    /// Runs `cutter` here with a scrubbed environment; arguments are split at spaces.
    pub fn cutter(&self, arguments: &str) -> Ran {
        self.cutter_with(arguments, &[])
    }

    pub fn cutter_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Ran {
        Ran::of(self.command(&split(arguments)).envs(environment.iter().copied()))
    }

    /// The same, where an argument holds blanks.
    pub fn cutter_words(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// The same as the user without rights, in an environment that claims to be root.
    pub fn cutter_as_nobody(&self, arguments: &str) -> Ran {
        self.cutter_as_nobody_with(arguments, &[])
    }

    pub fn cutter_as_nobody_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Ran {
        // The build folder may lie where others cannot look; an open file is open.
        let mut command = self.program("/proc/self/fd/0", &split(arguments));
        command.stdin(fs::File::open(CUTTER).unwrap()).arg0("cutter").uid(NOBODY).gid(NOBODY);
        command.envs([("USER", "root"), ("LOGNAME", "root"), ("HOME", "/root")]);
        Ran::of(command.envs(environment.iter().copied()))
    }

    /// The same with this on standard input.
    pub fn cutter_fed(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut command = self.command(&split(arguments));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Whoever has read enough closes its end.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap().into()
    }

    /// `cutter` with these arguments, and a trust root that is not there where they name none.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program(CUTTER, arguments)
    }

    fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = scrubbed(program);
        command.args(words(arguments, Path::new(NO_ROOT))).current_dir(self.folder());
        command
    }
}

/// The shell by the path of its own file, which no link names.
pub fn shell() -> String {
    fs::canonicalize("/bin/sh").unwrap().to_str().unwrap().to_owned()
}

/// The work of a script for the shell.
pub fn scripted(script: &str) -> String {
    let argv = serde_json::json!([shell(), "-c", script]);
    format!("argv = {argv}\npin = \"root-owned\"")
}

/// What effects of tests are: something that anybody of the role group may do, and something that a quorum must approve.
pub const AUTHOR: &str =
    "action = 'Iu::Action::\"author_file\"'\nresource = 'Iu::File::\"/var/lib/cutter/backup_runner.py\"'";
pub const COMPENSATION: &str =
    "action = 'Iu::Action::\"compensate\"'\nresource = 'Iu::Relation::\"public.information_unit\"'";

pub fn split(arguments: &str) -> Vec<&str> {
    arguments.split_whitespace().collect()
}

pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The program under test.
pub const CUTTER: &str = env!("CARGO_BIN_EXE_cutter");
