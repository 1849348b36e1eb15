//! What an observer is asked and what it answers: one line of JSON each way. Nothing of it says what to observe, or how.

use crate::digest::Digest;
use crate::files::cause;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::observer::ObserverSettings;
use crate::trust::RunningUser;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What a run asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The version of this form, 1.
    pub version: u32,
    /// The run.
    pub run: String,
    /// Sha-256 over its plan.
    #[serde(rename = "plan_sha256")]
    pub plan: Digest,
    /// When it is.
    pub phase: Phase,
    /// The number of the last record that the ledger has of the run.
    pub records: u64,
}

/// When something is observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the first row; a witness begins. Where the run was observed before, nothing is done.
    Begin,
    /// After a row, or where the run rests.
    During,
    /// After the last row; the witness ends.
    End,
}

/// What was observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Sha-256 over the latest capture.
    pub sha256: Digest,
    /// Whether a witness is at work, or has ended in order.
    pub is_watched: bool,
}

/// What the observer answers.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Sha-256 over the latest capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Whether the witness broke off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unwatched: bool,
    /// Why nothing was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Asks the observer that the configuration names, if it is that one who listens.
pub fn ask(settings: &ObserverSettings, request: &Request, gives_up: &dyn Fn() -> bool) -> Result<Seen, Problems> {
    let Some((socket, user)) = settings.other() else {
        return Err(Problem::failure("there is no observer to ask").into());
    };
    let user = RunningUser::of_name(user).coded(Code::ObserverUntrusted)?;
    let untrusted =
        |what: String, help: &str| Problem::untrusted(what).help(help.to_owned()).coded(Code::ObserverUntrusted);
    if user.id() == RunningUser::of_this_process()?.id() {
        let help = "let the observer be a user of its own, whose key nobody else can read";
        return Err(untrusted(format!("the observer is `{}`, who runs the plan", user.name()), help).into());
    }
    let away = |error: &std::io::Error| {
        Problem::failure(format!("the observer at `{}` does not answer: {}", socket.display(), cause(error)))
            .help("start `cutter observe` as its user")
            .coded(Code::ObserverUnreachable)
    };
    let is_it = std::fs::symlink_metadata(socket).map_err(|error| away(&error))?;
    if !is_it.file_type().is_socket() || is_it.uid() != user.id() {
        let what = format!("`{}` is no socket of `{}`", socket.display(), user.name());
        return Err(untrusted(what, "only the observer's user may make it").into());
    }
    let mut stream = UnixStream::connect(socket).map_err(|error| away(&error))?;
    let peer = peer_of(&stream).map_err(|error| away(&error))?;
    if peer != user.id() {
        let what = format!("user {peer} listens at `{}`, not `{}`", socket.display(), user.name());
        return Err(untrusted(what, "find out who does, and end it").into());
    }
    let text = serde_json::to_string(request).map_err(|error| Problem::failure(error.to_string()))?;
    stream.set_write_timeout(Some(SHORTLY)).map_err(|error| away(&error))?;
    stream.write_all(format!("{text}\n").as_bytes()).map_err(|error| away(&error))?;
    let line = read_line(&mut stream, LONGEST_ANSWER, settings.timeout(), gives_up).map_err(|error| away(&error))?;
    let answer: Answer = serde_json::from_str(&line)
        .map_err(|_| Problem::failure("the observer's answer has another form").coded(Code::ObserverUnreachable))?;
    match answer {
        Answer { sha256: Some(sha256), unwatched, problem: None } => Ok(Seen { sha256, is_watched: !unwatched }),
        Answer { problem, .. } => {
            let why = problem.unwrap_or_else(|| "it does not say why".to_owned());
            Err(Problem::failure(format!("the observer observed nothing: {why}"))
                .help("its own output says more")
                .coded(Code::ObserverUnreachable)
                .into())
        }
    }
}

/// Reads one line: of at most so many bytes, and within a time however slowly they come, unless it is given up before.
pub fn read_line(
    stream: &mut UnixStream,
    most: usize,
    within: Duration,
    gives_up: &dyn Fn() -> bool,
) -> std::io::Result<String> {
    let began = Instant::now();
    stream.set_read_timeout(Some(BLINK))?;
    let mut line = Vec::new();
    let mut part = [0_u8; 1024];
    loop {
        if began.elapsed() >= within || gives_up() {
            return Err(ErrorKind::TimedOut.into());
        }
        let count = match stream.read(&mut part) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if [ErrorKind::Interrupted, ErrorKind::WouldBlock].contains(&error.kind()) => continue,
            Err(error) => return Err(error),
        };
        line.extend_from_slice(part.get(..count).unwrap_or_default());
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            // One line is all that is said.
            let is_all = line.len() == end + 1;
            line.truncate(end);
            return String::from_utf8(line).ok().filter(|_| is_all).ok_or_else(|| ErrorKind::InvalidData.into());
        }
        if line.len() > most {
            return Err(ErrorKind::FileTooLarge.into());
        }
    }
}

/// The user at the other end, as the kernel knows it.
pub fn peer_of(stream: &UnixStream) -> std::io::Result<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let same = stream.try_clone()?;
    same.set_nonblocking(true)?;
    let user = tokio::net::UnixStream::from_std(same)?.peer_cred()?.uid();
    // Both share the mode.
    stream.set_nonblocking(false)?;
    Ok(user)
}

/// No request is longer, in bytes.
pub const LONGEST_REQUEST: usize = 4096;

/// So often it is looked whether to wait any longer.
const BLINK: Duration = Duration::from_millis(200);

const LONGEST_ANSWER: usize = 65_536;

/// Whoever is there says something, or takes what is said to it, within this time.
pub const SHORTLY: Duration = Duration::from_secs(5);
