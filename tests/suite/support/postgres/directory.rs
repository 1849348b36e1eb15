//! The directory of one server, and the watchdog that empties it of processes and removes it, whatever becomes of the test.

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::must;

/// A directory that does not outlive its value.
pub struct Directory {
    path: PathBuf,
    watchdog: Child,
}

impl Directory {
    pub fn create(on_disk: bool) -> Self {
        let parent = memory().filter(|_| !on_disk).map_or_else(env::temp_dir, Path::to_owned);
        let path = free_below(&parent);
        // It stands before the directory is there: whoever is killed in between leaves nothing.
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG, "cutter-test-watchdog"]).arg(&path);
        // A process group of its own: what kills the group of the test must not kill the watchdog.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watchdog = must(Path::new("sh"), command.spawn());
        must(&path, DirBuilder::new().mode(0o700).create(&path));
        Self { path, watchdog }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The process group in which the server is to run.
    pub fn process_group(&self) -> i32 {
        self.watchdog.id().try_into().unwrap_or(0)
    }

    /// Lets the watchdog do its work. A child of this process that it ends must be waited for.
    pub fn release(&mut self) {
        drop(self.watchdog.stdin.take());
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.release();
        let _ = self.watchdog.wait();
    }
}

/// A path of this process's own at which nothing lies, short enough for that of a socket.
fn free_below(parent: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = parent.join(format!("cutter-pg-{}-{number}", std::process::id()));
        assert!(directory.as_os_str().len() < 90, "`{}` is too long for a Unix socket", directory.display());
        if directory.symlink_metadata().is_err() {
            return directory;
        }
    }
}

/// Memory where there is a gibibyte of it to spare and `TMPDIR` names no other place: a cluster has a thousand files.
fn memory() -> Option<&'static Path> {
    static ROOMY: OnceLock<bool> = OnceLock::new();
    let is_roomy = || {
        let output = Command::new("df").args(["-Pk", MEMORY]).output().ok()?;
        let available: u64 =
            String::from_utf8(output.stdout).ok()?.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
        Some(available > 1024 * 1024)
    };
    let is_roomy = *ROOMY.get_or_init(|| env::var_os("TMPDIR").is_none() && is_roomy().unwrap_or(false));
    is_roomy.then_some(Path::new(MEMORY))
}

const MEMORY: &str = "/dev/shm";

/// Waits until the test process closes the pipe, by will or by death; then ends what works in the data directory, kindly
/// enough for it to give back its shared memory, and removes the directory. The brackets keep `grep` from finding itself.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
read -r nothing
tries=0
while grep -qs "$1/dat[a]" /proc/[0-9]*/cmdline; do
    signal=QUIT
    [ "$tries" -lt 500 ] || signal=KILL
    if read -r pid < "$1/data/postmaster.pid" && grep -qs "$1/dat[a]" "/proc/$pid/cmdline"; then
        kill -s "$signal" "$pid"
    fi
    [ "$tries" -lt 550 ] || break
    tries=$((tries + 1))
    sleep 0.02
done
rm -rf "$1"
"#;
