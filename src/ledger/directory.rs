//! The embedded ledger, a folder (`.cutter`). Whoever owns the folder can remove what is in it; runs whose author must not be
//! able to do so share a ledger in PostgreSQL.
//!
//! ```text
//! .cutter/                 0700; no part of it is ever reached through a link
//!   ledger.json            the id; written last, so that a ledger is there whole or not at all
//!   uses/<approval>-<action>.json   one file a use: the approval's sha256, the sha256 of the action's name
//!   runs/<run>.json        one file a run that began: the sha256 of its id
//!   attestations/<n>.json   the exact statements of the chain, numbered from 1 in eight digits
//!   journal.ndjson         one record a line, appended under its lock; a line that was cut short stays, and is reported
//! ```
//!
//! A file comes into being by a hard link to a synced one, which succeeds once; then its folder is synced.

mod disk;

use super::chain::Head;
use super::journal::{Journal, latest_time};
use super::record::{JournalEntry, JournalRecord, LedgerId, RunStart, Use};
use super::{Attested, Consumption, Ledger, RunStarted, already_made, missing, ordered};
use crate::digest::Digest;
use crate::problem::Problem;
use crate::time::Timestamp;
use disk::Creation;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A ledger in a folder.
#[derive(Clone, Debug)]
pub struct DirectoryLedger {
    path: PathBuf,
}

impl DirectoryLedger {
    /// The ledger at `path`, whether or not there is one; nothing is touched.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn uses_folder(&self) -> PathBuf {
        self.path.join("uses")
    }

    fn runs_folder(&self) -> PathBuf {
        self.path.join("runs")
    }

    fn journal_path(&self) -> PathBuf {
        self.path.join("journal.ndjson")
    }

    fn attestations_folder(&self) -> PathBuf {
        self.path.join("attestations")
    }

    /// The numbers that are taken, in order; a name that is no number is a fault of the ledger.
    fn attestation_numbers(&self) -> Result<Vec<u64>, Problem> {
        let folder = self.attestations_folder();
        if self.id()?.is_none() || !disk::folder_exists(&folder)? {
            return Ok(Vec::new());
        }
        let number = |name: String| {
            let number = name.strip_suffix(".json").and_then(|digits| digits.parse().ok());
            let number = number.filter(|number| attestation_name(*number) == name);
            number.ok_or_else(|| disk::spoilt(&folder.join(&name), "its name is no number"))
        };
        let mut numbers = record_names(&folder)?.into_iter().map(number).collect::<Result<Vec<u64>, _>>()?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn read_attestation(&self, number: u64) -> Result<String, Problem> {
        let path = self.attestations_folder().join(attestation_name(number));
        disk::read_text(&path)?.ok_or_else(|| lost(&path))
    }

    fn write_target(&self) -> Result<(), Problem> {
        self.id()?.map(|_| ()).ok_or_else(|| missing(&self.name()))
    }

    /// Opens the journal under its lock.
    fn open_journal(&self, options: &OpenOptions, shared: bool) -> Result<File, Problem> {
        let path = self.journal_path();
        let file = disk::open(&path, options)?.ok_or_else(|| lost(&path))?;
        disk::lock(&file, &path, shared)?;
        Ok(file)
    }

    /// The bytes of the journal; none where there is no ledger.
    fn read_journal(&self) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        if self.id()?.is_some() {
            let read = self.open_journal(OpenOptions::new().read(true), true)?.read_to_end(&mut bytes);
            read.map_err(|error| disk::failed(&self.journal_path(), "cannot be read", &error))?;
        }
        Ok(bytes)
    }

    /// One use, which must say of itself what its name says.
    fn read_use(&self, name: &str) -> Result<Option<Use>, Problem> {
        let path = self.uses_folder().join(name);
        match disk::read_record::<Use>(&path)? {
            Some(one) if use_name(one.approval, &one.action) != name => {
                Err(disk::spoilt(&path, "it is of another approval or action"))
            }
            found => Ok(found),
        }
    }
}

