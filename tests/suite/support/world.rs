//! A scratch copy of the shipped project that a test may spoil, and the program run in it.

use crate::support::judging::words;
use crate::support::tree::copy;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub struct World {
    folder: tempfile::TempDir,
}

pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// The shipped policies, facts, plans and configuration.
    pub fn shipped() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["policies", "entities", "plans"] {
            copy(&root().join(name), &folder.path().join(name));
        }
        std::fs::copy(root().join("cutter.toml"), folder.path().join("cutter.toml")).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Replaces text that must be there.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{name}` has no `{from}`");
        self.write(name, text.replacen(from, to, 1));
    }

    pub fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
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
            for entry in std::fs::read_dir(folder).unwrap() {
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

    /// Runs `cutter` here with a scrubbed environment; arguments are split at spaces.
    pub fn cutter(&self, arguments: &str) -> Ran {
        self.cutter_with(arguments, &[])
    }

    pub fn cutter_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Ran {
        self.run(&split(arguments), environment)
    }

    /// The same, where an argument holds blanks.
    pub fn cutter_words(&self, arguments: &[&str]) -> Ran {
        self.run(arguments, &[])
    }

    pub fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        Ran::of(self.command(arguments).envs(environment.iter().copied()).output().unwrap())
    }

    /// The same as the user `nobody`.
    pub fn cutter_as_nobody(&self, arguments: &str) -> Ran {
        Ran::of(self.command(&split(arguments)).uid(65534).gid(65534).output().unwrap())
    }

    /// The same with this on standard input.
    pub fn cutter_fed(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut command = self.command(&split(arguments));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Whoever has read enough closes its end.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::of(child.wait_with_output().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutter"));
        command.args(words(arguments, Path::new(NO_ROOT))).current_dir(self.folder.path()).env_clear();
        command
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            exit: output.status.code().expect("cutter ended by a signal"),
            stdout: without_trust(output.stdout),
            stderr: without_trust(output.stderr),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// What was said, without the option that nobody typed: commands to go on with repeat it.
fn without_trust(said: Vec<u8>) -> String {
    String::from_utf8(said).unwrap().replace(&format!(" --trust {NO_ROOT}"), "")
}

/// A trust root that is not there.
const NO_ROOT: &str = "none";

fn split(arguments: &str) -> Vec<&str> {
    arguments.split_whitespace().collect()
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
