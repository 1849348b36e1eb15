//! A door before a server: what goes through is counted, and one statement can be made to fail, or the server to crash at it.

use crate::support::postgres::Server;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What happens at a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strike {
    /// The server refuses it.
    Fails,
    /// The server crashes before it comes, and recovers.
    Crash,
}

/// A socket that leads to a server.
pub struct Door {
    folder: tempfile::TempDir,
    passed: Arc<AtomicUsize>,
}

impl Door {
    /// A door at which the statement of this number is struck, whichever session sends it.
    pub fn before(server: &Server, strike: Strike, number: usize) -> Self {
        let name = format!(".s.PGSQL.{}", server.port());
        let (folder, passed) = (tempfile::tempdir().unwrap(), Arc::new(AtomicUsize::new(0)));
        let listener = UnixListener::bind(folder.path().join(&name)).unwrap();
        let inner = Inner { to: server.socket_directory().join(name), strike, number, passed: Arc::clone(&passed) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), inner) = (stream, inner.clone()) else { return };
                std::thread::spawn(move || inner.lead(stream));
            }
        });
        Self { folder, passed }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether the statement came.
    pub fn is_struck(&self, number: usize) -> bool {
        self.passed.load(Ordering::SeqCst) >= number
    }
}

#[derive(Clone)]
struct Inner {
    to: PathBuf,
    strike: Strike,
    number: usize,
    passed: Arc<AtomicUsize>,
}

impl Inner {
    /// Both ways, until one end is gone.
    fn lead(&self, client: UnixStream) {
        let Ok(server) = UnixStream::connect(&self.to) else { return };
        let (mut back, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let backwards = std::thread::spawn(move || {
            let _ = std::io::copy(&mut back, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let _ = self.forwards(client, &server);
        let _ = server.shutdown(Shutdown::Both);
        backwards.join().unwrap();
    }

    fn forwards(&self, mut client: UnixStream, mut server: &UnixStream) -> std::io::Result<()> {
        // What a session begins with has no letter before its length.
        let (mut letter, mut is_first) = ([0_u8; 1], true);
        loop {
            if !is_first {
                client.read_exact(&mut letter)?;
                server.write_all(&letter)?;
            }
            let mut length = [0_u8; 4];
            client.read_exact(&mut length)?;
            let mut body = vec![0_u8; u32::from_be_bytes(length) as usize - 4];
            client.read_exact(&mut body)?;
            if !is_first && matches!(letter[0], b'P' | b'Q') {
                self.look(letter[0], &mut body);
            }
            is_first = false;
            server.write_all(&u32::to_be_bytes(body.len() as u32 + 4))?;
            server.write_all(&body)?;
        }
    }

    /// Counts a statement, and strikes the one that is meant.
    fn look(&self, letter: u8, body: &mut Vec<u8>) {
        if self.passed.fetch_add(1, Ordering::SeqCst) + 1 != self.number {
            return;
        }
        match self.strike {
            // A prepared one has a name, and no parameters any more.
            Strike::Fails if letter == b'P' => {
                let name = body.iter().position(|byte| *byte == 0).unwrap();
                body.truncate(name + 1);
                body.extend_from_slice(b"this fails\0\0\0");
            }
            Strike::Fails => *body = b"this fails\0".to_vec(),
            Strike::Crash => crash(self.to.parent().unwrap()),
        }
    }
}

/// A server whose checkpointer is killed ends every session, recovers, and takes connections again.
fn crash(folder: &Path) {
    let mut session =
        postgres::Config::new().host_path(folder).user("postgres").dbname("postgres").connect(postgres::NoTls).unwrap();
    let sql = "SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
    let pid: String = session.query_one(sql, &[]).unwrap().get(0);
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    // From here on the statement meets a server that is going down.
    while session.query_one("SELECT 1", &[]).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
