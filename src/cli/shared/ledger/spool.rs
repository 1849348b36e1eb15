//! The spool: what was turned off while the ledger was away, until the next command that writes to the ledger brings it in.

use crate::files::cause;
use crate::ledger::{Ledger, Record};
use crate::problem::{Code, Coded as _, Problem};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Adds a record, durably.
pub fn keep(path: &Path, record: &Record) -> Result<(), Problem> {
    let line = serde_json::to_string(record)
        .map_err(|error| Problem::failure(format!("a record has no JSON form: {error}")))?;
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let kept = file.and_then(|mut file| {
        file.lock()?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    });
    kept.map_err(|error| failed(path, "cannot be written", &error))
}

/// Writes what is kept into the ledger, and takes it away. A line that is no such record is looked at by a person before anything runs.
pub fn bring_in(path: &Path, ledger: &dyn Ledger) -> Result<(), Problem> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(path, "cannot be read", &error)),
    };
    let mut text = String::new();
    let read = file.lock().and_then(|()| file.read_to_string(&mut text));
    read.map_err(|error| failed(path, "cannot be read", &error))?;
    let mut records = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match serde_json::from_str(line) {
            Ok(record @ Record::SwitchedOff(_)) => records.push(record),
            _ => {
                let message =
                    format!("line {number} of `{}` is no record of a switch that was turned off", path.display());
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

fn failed(path: &Path, what: &str, error: &std::io::Error) -> Problem {
    Problem::failure(format!("the spool `{}` {what}: {}", path.display(), cause(error)))
        .help("`spool` in `[ledger]` of cutter.toml names another file")
        .coded(Code::LedgerUnusable)
}
