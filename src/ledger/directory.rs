//! The embedded ledger, a folder (`.cutter`). Whoever owns the folder can rewrite its chain; what keeps that from being of use
//! is an owner whom no run can be, or a head that was published elsewhere.
//!
//! ```text
//! .cutter/           0700; no part of it is ever reached through a link
//!   records.ndjson   0600; the chain, only ever appended to; its first line names the machine and the file itself
//!   head             how long the chain was when it was last written, so that a cut end is seen
//!   run-*.lock       held while an action of the run works
//! ```

mod disk;

use super::chain::Head;
use super::journal::{Conflict, Damage, Journal, Wanted};
use super::lines::{Lines, compose};
use super::record::{Attestation, Finished, LedgerId, Made, Record, Started, VERSION};
use super::{Attested, Begun, Held, Ledger, already_made, displaced, missing, outdated};
use crate::digest::Digest;
use crate::problem::Problem;
use crate::time::Timestamp;
use disk::{Mark, Seen};
use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A ledger in a folder.
#[derive(Clone, Debug)]
pub struct DirectoryLedger {
    path: PathBuf,
    clock: fn() -> Option<Timestamp>,
    /// What was read and checked already: the file only grows.
    taken: RefCell<Lines>,
    /// The file as it was when all of that was last found in it.
    seen: Cell<Option<Seen>>,
}

impl DirectoryLedger {
    /// The ledger at `path`, whether or not there is one; nothing is touched. Its records bear the times of `clock`.
    pub fn new(path: impl Into<PathBuf>, clock: fn() -> Option<Timestamp>) -> Self {
        Self { path: path.into(), clock, taken: RefCell::default(), seen: Cell::default() }
    }

    /// The number of the user whose folder this is.
    pub fn owner(&self) -> Result<u32, Problem> {
        disk::owner(&self.path)
    }

    fn records(&self) -> PathBuf {
        self.path.join("records.ndjson")
    }

    fn mark(&self) -> PathBuf {
        self.path.join("head")
    }

    /// The records under their lock; none where there is no ledger.
    fn open(&self, is_shared: bool) -> Result<Option<File>, Problem> {
        if !disk::folder_exists(&self.path)? {
            return Ok(None);
        }
        if disk::exists(&self.path.join("ledger.json")) {
            return Err(outdated(&self.name()));
        }
        let path = self.records();
        let mut options = OpenOptions::new();
        options.read(true).append(!is_shared);
        let Some(file) = disk::open(&path, &options)? else {
            return if disk::exists(&self.mark()) { Err(disk::lost(&path)) } else { Ok(None) };
        };
        disk::lock(&file, &path, is_shared)?;
        Ok(Some(file))
    }

    /// The records under their lock, all of them taken, and the mark of the last writer; none where there is no ledger.
    fn opened(&self, is_shared: bool) -> Result<Option<(File, Mark)>, Problem> {
        let Some(mut file) = self.open(is_shared)? else { return Ok(None) };
        self.catch_up(&mut file)?;
        match Mark::read(&self.mark())? {
            // An interrupted `init` leaves one line at most, and no mark.
            None if self.taken.borrow().count() <= 1 => {
                self.forget();
                Ok(None)
            }
            None => Err(disk::lost(&self.mark())),
            Some(mark) => {
                self.check_place(&file)?;
                Ok(Some((file, mark)))
            }
        }
    }

