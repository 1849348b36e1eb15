//! Small mistakes, each a case under `tests/mistakes/`: what is corrupted in the shipped project, the command, its exit code, and
//! the exact text on standard error beside it. `BLESS=1` rewrites those texts; read the difference like code.

use crate::support::world::{CUTTER, World, root};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// One case; its name is its file's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The command line after `cutter`.
    run: String,
    exit: i32,
    /// The folder to run in, below the project; the project itself where it is not given.
    #[serde(default)]
    folder: String,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// What is done first, in order.
    #[serde(default)]
    step: Vec<Step>,
}

/// One step before the command.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Step {
    /// A command that must end with 0.
    Cutter(String),
    /// A new key under `keys/`; with a passphrase if it is so named.
    Key(String),
    Replace {
        file: String,
        text: String,
        by: String,
    },
    Write {
        file: String,
        text: String,
    },
    Bytes {
        file: String,
        bytes: Vec<u8>,
    },
    Remove(String),
    Mode {
        file: String,
        mode: u32,
    },
}

#[test]
fn every_mistake_gets_its_exit_code_and_exactly_its_message() {
    let folder = root().join("tests/mistakes");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    assert!(paths.len() > 60, "only {} cases were found", paths.len());
    let (queue, failures) = (Mutex::new(paths), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = { queue.lock().unwrap().pop() } {
                    if let Err(failure) = std::panic::catch_unwind(|| check(&path)).unwrap_or(Err("it panicked".into()))
                    {
                        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                        failures.lock().unwrap().push(format!("{name}: {failure}"));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "{} mistakes:\n{}", failures.len(), failures.join("\n"));
}

fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).unwrap();
    let case: Case = toml::from_str(&text).map_err(|error| error.to_string())?;
    let world = World::wordy();
    for step in &case.step {
        take(&world, step)?;
    }
    let (exit, stdout, stderr) = run(&world, &case.folder, &case.run, &case.environment);
    let golden = path.with_extension("stderr");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &stderr).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    if exit != case.exit || stderr != expected {
        return Err(format!("exit {exit}, not {}\n--- wanted\n{expected}--- got\n{stderr}", case.exit));
    }
    if [1, 3, 8, 64].contains(&exit) && !stdout.is_empty() {
        return Err(format!("an error prints a result: {stdout}"));
    }
    let leak =
        ["panicked", "Err(", "ParseError", "serde", "RUST_BACKTRACE"].into_iter().find(|word| stderr.contains(word));
    leak.map_or(Ok(()), |word| Err(format!("the message has `{word}`: {stderr}")))
}

fn take(world: &World, step: &Step) -> Result<(), String> {
    match step {
        Step::Cutter(arguments) => {
            let (exit, _, stderr) = run(world, "", arguments, &BTreeMap::new());
            if exit != 0 {
                return Err(format!("`{arguments}` ended with {exit}: {stderr}"));
            }
        }
        Step::Key(name) => {
            world.write("keys/.keep", "");
            let passphrase = if name.contains("encrypted") { "a passphrase" } else { "" };
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f"]);
            let made = command.arg(world.path(&format!("keys/{name}"))).status().unwrap();
            assert!(made.success());
        }
        Step::Replace { file, text, by } => world.replace(file, text, by),
        Step::Write { file, text } => world.write(file, text),
        Step::Bytes { file, bytes } => world.write(file, bytes),
        Step::Remove(file) => world.remove(file),
        Step::Mode { file, mode } => {
            std::fs::set_permissions(world.path(file), std::fs::Permissions::from_mode(*mode)).unwrap();
        }
    }
    Ok(())
}

/// Runs `cutter` without a terminal; what differs from run to run is replaced in what it says.
fn run(world: &World, folder: &str, arguments: &str, environment: &BTreeMap<String, String>) -> (i32, String, String) {
    let here = world.path(folder);
    std::fs::create_dir_all(&here).unwrap();
    // A session of its own has no terminal, from which a passphrase could be read.
    let output = Command::new("setsid")
        .arg("--wait")
        .arg(CUTTER)
        .args(arguments.split_whitespace())
        .current_dir(here)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(environment)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let project = world.path("").canonicalize().unwrap().display().to_string();
    let mut stderr = String::from_utf8(output.stderr).unwrap().replace(&project, "/project");
    while let Some(at) = stderr.find("SHA256:") {
        stderr.replace_range(at..at + 50, "[fingerprint]");
    }
    // A ledger's id is random.
    let id = stderr.split('`').find(|text| text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if let Some(id) = id.map(str::to_owned) {
        stderr = stderr.replace(&id, "[ledger]");
    }
    (output.status.code().expect("cutter ended by a signal"), String::from_utf8(output.stdout).unwrap(), stderr)
}