impl Ledger for DirectoryLedger {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn id(&self) -> Result<Option<LedgerId>, Problem> {
        if !disk::folder_exists(&self.path)? {
            return Ok(None);
        }
        let identity: Option<Identity> = disk::read_record(&self.path.join(IDENTITY))?;
        let folders = [self.uses_folder(), self.runs_folder()];
        if let Some(identity) = identity {
            let complete = |folder: &PathBuf| disk::folder_exists(folder)?.then_some(()).ok_or_else(|| lost(folder));
            return folders.iter().try_for_each(complete).map(|()| Some(identity.id));
        }
        // An interrupted `init` leaves empty folders; with records in them it is the id that was lost.
        for folder in folders {
            if disk::folder_exists(&folder)? && !record_names(&folder)?.is_empty() {
                return Err(lost(&self.path.join(IDENTITY)));
            }
        }
        Ok(None)
    }

    fn init(&self, id: LedgerId) -> Result<(), Problem> {
        if let Some(id) = self.id()? {
            return Err(already_made(&self.name(), &id));
        }
        for folder in [&self.path, &self.uses_folder(), &self.runs_folder()] {
            disk::make_folder(folder)?;
        }
        let path = self.journal_path();
        let journal = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        let journal = journal.and_then(|journal| journal.sync_all());
        journal.map_err(|error| disk::failed(&path, "cannot be made", &error))?;
        let creation = disk::create_record(&self.path, IDENTITY, &Identity { id })?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk::sync_folder(parent.unwrap_or(Path::new(".")))?;
        match (creation, self.id()?) {
            (Creation::Present, Some(id)) => Err(already_made(&self.name(), &id)),
            _ => Ok(()),
        }
    }

    fn uses(&self, approval: Digest) -> Result<Vec<Use>, Problem> {
        if self.id()?.is_none() {
            return Ok(Vec::new());
        }
        let names = record_names(&self.uses_folder())?;
        let prefix = format!("{approval}-");
        let of_it = names.iter().filter(|name| name.starts_with(&prefix));
        let mut uses = of_it.filter_map(|name| self.read_use(name).transpose()).collect::<Result<Vec<_>, _>>()?;
        uses.sort_by(|a, b| a.action.cmp(&b.action));
        Ok(uses)
    }

    fn used(&self, approval: Digest, action: &str) -> Result<Option<Use>, Problem> {
        if self.id()?.is_none() {
            return Ok(None);
        }
        self.read_use(&use_name(approval, action))
    }

    fn consume(&self, uses: &[Use]) -> Result<Consumption, Problem> {
        let uses = ordered(uses)?;
        if uses.is_empty() {
            return Ok(Consumption::Consumed);
        }
        self.write_target()?;
        // Looking first keeps a set whole in all but a race; what decides is that each name can be taken once.
        for one in &uses {
            if let Some(before) = self.used(one.approval, &one.action)? {
                return Ok(Consumption::AlreadyConsumed(Box::new(before)));
            }
        }
        for one in &uses {
            let name = use_name(one.approval, &one.action);
            if disk::create_record(&self.uses_folder(), &name, one)? == Creation::Present {
                let before = self.read_use(&name)?.ok_or_else(|| lost(&self.uses_folder().join(name)))?;
                return Ok(Consumption::AlreadyConsumed(Box::new(before)));
            }
        }
        Ok(Consumption::Consumed)
    }

    fn start_run(&self, start: &RunStart) -> Result<RunStarted, Problem> {
        self.write_target()?;
        let name = run_name(&start.run);
        if disk::create_record(&self.runs_folder(), &name, start)? == Creation::Created {
            return Ok(RunStarted::Started);
        }
        let path = self.runs_folder().join(name);
        let before: RunStart = disk::read_record(&path)?.ok_or_else(|| lost(&path))?;
        if before.run != start.run {
            return Err(disk::spoilt(&path, "it is of another run"));
        }
        Ok(RunStarted::AlreadyStarted(Box::new(before)))
    }

    fn run(&self, run: &str) -> Result<Option<RunStart>, Problem> {
        if self.id()?.is_none() {
            return Ok(None);
        }
        disk::read_record(&self.runs_folder().join(run_name(run)))
    }

