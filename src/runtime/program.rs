//! Running a program that is known to be the one that was meant: opened once, checked, and run by that very descriptor, with
//! nothing borrowed from whoever called cutter.

use super::answer;
use super::output::SearchedOutput;
use super::private::{self, PrivateFolder};
use super::watcher::Watcher;
use super::work::{Outcome, Surroundings};
use crate::digest::Digest;
use crate::files;
use crate::ledger::ProgramOutput;
use crate::plan::{Program, ProgramPin};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::effects::Origin;
use crate::trust::guarded;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::FdFlags;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGXCPU, SIGXFSZ,
};
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
    before: Vec<String>,
    /// The script that it runs, if it is an interpreter.
    script: Option<File>,
    environment: Vec<(String, OsString)>,
    private: PrivateFolder,
    /// Ends its group when cutter is gone.
    watcher: Watcher,
    /// The facts that its answer gives.
    produces: BTreeMap<String, Origin>,
    /// What all that it writes goes through.
    output: SearchedOutput,
}

impl ReadyProgram {
    /// Opens and checks the program, and what runs it if it is a script.
    pub fn prepare(
        program: &Program,
        produces: &BTreeMap<String, Origin>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, Problems> {
        let Some(path) = program.argv.first() else {
            return Err(Problem::invalid("an empty command cannot be run").into());
        };
        if program.argv.iter().any(|word| word.contains('\0')) {
            return Err(refused(path, "an argument holds a NUL", "correct the plan").into());
        }
        let secrets = (surroundings.secrets)()?;
        // Whoever lists processes sees it, and the journal keeps it.
        let mut problems = Problems::new();
        for (number, word) in program.argv.iter().enumerate() {
            secrets.look_through(&format!("argument {number} of `{path}`"), word, &mut problems);
        }
        problems.or(()).coded(Code::SecretFound)?;
        let output = SearchedOutput::prepare(&secrets);
        if !Path::new(&program.cwd).is_dir() {
            let why = format!("the folder `{}` in which it runs is not there", program.cwd);
            return Err(refused(path, &why, "make it, or correct `cwd`").into());
        }
        let mut opened = open(path, program.pin)?;
        let private = PrivateFolder::make()?;
        let (mut name, mut before, mut script) = (path.clone(), Vec::new(), None);
        if let Some((interpreter, option)) = interpreter(&mut opened, path)? {
            let pin = program.interpreter.map_or(ProgramPin::RootOwned, ProgramPin::Sha256);
            let file = std::mem::replace(&mut opened, open(&interpreter, pin)?);
            before.extend(option);
            before.push(by_descriptor(&file));
            (name, script) = (interpreter, Some(file));
        }
        let environment =
            program.env.iter().filter_map(|name| Some((name.clone(), (surroundings.variable)(name)?))).collect();
        let (program, produces, watcher) = (program.clone(), produces.clone(), Watcher::start()?);
        Ok(Self { program, opened, name, before, script, environment, private, watcher, produces, output })
    }

    /// Runs it to its end, or to the end of its time, or of cutter's; what it left running in its group ends with it.
    pub fn run(self) -> Result<(Outcome, Option<ProgramOutput>), Problem> {
        let Self { program, opened, name, before, script, environment, private, watcher, produces, output } = self;
        let path = program.argv.first().cloned().unwrap_or_default();
        let mut command = command(&opened, &name);
        command.args(before).args(program.argv.iter().skip(1));
        command.envs(environment).env("HOME", private.path().join("home"));
        command.current_dir(&program.cwd).stdin(Stdio::null()).process_group(watcher.group());
        let (pipe, writer) = std::io::pipe().map_err(|error| unreadable(&path, &error))?;
        let answers = !produces.is_empty();
        let answer = if answers { None } else { Some(writer.try_clone().map_err(|error| unreadable(&path, &error))?) };
        command.stdout(answer.map_or_else(Stdio::piped, Stdio::from)).stderr(writer);
        private::close_to_children();
        // Its interpreter reads the very file that was pinned, whatever lies at its path by now.
        if let Some(script) = &script {
            rustix::io::fcntl_setfd(script, FdFlags::empty()).map_err(|error| unreadable(&path, &error.into()))?;
        }
        let told = catch_signals().map_err(|error| unreadable(&path, &error))?;
        let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
        let started = command.spawn();
        rustix::process::umask(mask);
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                let why = format!("`{path}` cannot be started: {}", files::cause(&error));
                return Ok((Outcome::Failed(why), None));
            }
        };
        // Nobody but the program and its children holds the other end from here on.
        drop(command);
        let output = output.read(pipe);
        let answer = child.stdout.take().map(said);
        let time = Duration::from_secs(program.timeout_seconds);
        let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let stopped = process.and_then(|process| wait(process, time, &told));
        drop(watcher);
        // It was started, and may have done all that it does.
        let Ok(status) = child.wait() else {
            return Ok((Outcome::InDoubt(format!("how `{path}` ended is not known")), None));
        };
        let answer = answer.map(|answer| answer.recv_timeout(LONGEST_WAIT).ok());
        let (is_clean, written) = output.end(answer.as_ref().and_then(Option::as_deref), LONGEST_WAIT).unzip();
        let outcome = match (stopped, status.code(), answer) {
            (Some(why), ..) => Outcome::InDoubt(format!("the command was ended: {why}")),
            (None, Some(0), Some(_)) if is_clean == Some(false) => {
                Outcome::InDoubt(format!("`{path}` ended with 0, and a secret stands in its answer"))
            }
            (None, Some(0), Some(answer)) => answered(&path, &produces, answer.filter(|_| is_clean.is_some())),
            (None, Some(code), _) => Outcome::Ended(code),
            (None, None, _) => {
                let signal = status.signal().map_or_else(|| "a signal".to_owned(), signal_in_words);
                Outcome::InDoubt(format!("the command was ended by {signal}"))
            }
        };
        Ok((outcome, written))
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
        return Outcome::InDoubt(format!("`{path}` ended with 0, and another process still writes its answer"));
    };
    let answer = match serde_json::from_slice(&said) {
        _ if said.len() as u64 > LONGEST_ANSWER => Err(format!("more than {LONGEST_ANSWER} bytes")),
        Err(_) => Err("what is not valid JSON".to_owned()),
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
    let mut command = Command::new(by_descriptor(opened));
    command.arg0(name).env_clear();
    command
}

