//! Running a program that is known to be the one that was meant: opened once, checked, and run by that very descriptor, with
//! nothing borrowed from whoever called cutter.

use super::answer;
use super::private::{self, PrivateFolder};
use super::watcher::Watcher;
use super::work::Outcome;
use crate::digest::Digest;
use crate::files;
use crate::plan::{Program, ProgramPin};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::effects::Origin;
use crate::trust::guarded;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::signal_name;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A program that is open, and everything that it gets.
pub struct ReadyProgram {
    program: Program,
    /// What is run: the program itself, or the one that runs the script.
    opened: File,
    /// The name of what is run, and what stands before the arguments of a script.
    name: String,
    before: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    private: PrivateFolder,
    /// Ends its group when cutter is gone.
    watcher: Watcher,
    /// The facts that its answer gives.
    produces: BTreeMap<String, Origin>,
}

impl ReadyProgram {
    /// Opens and checks the program, and what runs it if it is a script.
    pub fn prepare(
        program: &Program,
        produces: &BTreeMap<String, Origin>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Problems> {
        let Some(path) = program.argv.first() else {
            return Err(Problem::invalid("an empty command cannot be run").into());
        };
        if program.argv.iter().any(|word| word.contains('\0')) {
            return Err(refused(path, "an argument holds a NUL", "correct the plan").into());
        }
        if !Path::new(&program.cwd).is_dir() {
            let why = format!("the folder `{}` in which it runs is not there", program.cwd);
            return Err(refused(path, &why, "make it, or correct `cwd`").into());
        }
        let mut opened = open(path, program.pin)?;
        let private = PrivateFolder::make()?;
        let (mut name, mut before) = (path.clone(), Vec::new());
        if let Some((interpreter, option)) = interpreter(&mut opened, path)? {
            let copy = private.path().join("script");
            copy_to(&mut opened, &copy).map_err(|error| unreadable(path, &error))?;
            let pin = program.interpreter.map_or(ProgramPin::RootOwned, ProgramPin::Sha256);
            opened = open(&interpreter, pin)?;
            before.extend(option.map(OsString::from));
            before.push(copy.into_os_string());
            name = interpreter;
        }
        let environment = program.env.iter().filter_map(|name| Some((name.clone(), variable(name)?))).collect();
        let (program, produces, watcher) = (program.clone(), produces.clone(), Watcher::start()?);
        Ok(Self { program, opened, name, before, environment, private, watcher, produces })
    }

    /// Runs it to its end, or to the end of its time, or of cutter's; what it left running in its group ends with it.
    pub fn run(self) -> Result<Outcome, Problem> {
        let Self { program, opened, name, before, environment, private, watcher, produces } = self;
        let path = program.argv.first().cloned().unwrap_or_default();
        let mut command = command(&opened, &name);
        command.args(before).args(program.argv.iter().skip(1));
        command.envs(environment).env("HOME", private.path().join("home"));
        command.current_dir(&program.cwd).stdin(Stdio::null()).process_group(watcher.group());
        // Standard output is for what cutter itself has to say.
        let output = rustix::io::dup(rustix::stdio::stderr()).map(Stdio::from);
        command.stdout(if produces.is_empty() { output.unwrap_or_else(|_| Stdio::null()) } else { Stdio::piped() });
        private::close_to_children();
        let told = heed().map_err(|error| unreadable(&path, &error))?;
        let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
        let started = command.spawn();
        rustix::process::umask(mask);
        let mut child = match started {
            Ok(child) => child,
            Err(error) => return Ok(Outcome::Failed(format!("`{path}` cannot be started: {}", files::cause(&error)))),
        };
        let answer = child.stdout.take().map(said);
        let time = Duration::from_secs(program.timeout_seconds);
        let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let stopped = process.and_then(|process| wait(process, time, &told));
        drop(watcher);
        let status = child.wait().map_err(|error| unreadable(&path, &error))?;
        Ok(match (stopped, status.code(), answer) {
            (Some(why), ..) => Outcome::InDoubt(format!("the command was ended: {why}")),
            (None, Some(0), Some(answer)) => answered(&path, &produces, answer.recv_timeout(LONGEST_WAIT).ok()),
            (None, Some(code), _) => Outcome::Ended(code),
            (None, None, _) => {
                let signal = status.signal().map_or_else(|| "a signal".to_owned(), signal_in_words);
                Outcome::InDoubt(format!("the command was ended by {signal}"))
            }
        })
    }
}

/// All that a program writes, as far as it is no longer than an answer may be; read beside it, so that it never waits for cutter.
fn said(output: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.take(LONGEST_ANSWER + 1).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// What a program that ended well says of the facts that it brought about.
fn answered(path: &str, produces: &BTreeMap<String, Origin>, said: Option<Vec<u8>>) -> Outcome {
    let Some(said) = said else {
        return Outcome::InDoubt(format!("`{path}` ended with 0, and somebody still writes its answer"));
    };
    let answer = match serde_json::from_slice(&said) {
        _ if said.len() as u64 > LONGEST_ANSWER => Err(format!("more than {LONGEST_ANSWER} bytes")),
        Err(_) => Err("what is no JSON".to_owned()),
        Ok(answer) => answer::facts(produces, &answer),
    };
    match answer {
        Ok(facts) => Outcome::Answered(String::new(), facts),
        Err(why) => Outcome::InDoubt(format!("`{path}` ended with 0 and answered {why}")),
    }
}

/// Opens a program of root's that is no script: what another program would read is not what was opened.
pub fn open_binary(path: &str) -> Result<File, Problems> {
    let mut opened = open(path, ProgramPin::RootOwned)?;
    match interpreter(&mut opened, path)? {
        None => Ok(opened),
        Some(_) => {
            let help = "name the program that it runs in the end, as `file` shows it to be one";
            Err(refused(path, "it is a script, and another program would run it", help).into())
        }
    }
}

/// What runs a file that is open, with nothing of our own environment.
pub fn command(opened: &File, name: &str) -> Command {
    let mut command = Command::new(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    command.arg0(name).env_clear();
    command
}

/// Waits for the process to end by itself; else says why it is to be ended: its time is over, or somebody tells cutter to stop.
pub fn wait(process: Pid, time: Duration, told: &AtomicUsize) -> Option<String> {
    let (began, mut pause) = (Instant::now(), Duration::from_millis(1));
    loop {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(process), look) {
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Ok(Some(_)) | Err(_) => return None,
        }
        if began.elapsed() >= time {
            return Some(format!("its `timeout` of {} s was over", time.as_secs()));
        }
        match i32::try_from(told.load(Ordering::Relaxed)) {
            Ok(0) => {}
            signal => {
                let signal = signal.map_or_else(|_| "a signal".to_owned(), signal_in_words);
                return Some(format!("cutter was told to stop by {signal}"));
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// The signal by which somebody tells cutter to stop, or 0; from here on it does not end cutter by itself.
pub fn told_to_stop() -> Result<Arc<AtomicUsize>, Problem> {
    heed().map_err(|error| Problem::failure(format!("signals cannot be heeded: {}", files::cause(&error))))
}

/// The same for whoever says in its own words why it cannot.
pub fn heed() -> std::io::Result<Arc<AtomicUsize>> {
    let told = Arc::new(AtomicUsize::new(0));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(signal, Arc::clone(&told), signal.try_into().unwrap_or(usize::MAX))?;
    }
    Ok(told)
}

fn signal_in_words(signal: i32) -> String {
    match signal_name(signal) {
        Some(name) => format!("signal {signal} ({name})"),
        None => format!("signal {signal}"),
    }
}

/// Opens a program that is what its pin says. What is run later is what was looked at here.
fn open(path: &str, pin: ProgramPin) -> Result<File, Problems> {
    let named = Path::new(path);
    if !named.is_absolute() {
        let help = "nothing is looked up in PATH: write the whole path of the program";
        return Err(refused(path, "it is no absolute path", help).into());
    }
    let found = named.canonicalize().map_err(|error| missing(path, &error))?;
    if found != named {
        let help = format!("write the path of the program itself: `{}`", found.display());
        return Err(refused(path, "a part of its path is a symbolic link, or means another", &help).into());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(named, flags, Mode::empty()).map_err(|error| missing(path, &error.into()))?;
    let mut file = File::from(opened);
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(refused(path, "it is no file that may be run", "`chmod +x` it, or name another").into());
    }
    match pin {
        ProgramPin::Missing => {
            Err(refused(path, "it was not there when the row was judged", "judge the plan again").into())
        }
        ProgramPin::RootOwned => {
            guarded::check(named, "the program").map_err(|problems| problems.coded(Code::ProgramRefused))?;
            Ok(file)
        }
        ProgramPin::Sha256(digest) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
            let is = Digest::of(&bytes);
            if is != digest {
                let why = format!("its sha256 is {is}, and {digest} was pinned");
                return Err(refused(path, &why, "restore it, or have the pin reviewed and signed").into());
            }
            Ok(sealed(&bytes).map_err(|error| unreadable(path, &error))?)
        }
    }
}

/// A copy of bytes that nobody can change any more.
fn sealed(bytes: &[u8]) -> std::io::Result<File> {
    let memory = memfd_create("cutter-program", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    file.rewind()?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    // A file that is open for writing cannot be run.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// The program that runs a script and the one option it may be given; `None` where the file is no script.
fn interpreter(file: &mut File, path: &str) -> Result<Option<(String, Option<String>)>, Problem> {
    let mut start = Vec::new();
    let read = (&*file).take(512).read_to_end(&mut start).and_then(|_| file.rewind());
    read.map_err(|error| unreadable(path, &error))?;
    let Some(line) = start.strip_prefix(b"#!") else { return Ok(None) };
    let end = line.iter().position(|byte| *byte == b'\n');
    let line = end.and_then(|end| std::str::from_utf8(line.get(..end)?).ok()).map(str::trim);
    let Some(line) = line.filter(|line| !line.is_empty()) else {
        return Err(refused(path, "its first line names no program that could run it", "correct the script"));
    };
    let (name, option) = match line.split_once(char::is_whitespace) {
        Some((name, option)) => (name, Some(option.trim().to_owned())),
        None => (line, None),
    };
    if Path::new(name).file_name().is_some_and(|name| name == "env") {
        let help = "write the whole path of the interpreter into its first line";
        return Err(refused(path, "its first line has `env` look for the program that runs it", help));
    }
    Ok(Some((name.to_owned(), option)))
}

fn copy_to(file: &mut File, path: &Path) -> std::io::Result<()> {
    let mode = Mode::from_raw_mode(0o500);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut copy = File::from(rustix::fs::open(path, flags, mode)?);
    std::io::copy(file, &mut copy).map(drop)
}

fn missing(path: &str, error: &std::io::Error) -> Problem {
    refused(path, &files::cause(error), "install it, or correct the path; nothing was used up")
}

fn unreadable(path: &str, error: &std::io::Error) -> Problem {
    refused(path, &files::cause(error), "look at it with `ls -l`; nothing was used up")
}

fn refused(path: &str, why: &str, help: &str) -> Problem {
    let shown = PathBuf::from(path);
    Problem::failure(format!("the program `{}` is not run: {why}", shown.display()))
        .help(help)
        .coded(Code::ProgramRefused)
}

const LONGEST_ANSWER: u64 = 64 * 1024;

/// Whoever still holds the other end after the program's group has ended is nobody to wait for.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
