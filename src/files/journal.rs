//! Files of lines: one that is only ever added to, such as a witness writes, and one that several processes add to.

use super::target::{Parents, Target, failed};
use super::write::{check_free, exists};
use crate::problem::Problem;
use rustix::fs::{self, Mode, OFlags};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file of lines that are only ever added, each durable before the next.
#[derive(Debug)]
pub struct AppendFile {
    path: PathBuf,
    file: Option<File>,
}

impl AppendFile {
    /// Looks for a name that is free; the file is made with its first line, so that work that never began leaves none.
    pub fn create(path: &Path) -> Result<Self, Problem> {
        check_free(path)?;
        match Target::find(path, Parents::Look)? {
            Target::File(_) => Ok(Self { path: path.to_path_buf(), file: None }),
            Target::Stdout | Target::Stderr => {
                Err(Problem::failure(format!("`{}` is a stream, and a record is read back", path.display()))
                    .help("name a file"))
            }
        }
    }

    /// Adds one line.
    pub fn add(&mut self, line: &str) -> Result<(), Problem> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => create_empty(&self.path)?,
        };
        let written = file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data());
        self.file = Some(file);
        written.map_err(|error| failed(&self.path, error))
    }
}

/// Opens a file that several processes add lines to and that one takes away, for both; nothing where it is not there and is not to
/// be made. It is a regular file that nobody else chose, so that it holds nobody up.
pub fn open_lines(path: &Path, make: bool) -> Result<Option<File>, Problem> {
    if !make && path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    let Target::File(mut place) = Target::find(path, if make { Parents::Make } else { Parents::Look })? else {
        return Err(Problem::failure(format!("`{}` is a stream, and it is read back", path.display())));
    };
    if !make && place.found.is_none() {
        return Ok(None);
    }
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::openat(&place.folder, &place.name, flags, Mode::from_raw_mode(0o600))
        .map_err(|error| failed(path, error))?;
    place.made.0.clear();
    let file = File::from(file);
    match file.metadata() {
        Ok(found) if found.is_file() => Ok(Some(file)),
        _ => Err(Problem::failure(format!("`{}` is not a regular file", path.display()))),
    }
}

/// Locks a file that is open, and says whether it did so within this time: whoever keeps it longer is not waited for.
pub fn lock_within(file: &File, is_shared: bool, longest: Duration) -> std::io::Result<bool> {
    let began = Instant::now();
    loop {
        match if is_shared { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if began.elapsed() < longest => std::thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Makes a file under a name that must be free.
fn create_empty(path: &Path) -> Result<File, Problem> {
    let Target::File(mut place) = Target::find(path, Parents::Make)? else { return Err(exists(path)) };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::openat(&place.folder, &place.name, flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => {
            place.made.0.clear();
            Ok(file.into())
        }
        Err(rustix::io::Errno::EXIST) => Err(exists(path)),
        Err(error) => Err(failed(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_made_with_its_first_line_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let (mut first, mut second) = (AppendFile::create(&path).unwrap(), AppendFile::create(&path).unwrap());
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
        first.add("a").unwrap();
        first.add("b").unwrap();
        assert!(second.add("c").is_err() && AppendFile::create(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
    }
}
