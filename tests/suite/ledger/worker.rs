//! A process of its own that uses a ledger: this test binary, told by its environment to be one, and by a socket what to do.

use crate::ledger::scene::{Place, finished, refused, started};
use cutter::ledger::{Begun, Conflict, Held};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The parent's end of a worker; dropping it kills the worker.
pub struct Worker {
    child: Child,
    stream: BufReader<UnixStream>,
}

impl Worker {
    /// As many workers as wanted, all running and waiting.
    pub fn crowd(place: &Place, count: usize) -> Vec<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        (0..count)
            .map(|_| {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", "ledger::worker::obeys", "--nocapture"]).env(SOCKET, &socket);
                match place {
                    Place::Directory(path) => command.env(DIRECTORY, path),
                    Place::Postgres(connection) => command.env(CONNECTION, connection),
                };
                let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
                let (stream, _) = listener.accept().unwrap();
                Self { child, stream: BufReader::new(stream) }
            })
            .collect()
    }

    pub fn one(place: &Place) -> Self {
        Self::crowd(place, 1).pop().unwrap()
    }

    pub fn tell(&mut self, order: &str) {
        writeln!(self.stream.get_mut(), "{order}").unwrap();
    }

    /// The next answer; nothing when the worker is dead.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap_or_default();
        line.trim_end().to_owned()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a worker does; for a plain test run it does nothing.
#[test]
fn obeys() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let place = match std::env::var_os(DIRECTORY) {
        Some(path) => Place::Directory(path.into()),
        None => Place::Postgres(std::env::var(CONNECTION).unwrap()),
    };
    let ledger = place.open();
    let stream = UnixStream::connect(socket).unwrap();
    let mut answers = stream.try_clone().unwrap();
    let mut answer = |text: &str| writeln!(answers, "{text}").unwrap();
    let name = format!("run-{}", std::process::id());
    let begin = |held: &mut dyn Held, approval: &str| match held.begin(&started(&name, approval, &[approval])) {
        Ok(Begun::Begun(number)) => (Some(number), "won".to_owned()),
        Ok(Begun::Not(conflict)) if matches!(*conflict, Conflict::ApprovalUsed { .. }) => (None, "lost".to_owned()),
        Ok(Begun::Not(conflict)) => (None, format!("{conflict:?}")),
        Err(problem) => (None, format!("error {}", problem.message)),
    };
    for order in BufReader::new(stream).lines().map_while(Result::ok) {
        match order.split(' ').collect::<Vec<_>>().as_slice() {
            ["race", gate, approval] => {
                let gate = File::open(gate).unwrap();
                answer("ready");
                gate.lock_shared().unwrap();
                answer(&begin(&mut *ledger.hold(&name).unwrap().unwrap(), approval).1);
            }
            ["work", approval, file] => {
                let mut held = ledger.hold(&name).unwrap().unwrap();
                let (number, outcome) = begin(&mut *held, approval);
                if let Some(number) = number {
                    work(Path::new(file));
                    held.finish(&finished(&started(&name, approval, &[]), number, Some(0))).unwrap();
                }
                answer(&outcome);
            }
            ["consume", approval] => answer(&begin(&mut *ledger.hold(&name).unwrap().unwrap(), approval).1),
            ["append", count] => {
                for _ in 0..count.parse().unwrap() {
                    ledger.note(&refused(&name, "denied")).unwrap();
                }
                answer("done");
            }
            other => panic!("no such order: {other:?}"),
        }
    }
}

/// The effect that must not happen twice.
fn work(file: &Path) {
    OpenOptions::new().append(true).create(true).open(file).unwrap().write_all(b"done\n").unwrap();
}

const SOCKET: &str = "CUTTER_TEST_WORKER_SOCKET";
const DIRECTORY: &str = "CUTTER_TEST_WORKER_DIRECTORY";
const CONNECTION: &str = "CUTTER_TEST_WORKER_CONNECTION";
