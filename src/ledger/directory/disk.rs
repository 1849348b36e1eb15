//! The folder and files of a ledger: private, never through a link; the mark of the chain's end; locks.

use crate::digest::Digest;
use crate::files::{cause, lock_within};
use crate::ledger::chain::Head;
use crate::problem::{Code, Coded as _, Problem};
use crate::time::Timestamp;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Whether a folder is there; a link, a file, or a folder that others may write to is an error.
pub fn folder_exists(path: &Path) -> Result<bool, Problem> {
    let name = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(path, "cannot be looked at", &error)),
    };
    if !metadata.is_dir() {
        return Err(Problem::untrusted(format!("`{name}` is not a folder of its own"))
            .help("a ledger is a real folder; a link could be pointed elsewhere")
            .coded(Code::LedgerUnusable));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(Problem::untrusted(format!("others may write to `{name}`"))
            .help(format!("whoever can remove a record can use an approval twice; run `chmod 700 {name}`"))
            .coded(Code::LedgerUnusable));
    }
    Ok(true)
}

/// Makes a folder that is its owner's alone, where there is none.
pub fn make_folder(path: &Path) -> Result<(), Problem> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(path, "cannot be made", &error)),
        _ => folder_exists(path)?,
    };
    Ok(())
}

/// Makes what was added to a folder last.
pub fn sync_folder(path: &Path) -> Result<(), Problem> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed(path, "cannot be synced", &error))
}

/// Opens a regular file, never through a link; `None` where there is none.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Option<File>, Problem> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "cannot be looked at", &error)),
    };
    let file = if found.is_file() { Some(options.open(path)) } else { None };
    let file = file.transpose().map_err(|error| failed(path, "cannot be opened", &error))?;
    let same =
        |file: &File| file.metadata().is_ok_and(|opened| (opened.dev(), opened.ino()) == (found.dev(), found.ino()));
    match file {
        Some(file) if same(&file) => Ok(Some(file)),
        _ => Err(Problem::untrusted(format!("`{}` is not a regular file", path.display()))
            .help(RESTORE)
            .coded(Code::LedgerDamaged)),
    }
}

/// Takes a file's lock and gives up after a while.
pub fn lock(file: &File, path: &Path, is_shared: bool) -> Result<(), Problem> {
    if wait_for(file, path, is_shared, LONGEST_WAIT)? {
        return Ok(());
    }
    let seconds = LONGEST_WAIT.as_secs();
    Err(Problem::failure(format!("`{}` has been locked for {seconds} seconds", path.display()))
        .help("another run of cutter holds it; end that one if it hangs")
        .coded(Code::LedgerUnusable))
}

/// Whether a file's lock was taken within this time.
pub fn wait_for(file: &File, path: &Path, is_shared: bool, longest: Duration) -> Result<bool, Problem> {
    lock_within(file, is_shared, longest).map_err(|error| failed(path, "cannot be locked", &error))
}

/// A file that holds nothing and is only locked.
pub fn lock_file(path: &Path) -> Result<File, Problem> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            open(path, OpenOptions::new().write(true))?.ok_or_else(|| lost(path))
        }
        made => made.map_err(|error| failed(path, "cannot be made", &error)),
    }
}

/// Whether anything has this name.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The number of the user whose folder this is.
pub fn owner(path: &Path) -> Result<u32, Problem> {
    let found = fs::symlink_metadata(path).map_err(|error| failed(path, "cannot be looked at", &error))?;
    Ok(found.uid())
}

/// The number of the user who writes, as records have it.
pub fn user() -> String {
    format!("user {}", rustix::process::geteuid().as_raw())
}

/// Which file on which machine this is. The time of its birth tells it from a copy that took its number.
pub fn place(file: &File, path: &Path) -> Result<String, Problem> {
    let found = file.metadata().map_err(|error| failed(path, "cannot be looked at", &error))?;
    let machine = fs::read("/etc/machine-id").map_or_else(|_| "unnamed".to_owned(), |id| Digest::of(&id).short());
    let born =
        found.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok()).map_or(0, |born| born.as_nanos());
    Ok(format!("machine {machine}, file {}, born {born}", found.ino()))
}

