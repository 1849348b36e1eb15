//! Folders and files that hold records: private, never through a link, there whole or not at all, and synced.

use crate::files::cause;
use crate::ledger::journal;
use crate::ledger::record::VERSION;
use crate::problem::{Code, Coded as _, Problem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whether a file came into being.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Creation {
    /// By this call and by no other.
    Created,
    /// It was there.
    Present,
}

/// Whether a folder is there; a link, a file, or a folder that others may write to is an error.
pub fn folder_exists(path: &Path) -> Result<bool, Problem> {
    let name = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(path, "cannot be looked at", &error)),
    };
    if !metadata.is_dir() {
        return Err(Problem::failure(format!("`{name}` is not a folder of its own"))
            .help("a ledger is a real folder; a link could be pointed elsewhere")
            .coded(Code::LedgerUnusable));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(Problem::failure(format!("others may write to `{name}`"))
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
        _ => Err(Problem::failure(format!("`{}` is not a regular file", path.display()))
            .help(RESTORE)
            .coded(Code::LedgerDamaged)),
    }
}

/// Takes a file's lock and gives up after a while.
pub fn lock(file: &File, path: &Path, shared: bool) -> Result<(), Problem> {
    let began = Instant::now();
    loop {
        match if shared { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < LONGEST_WAIT => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => {
                let seconds = LONGEST_WAIT.as_secs();
                return Err(Problem::failure(format!("`{}` has been locked for {seconds} seconds", path.display()))
                    .help("another run of cutter holds it; end that one if it hangs")
                    .coded(Code::LedgerUnusable));
            }
            Err(TryLockError::Error(error)) => return Err(failed(path, "cannot be locked", &error)),
        }
    }
}

/// Reads a whole record; `None` where there is none, and an error where it is not what was written.
pub fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Problem> {
    let Some(file) = open(path, OpenOptions::new().read(true))? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = file.take(LARGEST_RECORD).read_to_end(&mut bytes);
    read.map_err(|error| failed(path, "cannot be read", &error))?;
    match serde_json::from_slice::<Kept<T>>(&bytes) {
        Ok(kept) if kept.version == VERSION => Ok(Some(kept.record)),
        Ok(kept) => Err(spoilt(path, &format!("version {} is not known", kept.version))),
        Err(error) => Err(spoilt(path, &journal::cause(&error))),
    }
}

/// Reads a whole text; `None` where there is none.
pub fn read_text(path: &Path) -> Result<Option<String>, Problem> {
    let Some(file) = open(path, OpenOptions::new().read(true))? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = file.take(LARGEST_TEXT + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(path, "cannot be read", &error))?;
    if bytes.len() as u64 > LARGEST_TEXT {
        return Err(spoilt(path, "it is larger than anything that was written"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| spoilt(path, "it is not UTF-8"))
}

/// Writes a text under a name that must be free: complete and synced from the moment it has that name.
pub fn create_text(folder: &Path, name: &str, text: &str) -> Result<Creation, Problem> {
    let path = folder.join(name);
    create(folder, &path, text.as_bytes()).map_err(|error| failed(&path, "cannot be written", &error))
}

/// Writes a record under a name that must be free: complete and synced from the moment it has that name.
pub fn create_record<T: Serialize>(folder: &Path, name: &str, record: &T) -> Result<Creation, Problem> {
    let path = folder.join(name);
    let text = serde_json::to_string_pretty(&Kept { version: VERSION, record })
        .map_err(|error| Problem::failure(format!("a record has no JSON form: {error}")))?;
    let creation = create(folder, &path, (text + "\n").as_bytes());
    creation.map_err(|error| failed(&path, "cannot be written", &error))
}

/// Writes beside and links: a link, other than a rename, never takes the place of what is there.
fn create(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<Creation> {
    let (beside, mut file) = loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!(".{}-{number}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside) {
            // A process of the same number was killed here once; its leftover is nobody's record.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            file => break (beside, file?),
        }
    };
    let linked = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&beside, path));
    let removed = fs::remove_file(&beside);
    match linked {
        Ok(()) => removed.and_then(|()| File::open(folder)?.sync_all()).map(|()| Creation::Created),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Creation::Present),
        Err(error) => Err(error),
    }
}

/// A record that is not what was written.
pub fn spoilt(path: &Path, what: &str) -> Problem {
    Problem::failure(format!("`{}` is not a record of this ledger: {what}", path.display()))
        .help(RESTORE)
        .coded(Code::LedgerDamaged)
}

/// What the system refused.
pub fn failed(path: &Path, what: &str, error: &io::Error) -> Problem {
    let help = match error.kind() {
        ErrorKind::PermissionDenied => "the ledger belongs to the user who made it; run as that user",
        ErrorKind::ReadOnlyFilesystem => "the ledger must lie where it can be written",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room; nothing that needs the ledger runs before",
        ErrorKind::Unsupported => "the ledger needs a file system with hard links and locks",
        _ => "nothing that needs the ledger runs before this is mended",
    };
    Problem::failure(format!("`{}` {what}: {}", path.display(), cause(error))).help(help).coded(Code::LedgerUnusable)
}

/// A record as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Kept<T> {
    version: u32,
    record: T,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

const LONGEST_WAIT: Duration = Duration::from_secs(30);

const LARGEST_RECORD: u64 = 1024 * 1024;

const LARGEST_TEXT: u64 = 1024 * 1024 * 1024;

const RESTORE: &str =
    "what it recorded counts as used; restore the file from a copy, or have new approvals made for a new ledger";