    /// Takes what was added. A file that was touched since is compared with all that was taken, byte by byte: whatever was decided by
    /// that must still be in it.
    fn catch_up(&self, file: &mut File) -> Result<(), Problem> {
        let path = self.records();
        let failed = |error: std::io::Error| disk::failed(&path, "cannot be read", &error);
        let found = Seen::look(file, (self.clock)()).map_err(failed)?;
        if self.seen.get().is_some_and(|seen| seen.is_still(&found)) {
            return Ok(());
        }
        let mut taken = self.taken.borrow_mut();
        if !taken.begin(file).map_err(failed)? {
            return Err(disk::rewritten(&path));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        taken.take(&bytes);
        self.seen.set(Some(found));
        Ok(())
    }

    /// Nothing of the file is relied on any more.
    fn forget(&self) {
        *self.taken.borrow_mut() = Lines::default();
        self.seen.set(None);
    }

    /// The journal of what was taken, and whether the end that the last writer left is in it.
    fn journal(&self, wanted: Wanted<'_>, mark: Mark) -> Journal {
        let taken = self.taken.borrow();
        let mut journal = taken.journal(wanted);
        if taken.digest_at(mark.head.length) != Some(mark.head.sha256) {
            let damage = format!("{} records were written, and the last of them is not there", mark.head.length);
            journal.damages.push(Damage { line: taken.count() + 1, damage });
        }
        journal
    }

    /// Whether the first record names this very file, on this machine.
    fn check_place(&self, file: &File) -> Result<LedgerId, Problem> {
        let made = self.taken.borrow().made().ok_or_else(|| disk::lost(&self.records()))?;
        let here = disk::place(file, &self.records())?;
        match made {
            Made { version: VERSION, place, ledger } if place == here => Ok(ledger),
            Made { version: VERSION, place, .. } => Err(displaced(&self.name(), &place, &here)),
            Made { version, .. } => Err(Problem::failure(format!("the ledger has the form of version {version}"))
                .help(format!("this cutter knows version {VERSION}"))),
        }
    }

    /// Under the lock of writers: reads all, has `decide` say what is to be added, and has that on disk before it returns.
    fn transact<T>(
        &self,
        wanted: Wanted<'_>,
        decide: impl FnOnce(&Journal) -> Result<(Vec<Record>, T), Problem>,
    ) -> Result<(Head, T), Problem> {
        let (mut file, mark) = self.opened(false)?.ok_or_else(|| missing(&self.name()))?;
        let journal = self.journal(wanted, mark).whole(&self.name())?;
        let (records, value) = decide(&journal)?;
        let mut head = journal.head;
        let mut text = String::new();
        for record in &records {
            let (line, next) = compose(head, self.now()?, &disk::user(), record)?;
            text.push_str(&line);
            head = Some(next);
        }
        let head = head.ok_or_else(|| missing(&self.name()))?;
        if !records.is_empty() {
            self.add(&mut file, &text, head)?;
        }
        Ok((head, value))
    }

    /// Appends lines after the last whole one. What an interrupted writer left after it was never told to anybody.
    fn add(&self, file: &mut File, text: &str, head: Head) -> Result<(), Problem> {
        let path = self.records();
        let end = self.taken.borrow().length() as u64;
        self.seen.set(None);
        let written = file
            .metadata()
            .and_then(|found| if found.len() > end { file.set_len(end) } else { Ok(()) })
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all());
        written.map_err(|error| disk::failed(&path, "cannot be written", &error))?;
        self.taken.borrow_mut().take(text.as_bytes());
        Mark { head }.write(&self.mark())
    }

    fn now(&self) -> Result<Timestamp, Problem> {
        (self.clock)().ok_or_else(|| Problem::failure("the system's clock is not between the years 1 and 9999"))
    }
}

impl Ledger for DirectoryLedger {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn id(&self) -> Result<Option<LedgerId>, Problem> {
        let opened = self.opened(true)?;
        Ok(opened.and_then(|_| self.taken.borrow().made()).map(|made| made.ledger))
    }

    fn init(&self, id: LedgerId) -> Result<(), Problem> {
        if let Some(id) = self.id()? {
            return Err(already_made(&self.name(), &id));
        }
        disk::make_folder(&self.path)?;
        let path = self.records();
        let made = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        let file = made.map_err(|error| disk::failed(&path, "cannot be made", &error))?;
        drop(file);
        let mut file = self.open(false)?.ok_or_else(|| disk::lost(&path))?;
        // Of two that make it at once the second finds the first's.
        if Mark::read(&self.mark())?.is_some() {
            drop(file);
            return self.id()?.map_or(Ok(()), |id| Err(already_made(&self.name(), &id)));
        }
        self.forget();
        let made = Record::Made(Made { version: VERSION, ledger: id, place: disk::place(&file, &path)? });
        let (line, head) = compose(None, self.now()?, &disk::user(), &made)?;
        self.add(&mut file, &line, head)?;
        disk::sync_folder(&self.path)?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk::sync_folder(parent.unwrap_or(Path::new(".")))
    }