fn by_descriptor(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
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
    catch_signals()
        .map_err(|error| Problem::failure(format!("signal handlers could not be installed: {}", files::cause(&error))))
}

/// Waits, and says whether cutter was told to stop meanwhile.
pub fn told_within(told: &AtomicUsize, pause: Duration) -> bool {
    let (began, is_told) = (Instant::now(), || told.load(Ordering::Relaxed) != 0);
    while !is_told() && began.elapsed() < pause {
        std::thread::sleep(pause.saturating_sub(began.elapsed()).min(Duration::from_millis(50)));
    }
    is_told()
}

/// The same for whoever says in its own words why it cannot.
pub fn catch_signals() -> std::io::Result<Arc<AtomicUsize>> {
    let told = Arc::new(AtomicUsize::new(0));
    for signal in ENDING {
        signal_hook::flag::register_usize(signal, Arc::clone(&told), signal.try_into().unwrap_or(usize::MAX))?;
    }
    Ok(told)
}

/// Every signal that ends or stops a process which does nothing about it, and that can be caught: a process that stands still would
/// leave on what it turned on. A pipe that broke ends nobody here.
pub const ENDING: [i32; 14] = [
    SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGTSTP,
    SIGTTIN, SIGTTOU,
];

fn signal_in_words(signal: i32) -> String {
    signal_name(signal).map_or_else(|| format!("signal {signal}"), |name| format!("signal {signal} ({name})"))
}

/// Opens a program that is what its pin says. What is run later is what was looked at here.
fn open(path: &str, pin: ProgramPin) -> Result<File, Problems> {
    let named = Path::new(path);
    if !named.is_absolute() {
        let help = "nothing is looked up in PATH: write the whole path of the program";
        return Err(refused(path, "it is not an absolute path", help).into());
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
        return Err(refused(path, "it is not an executable file", "`chmod +x` it, or name another").into());
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
    Ok(rustix::fs::open(by_descriptor(&file), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?.into())
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
