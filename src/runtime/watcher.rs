//! The watcher of a program: a process of ours that ends the program's whole group when cutter itself is gone, however it ended.

use super::private;
use super::program::ENDING;
use crate::files;
use crate::problem::Problem;
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process_group};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The first process of a group, which ends the group once the other end of its standard input is closed: by whatever ends cutter.
///
/// Whatever is in the group when this is dropped ends, too.
pub struct Watcher {
    child: Child,
    group: Pid,
}

impl Watcher {
    /// Starts one: this very program, under a name that tells it what to be.
    pub fn start() -> Result<Self, Problem> {
        private::close_to_children();
        let mut command = Command::new("/proc/self/exe");
        command.arg0(NAME).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let failed = |why: &str| Problem::failure(format!("nothing can watch over the program: {why}"));
        let mut child = command.spawn().map_err(|error| failed(&files::cause(&error)))?;
        let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
            let _ = child.kill();
            return Err(failed("it has no number"));
        };
        let watcher = Self { child, group };
        watcher.awaited()
    }

    /// Waits until it ignores signals: the first thing that a program does may be to signal its group.
    fn awaited(mut self) -> Result<Self, Problem> {
        let ready = self.child.stdout.take().map(|mut output| output.read_exact(&mut [0]));
        match ready {
            Some(Ok(())) => Ok(self),
            _ => Err(Problem::failure("nothing can watch over the program: its watcher did not begin")),
        }
    }

    /// The number of its group.
    pub fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // The first of the group is not reaped yet, so that its number is nobody else's.
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What a watcher does: nothing, until nobody holds the other end of its standard input any more. A process that starts no group
/// of its own ends nobody.
pub fn watch() {
    if getpgrp() != getpid() {
        return;
    }
    // Whoever tells the group to stop leaves the watcher to its work.
    for signal in ENDING {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    let _ = rustix::io::write(rustix::stdio::stdout(), READY);
    if let Ok(mut input) = File::open("/proc/self/fd/0") {
        let _ = input.read_to_end(&mut Vec::new());
    }
    let _ = kill_process_group(getpgrp(), Signal::KILL);
}

/// What it says once it ignores signals any more.
const READY: &[u8] = b".";

/// The name under which this program is a watcher.
pub const NAME: &str = "cutter-watcher";