/// How long the chain was when it was last written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    pub head: Head,
}

impl Mark {
    /// The mark; none where there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, Problem> {
        let Some(file) = open(path, OpenOptions::new().read(true))? else { return Ok(None) };
        let mut text = String::new();
        let read = file.take(1024).read_to_string(&mut text);
        read.map_err(|error| failed(path, "cannot be read", &error))?;
        let mark = text.strip_suffix('\n').and_then(|line| line.split_once(' ')).and_then(|(length, sha256)| {
            Some(Self {
                head: Head { length: length.trim_start_matches('0').parse().ok()?, sha256: Digest::parse(sha256)? },
            })
        });
        mark.map(Some).ok_or_else(|| {
            Problem::untrusted(format!("`{}` is not the mark of a chain's end", path.display()))
                .help(RESTORE)
                .coded(Code::LedgerDamaged)
        })
    }

    /// Writes it over the last one, in one piece. A mark that a crash took back is only older; the chain itself is synced.
    pub fn write(self, path: &Path) -> Result<(), Problem> {
        let text = format!("{:020} {}\n", self.head.length, self.head.sha256);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let written = file.and_then(|file| file.write_all_at(text.as_bytes(), 0));
        written.map_err(|error| failed(path, "cannot be written", &error))
    }
}

/// A file as it was when it was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    file: (u64, u64),
    length: u64,
    /// When it was last written, and last changed in any way, in nanoseconds.
    times: [(i64, i64); 2],
    /// Whether it had been left alone for so long that a later change cannot bear the same time.
    is_settled: bool,
}

impl Seen {
    /// Looks at a file; `now` is what the clock shows.
    pub fn look(file: &File, now: Option<Timestamp>) -> io::Result<Self> {
        let found = file.metadata()?;
        let changed = found.ctime().saturating_mul(1000);
        let is_settled = now.is_some_and(|now| now.milliseconds().saturating_sub(changed) > COARSEST);
        let times = [(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())];
        Ok(Self { file: (found.dev(), found.ino()), length: found.len(), times, is_settled })
    }

    /// Whether nobody can have touched the file between this look and a later one.
    pub fn is_still(&self, later: &Self) -> bool {
        self.is_settled && (self.file, self.length, self.times) == (later.file, later.length, later.times)
    }
}

/// What was read of it before is not in it any more.
pub fn rewritten(path: &Path) -> Problem {
    Problem::untrusted(format!("`{}` was rewritten while it was in use", path.display()))
        .help("a person must look at it before anything runs; a published head shows what is gone")
        .coded(Code::LedgerDamaged)
}

/// A part that `init` made is not there.
pub fn lost(path: &Path) -> Problem {
    Problem::untrusted(format!("the ledger has lost `{}`", path.display())).help(RESTORE).coded(Code::LedgerDamaged)
}

/// What the system refused.
pub fn failed(path: &Path, what: &str, error: &io::Error) -> Problem {
    let help = match error.kind() {
        ErrorKind::PermissionDenied => "the ledger belongs to the user who made it; run as that user",
        ErrorKind::ReadOnlyFilesystem => "the ledger must be on a writable file system",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room; nothing that needs the ledger runs before",
        ErrorKind::Unsupported => "the ledger needs a file system with locks",
        _ => "nothing that needs the ledger runs before this is fixed",
    };
    Problem::failure(format!("`{}` {what}: {}", path.display(), cause(error))).help(help).coded(Code::LedgerUnusable)
}

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// In milliseconds: times of files go by the ticks of the kernel, or on some file systems by whole seconds.
const COARSEST: i64 = 3000;

const RESTORE: &str = "what it recorded counts as used; have new approvals made for a new ledger";
