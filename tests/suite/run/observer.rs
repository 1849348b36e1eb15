//! An observer of another user: its folders, its key, and its process.

use crate::support::scrubbed::scrubbed;
use crate::support::world::{CUTTER, World, mode};
use cutter::time::Timestamp;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A user that is in every `/etc/passwd`, and neither root nor nobody.
pub const DAEMON: u32 = 1;

/// The process, while it runs.
#[derive(Default)]
pub struct Observer(Option<Child>);

/// Lays out what an observer of this world needs, with the key `observer`; gives its section of the configuration.
pub fn lay(world: &World, server: &Path) -> String {
    for name in ["observer", "observer/runs"] {
        fs::create_dir(world.safe(name)).unwrap();
        mode(&world.safe(name), 0o755);
        chown(world.safe(name), Some(DAEMON), Some(DAEMON)).unwrap();
    }
    fs::copy(world.key_path("observer"), world.safe("observer/key")).unwrap();
    mode(&world.safe("observer/key"), 0o600);
    chown(world.safe("observer/key"), Some(DAEMON), Some(DAEMON)).unwrap();
    [world.folder(), server].into_iter().for_each(|folder| mode(folder, 0o755));
    let (folder, socket) = (world.safe("observer/runs"), socket(world));
    let (folder, socket) = (folder.display(), socket.display());
    format!("\n[observer]\nfolder = \"{folder}\"\nsocket = \"{socket}\"\nuser = \"daemon\"\n")
}

pub fn socket(world: &World) -> PathBuf {
    world.safe("observer/socket")
}

/// What it said so far.
pub fn said(world: &World) -> String {
    fs::read_to_string(world.safe("said")).unwrap_or_default()
}

/// What is kept of a run, by name.
pub fn kept(world: &World, run: &str) -> Vec<String> {
    let entries = fs::read_dir(world.safe(&format!("observer/runs/{run}"))).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// How long each capture of a run took, in milliseconds.
pub fn took(world: &World, run: &str) -> Vec<i64> {
    let captures = kept(world, run).into_iter().filter(|name| name.ends_with(".json") && name != "begun.json");
    let time = |capture: &Value, name: &str| Timestamp::parse(capture[name].as_str().unwrap()).unwrap().milliseconds();
    let capture = |name: String| -> Value {
        fs::read_to_string(world.safe(&format!("observer/runs/{run}/{name}"))).unwrap().parse().unwrap()
    };
    captures.map(capture).map(|it| time(&it, "finished_at") - time(&it, "started_at")).collect()
}

impl Observer {
    /// Starts it with the configuration of the runs.
    pub fn start(&mut self, world: &World, environment: &[(&str, &str)]) {
        self.start_with(world, &world.path("cutter.toml"), environment);
    }

    /// Starts it, as a user who may read every file and nothing more; comes back when it can be asked.
    pub fn start_with(&mut self, world: &World, config: &Path, environment: &[(&str, &str)]) {
        let mut command = scrubbed("setpriv");
        command.args(["--reuid", "daemon", "--regid", "daemon", "--clear-groups"]);
        command.args(["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"]);
        // The build folder may lie where others cannot look; an open file is open.
        command.arg("/proc/self/fd/0").stdin(fs::File::open(CUTTER).unwrap()).current_dir("/");
        command.args(["observe", "--for", "root", "--every", "1000", "--config"]).arg(config);
        command.arg("--key").arg(world.safe("observer/key")).envs(environment.iter().copied());
        let file = fs::File::options().create(true).append(true).open(world.safe("said")).unwrap();
        let mut child = command.stderr(file).stdout(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while UnixStream::connect(socket(world)).is_err() {
            let is_there = child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60);
            assert!(is_there, "{}", said(world));
            std::thread::sleep(Duration::from_millis(50));
        }
        self.0 = Some(child);
    }

    pub fn kill(&mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends it as an init system does; whether it ended well.
    pub fn end(&mut self) -> bool {
        let mut child = self.0.take().unwrap();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        child.wait().unwrap().success()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
