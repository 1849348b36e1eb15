//! The socket of an observer: who may ask is decided by the kernel's word before anything is read, and nobody holds up anybody else.

use super::station::Station;
use super::wire::{Answer, LONGEST_REQUEST, Request, SHORTLY, Seen, peer_of, read_line};
use crate::files::cause;
use crate::problem::{Problem, Problems};
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Answers until somebody tells it to stop; each answer and each refusal is said in a line.
pub fn serve(
    listener: &UnixListener,
    station: &Station,
    may_ask: &[u32],
    told: &AtomicUsize,
    say: &(dyn Fn(&str) + Sync),
) -> Result<(), Problem> {
    let failed =
        |error: &std::io::Error| Problem::failure(format!("the socket cannot be listened at: {}", cause(error)));
    listener.set_nonblocking(true).map_err(|error| failed(&error))?;
    let at_work = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        while told.load(Ordering::Relaxed) == 0 {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
                Err(error) => {
                    say(&format!("a client was lost: {}", cause(&error)));
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
            };
            match peer_of(&stream) {
                Ok(user) if may_ask.contains(&user) => {}
                Ok(user) => {
                    say(&format!("user {user} may not ask"));
                    continue;
                }
                Err(error) => {
                    say(&format!("a client is nobody: {}", cause(&error)));
                    continue;
                }
            }
            if at_work.load(Ordering::Relaxed) >= MOST_CLIENTS {
                say("too many ask at once: one was sent away");
                continue;
            }
            at_work.fetch_add(1, Ordering::Relaxed);
            let at_work = &at_work;
            scope.spawn(move || {
                say(&answered(stream, station));
                at_work.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    Ok(())
}

/// Answers one client; what became of it, in a line.
fn answered(mut stream: UnixStream, station: &Station) -> String {
    let heard = read_line(&mut stream, LONGEST_REQUEST, SHORTLY, &|| false);
    let request = match heard {
        Ok(line) => serde_json::from_str::<Request>(&line).map_err(|_| "it is no request".to_owned()),
        Err(error) => Err(format!("nothing was understood: {}", cause(&error))),
    };
    let (answer, what) = match request {
        Ok(request) => {
            let what = format!("{} {:?}", request.run, request.phase).to_lowercase();
            match station.answer(&request) {
                Ok(Seen { sha256, is_watched }) => {
                    let said = if is_watched { "" } else { "; nobody watches it: its witness broke off" };
                    let answer = Answer { sha256: Some(sha256), unwatched: !is_watched, problem: None };
                    (answer, format!("{what}: {sha256}{said}"))
                }
                Err(problems) => refused(&problems, &what),
            }
        }
        Err(why) => refused(&Problem::invalid(why).into(), "a client"),
    };
    let text = serde_json::to_string(&answer).unwrap_or_default();
    let written =
        stream.set_write_timeout(Some(SHORTLY)).and_then(|()| stream.write_all(format!("{text}\n").as_bytes()));
    match written {
        Ok(()) => what,
        Err(error) => format!("{what}; the answer was not taken: {}", cause(&error)),
    }
}

fn refused(problems: &Problems, what: &str) -> (Answer, String) {
    let why: String = problems.in_one_line().chars().take(LONGEST_PROBLEM).collect();
    let said = format!("{what}: {why}");
    (Answer { problem: Some(why), ..Answer::default() }, said)
}

const MOST_CLIENTS: usize = 16;

const LONGEST_PROBLEM: usize = 4000;
