//! The spool: what was turned off while the ledger was away, until the next command that writes to the ledger brings it in.

use crate::files::{self, LARGEST_FILE, cause};
use crate::ledger::{Ledger, Record};
use crate::problem::{Code, Coded as _, Problem};
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// Adds a record, durably.
pub fn keep(path: &Path, record: &Record) -> Result<(), Problem> {
    let line = serde_json::to_string(record)
        .map_err(|error| Problem::failure(format!("a record has no JSON form: {error}")))?;
    let Some(mut file) = open(path, true)? else { return Ok(()) };
    let kept = lock(&file).and_then(|()| {
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    });
    kept.map_err(|error| failed(path, "cannot be written", &error))
}

/// Writes what is kept into the ledger, and takes it away. A line that is no such record is looked at by a person before anything runs.
pub fn bring_in(path: &Path, ledger: &dyn Ledger) -> Result<(), Problem> {
    let Some(file) = open(path, false)? else { return Ok(()) };
    let mut text = String::new();
    let read = lock(&file).and_then(|()| (&file).take(LARGEST_FILE).read_to_string(&mut text));
    read.map_err(|error| failed(path, "cannot be read", &error))?;
    let mut records = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match serde_json::from_str(line) {
            Ok(record @ Record::SwitchedOff(_)) => records.push(record),
            _ => {
                let message =
                    format!("line {number} of `{}` is not a record of a switch that was turned off", path.display());
                return Err(Problem::failure(message)
                    .help("look at it, and take the file away; what was turned off is off")
                    .coded(Code::LedgerUnusable));
            }
        }
    }
    for record in &records {
        ledger.note(record)?;
    }
    fs::remove_file(path).map_err(|error| failed(path, "cannot be removed", &error))
}

/// Opens it where it is of this process's own user alone: whoever else could write it would speak in the ledger as that user.
fn open(path: &Path, make: bool) -> Result<Option<File>, Problem> {
    let Some(file) = files::open_lines(path, make).map_err(elsewhere)? else { return Ok(None) };
    let found = file.metadata().map_err(|error| failed(path, "cannot be looked at", &error))?;
    if found.uid() == rustix::process::geteuid().as_raw() && found.mode() & WRITABLE_BY_OTHERS == 0 {
        return Ok(Some(file));
    }
    let message = format!("the spool `{}` is not this user's, or others may write it", path.display());
    Err(Problem::untrusted(message)
        .help("look at it, and take the file away; what was turned off is off")
        .coded(Code::LedgerUnusable))
}

/// Takes the file for this process; whoever else keeps it longer than a moment is not waited for.
fn lock(file: &File) -> std::io::Result<()> {
    match files::lock_within(file, false, LONGEST_WAIT)? {
        true => Ok(()),
        false => Err(std::io::Error::new(ErrorKind::WouldBlock, "another process keeps it locked")),
    }
}

fn elsewhere(problem: Problem) -> Problem {
    problem.help("`spool` in `[ledger]` of cutter.toml names another file").coded(Code::LedgerUnusable)
}

fn failed(path: &Path, what: &str, error: &std::io::Error) -> Problem {
    elsewhere(Problem::failure(format!("the spool `{}` {what}: {}", path.display(), cause(error))))
}

const WRITABLE_BY_OTHERS: u32 = 0o022;

const LONGEST_WAIT: Duration = Duration::from_secs(2);
