//! Two programs, of which the first writes into the second: both must end well, and what the second writes goes into a sink.

use crate::files::cause;
use crate::runtime::private;
use crate::runtime::program::{catch_signals, wait};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

/// Where bytes go.
pub trait Sink: Send {
    /// Takes some; or says why it cannot.
    fn take(&mut self, bytes: &[u8]) -> Result<(), String>;
}

/// Runs both to their ends, or to the end of their time; says why it did not go well.
pub fn through(
    (first, first_name): (Command, &str),
    (second, second_name): (Command, &str),
    sink: &mut dyn Sink,
    time: Duration,
) -> Result<(), String> {
    let signals = catch_signals().map_err(|error| cause(&error))?;
    private::close_to_children();
    let unstarted = |name: &str, error: &io::Error| format!("`{name}` cannot be started: {}", cause(error));
    let mut first = Running(start(first, Stdio::null()).map_err(|error| unstarted(first_name, &error))?);
    let between = first.0.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let mut second = Running(start(second, between).map_err(|error| unstarted(second_name, &error))?);
    let (first_errors, second_errors) = (first.0.stderr.take(), second.0.stderr.take());
    let from = second.0.stdout.take();
    let began = Instant::now();
    let (taken, first_end, second_end, first_said, second_said) = std::thread::scope(|scope| {
        let first_said = scope.spawn(move || first_errors.map(said).unwrap_or_default());
        let second_said = scope.spawn(move || second_errors.map(said).unwrap_or_default());
        let taken = scope.spawn(move || from.map_or(Ok(()), |from| pour(from, sink)));
        // Whatever ends one of them ends the other: its pipe is closed, or it is ended here.
        let second_end = second.end(time, &signals);
        let is_well = second_end.as_ref().is_some_and(ExitStatus::success);
        let rest = if is_well { time.saturating_sub(began.elapsed()) } else { Duration::ZERO };
        let first_end = first.end(rest, &signals);
        let joined = taken.join().unwrap_or_else(|_| Err("its bytes could not be taken".to_owned()));
        (joined, first_end, second_end, first_said.join().unwrap_or_default(), second_said.join().unwrap_or_default())
    });
    taken?;
    let ended = |name: &str, end: Option<ExitStatus>, said: &[u8]| match end {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let how = match (status.code(), status.signal()) {
                (Some(code), _) => format!("with {code}"),
                (None, signal) => format!("by signal {}", signal.unwrap_or_default()),
            };
            Err(format!("`{name}` ended {how}: {}", last_line(said)))
        }
        None => Err(format!("`{name}` was ended: its time was over, or cutter was told to stop")),
    };
    // The end of the first is none of the second's faults, and a pipe that broke is one of the first.
    ended(second_name, second_end, &second_said).and_then(|()| ended(first_name, first_end, &first_said))
}

/// The last line of what a program said of itself, for people.
pub fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

fn start(mut command: Command, input: Stdio) -> io::Result<Child> {
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()
}

fn pour(mut from: impl Read, sink: &mut dyn Sink) -> Result<(), String> {
    let mut bytes = vec![0_u8; 1 << 16];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(length) => sink.take(bytes.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cause(&error)),
        }
    }
}

/// The end of what a program says; all of it is read, so that it never waits.
fn said(mut from: impl Read) -> Vec<u8> {
    let (mut kept, mut bytes) = (Vec::new(), [0_u8; 4096]);
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let _ = kept.write_all(bytes.get(..length).unwrap_or_default());
        let over = kept.len().saturating_sub(MOST_SAID);
        drop(kept.drain(..over));
    }
    kept
}

/// A child that does not outlive its parent's interest in it.
struct Running(Child);

impl Running {
    /// How it ended by itself in this time; none where it was ended.
    fn end(&mut self, time: Duration, signals: &AtomicUsize) -> Option<ExitStatus> {
        let group = self.group();
        let by_itself = group.is_some_and(|group| wait(group, time, signals).is_none());
        self.stop();
        self.0.wait().ok().filter(|_| by_itself)
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
    }

    /// It is not reaped yet, so that its number is nobody else's.
    fn stop(&self) {
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.stop();
            let _ = self.0.wait();
        }
    }
}

const MOST_SAID: usize = 1 << 16;