    fn read(&self, wanted: Wanted<'_>) -> Result<Journal, Problem> {
        let Some((_file, mark)) = self.opened(true)? else { return Ok(Journal::default()) };
        Ok(self.journal(wanted, mark))
    }

    fn digest_at(&self, number: u64) -> Result<Option<Digest>, Problem> {
        self.id()?;
        Ok(self.taken.borrow().digest_at(number))
    }

    fn note(&self, record: &Record) -> Result<u64, Problem> {
        self.transact(Wanted::Nothing, |_| Ok((vec![record.clone()], ()))).map(|(head, ())| head.length)
    }

    fn attest(&self, attestation: &Attestation) -> Result<Attested, Problem> {
        let done = self.transact(Wanted::Attestations, |journal| {
            let (id, chain) = journal.chain(&self.name())?;
            if attestation.number != chain.digests.len() as u64 + 1 {
                return Ok((Vec::new(), Attested::Taken));
            }
            chain.check_next(&id, attestation)?;
            Ok((vec![Record::Attestation(attestation.clone())], Attested::Appended))
        })?;
        Ok(done.1)
    }

    fn hold(&self, run: &str) -> Result<Option<Box<dyn Held + '_>>, Problem> {
        self.id()?.ok_or_else(|| missing(&self.name()))?;
        Ok(self.lock_of(run)?.map(|lock| Box::new(Place { ledger: self, _lock: lock, also: None }) as Box<dyn Held>))
    }
}

/// The one place of a run, as long as its file is locked.
struct Place<'a> {
    ledger: &'a DirectoryLedger,
    _lock: File,
    also: Option<File>,
}

impl DirectoryLedger {
    /// The lock of a run's place; nothing where somebody else has it.
    fn lock_of(&self, run: &str) -> Result<Option<File>, Problem> {
        let name = Digest::of(run.as_bytes()).short();
        let path = self.path.join(format!("run-{name}.lock"));
        let file = disk::lock_file(&path)?;
        let is_held = disk::wait_for(&file, &path, false, LONGEST_WAIT_FOR_A_RUN)?;
        Ok(is_held.then_some(file))
    }
}

impl Held for Place<'_> {
    fn begin(&mut self, started: &Started) -> Result<Begun, Problem> {
        let approvals: Vec<Digest> = started.approvals.iter().map(|used| used.sha256).collect();
        let wanted = Wanted::Of { run: &started.run, approvals: &approvals };
        let (head, conflict) = self.ledger.transact(wanted, |journal| {
            if let Some(conflict) = journal.conflict(started) {
                return Ok((Vec::new(), Some(conflict)));
            }
            let is_newer = journal.newest_bundle() != Some(started.bundle);
            let newer = is_newer.then_some(Record::NewerBundle(started.bundle));
            Ok((newer.into_iter().chain([Record::Started(Box::new(started.clone()))]).collect(), None::<Conflict>))
        })?;
        Ok(match conflict {
            None => Begun::Begun(head.length),
            Some(conflict) => Begun::Not(Box::new(conflict)),
        })
    }

    fn finish(&mut self, finished: &Finished) -> Result<u64, Problem> {
        let wanted = Wanted::Of { run: &finished.run, approvals: &[] };
        let (head, ()) = self.ledger.transact(wanted, |journal| {
            let is_open = journal.starts().any(|(entry, started)| {
                entry.sequence == finished.started && started.run == finished.run && started.action == finished.action
            }) && journal.end_of(finished.started).is_none();
            match is_open {
                true => Ok((vec![Record::Finished(finished.clone())], ())),
                false => Err(super::never_began(finished)),
            }
        })?;
        Ok(head.length)
    }

    fn also_hold(&mut self, run: &str) -> Result<bool, Problem> {
        self.also = self.ledger.lock_of(run)?;
        Ok(self.also.is_some())
    }

    fn let_go(&mut self) -> Result<(), Problem> {
        self.also = None;
        Ok(())
    }
}

const LONGEST_WAIT_FOR_A_RUN: Duration = Duration::from_secs(10);