    fn append(&self, entry: &JournalEntry) -> Result<u64, Problem> {
        self.write_target()?;
        let path = self.journal_path();
        let mut file = self.open_journal(OpenOptions::new().read(true).append(true), false)?;
        let end = End::find(&mut file).map_err(|error| disk::failed(&path, "cannot be read", &error))?;
        let record = JournalRecord { sequence: end.sequence.saturating_add(1), entry: entry.clone() };
        let line = serde_json::to_string(&record)
            .map_err(|error| Problem::failure(format!("a record has no JSON form: {error}")))?;
        // What was cut short is ended, not removed: it stays to be reported.
        let text = if end.cut_short { format!("\n{line}\n") } else { format!("{line}\n") };
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| disk::failed(&path, "cannot be written", &error))?;
        Ok(record.sequence)
    }

    fn journal(&self, run: Option<&str>) -> Result<Journal, Problem> {
        Ok(self.journal_and_last_time(run)?.0)
    }

    fn last_time(&self) -> Result<Option<Timestamp>, Problem> {
        Ok(latest_time(&self.read_journal()?))
    }

    fn journal_and_last_time(&self, run: Option<&str>) -> Result<(Journal, Option<Timestamp>), Problem> {
        let journal = Journal::parse(&self.read_journal()?, run);
        let last = journal.latest;
        Ok((journal, last))
    }

    fn attestation_head(&self) -> Result<Option<Head>, Problem> {
        let Some(number) = self.attestation_numbers()?.last().copied() else { return Ok(None) };
        let text = self.read_attestation(number)?;
        Ok(Some(Head { sha256: Digest::of(text.as_bytes()), length: number }))
    }

    fn append_attestation(&self, number: u64, statement: &str) -> Result<Attested, Problem> {
        self.write_target()?;
        disk::make_folder(&self.attestations_folder())?;
        let name = attestation_name(number);
        match disk::create_text(&self.attestations_folder(), &name, statement)? {
            Creation::Created => Ok(Attested::Appended),
            Creation::Present => Ok(Attested::Taken),
        }
    }

    fn attestations(&self) -> Result<Vec<(u64, String)>, Problem> {
        let numbers = self.attestation_numbers()?;
        numbers.into_iter().map(|number| Ok((number, self.read_attestation(number)?))).collect()
    }
}

/// The end of a journal that is about to grow.
struct End {
    sequence: u64,
    cut_short: bool,
}

impl End {
    /// The last number, from the last line where that is a record, else from all of them.
    fn find(file: &mut File) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        file.read_to_end(&mut bytes)?;
        let cut_short = bytes.last().is_some_and(|byte| *byte != b'\n');
        let last = bytes.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next());
        if let Some(Ok(record)) = last.map(serde_json::from_slice::<JournalRecord>) {
            return Ok(Self { sequence: record.sequence, cut_short });
        }
        file.rewind()?;
        bytes.clear();
        file.read_to_end(&mut bytes)?;
        Ok(Self { sequence: Journal::parse(&bytes, None).last_sequence, cut_short })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Identity {
    id: LedgerId,
}

/// The files of a folder, sorted, without what an interrupted writer left beside.
fn record_names(folder: &Path) -> Result<Vec<String>, Problem> {
    let unreadable = |error: std::io::Error| disk::failed(folder, "cannot be read", &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if !(name.starts_with('.') && name.ends_with(".tmp")) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn run_name(run: &str) -> String {
    format!("{}.json", Digest::of(run.as_bytes()))
}

fn attestation_name(number: u64) -> String {
    format!("{number:08}.json")
}

fn use_name(approval: Digest, action: &str) -> String {
    format!("{approval}-{}.json", Digest::of(action.as_bytes()))
}

/// A part that `init` made is not there.
fn lost(path: &Path) -> Problem {
    Problem::failure(format!("the ledger has lost `{}`", path.display()))
        .help("restore it from a copy; what was used before cannot be known without it")
}

const IDENTITY: &str = "ledger.json";

/// How much of the journal's end is read to find its last record, in bytes.
const TAIL: u64 = 256 * 1024;
