//! Writing results: each file is there whole or not at all, and so are those that belong together.

use super::target::{Made, Parents, Place, Target, failed};
use crate::problem::{Code, Coded as _, Problem};
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file to be written.
#[derive(Clone, Debug)]
pub struct Output {
    path: PathBuf,
    bytes: Vec<u8>,
    over: Over,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    /// What is there gets replaced; its mode, and where the system lets it its owner, stay.
    Replace,
    /// The name must be free.
    Refuse,
}

impl Output {
    /// A file that takes the place of the one there.
    pub fn replacing(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into(), over: Over::Replace }
    }

    /// A file under a name that must be free.
    pub fn new_file(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into(), over: Over::Refuse }
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is to be in it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Refuses, before any work, a name that nothing could be written under.
pub fn check(path: &Path) -> Result<(), Problem> {
    Target::find(path, Parents::Look).map(drop)
}

/// The same for a file that must not be there yet.
pub fn check_free(path: &Path) -> Result<(), Problem> {
    // A link that points nowhere has the name, too.
    match !super::is_stream(path) && path.symlink_metadata().is_ok() {
        true => check(path).and(Err(exists(path))),
        false => check(path),
    }
}

/// Refuses, before any work, a folder that files could not be written into.
pub fn check_folder(path: &Path) -> Result<(), Problem> {
    let inside = path.join("file");
    check(&inside).map_err(|mut problem| {
        problem.message = problem.message.replace(&inside.display().to_string(), &path.display().to_string());
        problem
    })
}

/// Writes a file, or to a standard stream.
pub fn write(path: &Path, text: &str) -> Result<(), Problem> {
    write_together(&[Output::replacing(path, text)])
}

/// Writes a file under a name that must be free.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    write_together(&[Output::new_file(path, bytes)])
}

/// Writes all of these files or, as far as the system lets it, none.
///
/// All are complete on the disk before the first gets its name, and those that must be new get theirs first.
pub fn write_together(outputs: &[Output]) -> Result<(), Problem> {
    // Dropped last, when what lies in them is gone.
    let mut made = Made::default();
    let mut staged = Vec::new();
    for output in outputs {
        if output.over == Over::Refuse {
            check_free(&output.path)?;
        }
        match Target::find(&output.path, Parents::Make)? {
            Target::Stdout => stream(&mut io::stdout().lock(), &output.bytes)?,
            Target::Stderr => stream(&mut io::stderr().lock(), &output.bytes)?,
            Target::File(mut place) => {
                made.0.append(&mut place.made.0);
                let file = Staged::new(place, &output.bytes).map_err(|error| failed(&output.path, error))?;
                staged.push((output, file));
            }
        }
    }
    staged.sort_by_key(|(output, _)| output.over == Over::Replace);
    let mut settled: Vec<Staged> = Vec::new();
    for (output, mut file) in staged {
        let result = file.settle(output.over);
        settled.push(file);
        if let Err(error) = result {
            settled.iter().for_each(Staged::take_back);
            return Err(match error.kind() {
                ErrorKind::AlreadyExists => exists(&output.path),
                _ => failed(&output.path, error),
            });
        }
    }
    made.0.clear();
    Ok(())
}

/// Takes back files that were made for work that failed afterwards.
pub fn remove(outputs: &[Output]) {
    outputs.iter().for_each(|output| drop(std::fs::remove_file(&output.path)));
}

/// A complete file that has no name of its own yet, or a passing one.
struct Staged {
    place: Place,
    file: File,
    passing: Option<OsString>,
    is_new: bool,
}

impl Staged {
    fn new(place: Place, bytes: &[u8]) -> io::Result<Self> {
        // What will get the mode of another file is nobody else's to read before it has it.
        let mode = Mode::from_raw_mode(if place.found.is_some() { 0o600 } else { 0o666 });
        let (file, passing) = open(&place.folder, mode)?;
        let mut staged = Self { place, file, passing, is_new: false };
        staged.file.write_all(bytes)?;
        staged.keep_owner_and_mode()?;
        staged.file.sync_all()?;
        Ok(staged)
    }

    fn keep_owner_and_mode(&self) -> io::Result<()> {
        let Some(found) = &self.place.found else { return Ok(()) };
        let own = fs::fstat(&self.file)?;
        if (own.st_uid, own.st_gid) != (found.uid, found.gid)
            && fchown(&self.file, Some(found.uid), Some(found.gid)).is_err()
        {
            // Only root may give a file away; a group one belongs to can still be kept.
            let _ = fchown(&self.file, None, Some(found.gid));
        }
        self.file.set_permissions(Permissions::from_mode(found.mode))
    }

    /// Gives the file its name.
    fn settle(&mut self, over: Over) -> io::Result<()> {
        let passing = match self.passing.take() {
            Some(name) => name,
            None => link_passing(&self.file, &self.place.folder)?,
        };
        let (folder, name) = (&self.place.folder, &self.place.name);
        let settled = match over {
            Over::Replace => fs::renameat(folder, &passing, folder, name),
            // A link, other than a rename, never takes the place of what is there.
            Over::Refuse => fs::linkat(folder, &passing, folder, name, AtFlags::empty()),
        };
        if settled.is_err() || over == Over::Refuse {
            let _ = fs::unlinkat(folder, &passing, AtFlags::empty());
        }
        settled?;
        self.is_new = self.place.found.is_none();
        // A folder that may not be read cannot be synced either.
        match fs::openat(folder, ".", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(folder) => Ok(fs::fsync(folder)?),
            Err(_) => Ok(()),
        }
    }

    /// Removes a file that was not there before.
    fn take_back(&self) {
        if self.is_new {
            let _ = fs::unlinkat(&self.place.folder, &self.place.name, AtFlags::empty());
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(name) = self.passing.take() {
            let _ = fs::unlinkat(&self.place.folder, &name, AtFlags::empty());
        }
    }
}

/// A file without a name, of which nothing is left whatever ends the process; with a passing one where there is no such.
fn open(folder: &OwnedFd, mode: Mode) -> io::Result<(File, Option<OsString>)> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    if let Ok(file) = fs::openat(folder, ".", flags | OFlags::TMPFILE, mode) {
        return Ok((file.into(), None));
    }
    let (file, name) = with_passing_name(|name| {
        fs::openat(folder, name, flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)
    })?;
    Ok((file.into(), Some(name)))
}

/// Gives a file without a name a passing one.
fn link_passing(file: &File, folder: &OwnedFd) -> io::Result<OsString> {
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    let linked = with_passing_name(|name| fs::linkat(CWD, &itself, folder, name, AtFlags::SYMLINK_FOLLOW));
    linked.map(|((), name)| name)
}

/// Tries names until one is free: a process of the same number may have been killed here once.
fn with_passing_name<T>(make: impl Fn(&OsString) -> Result<T, rustix::io::Errno>) -> io::Result<(T, OsString)> {
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = OsString::from(format!(".cutter-{}-{number}.tmp", std::process::id()));
        match make(&name) {
            Err(rustix::io::Errno::EXIST) => {}
            made => return Ok((made?, name)),
        }
    }
}

/// Writes to a standard stream.
pub fn stream(stream: &mut dyn Write, bytes: &[u8]) -> Result<(), Problem> {
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        // A reader that has seen enough, such as `head`, is no failure of ours.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::failure(format!("the result cannot be printed: {}", super::cause(&error))))
        }
        _ => Ok(()),
    }
}

pub(super) fn exists(path: &Path) -> Problem {
    Problem::failure(format!("`{}` exists already", path.display()))
        .help("it is never written over; name another file, or move it away")
        .coded(Code::OutputExists)
}

static NEXT: AtomicU64 = AtomicU64::new(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn left(folder: &Path) -> Vec<OsString> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_name_that_is_taken_keeps_the_other_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (result, signature) = (folder.path().join("a"), folder.path().join("a.sig"));
        std::fs::write(&result, "old").unwrap();
        std::fs::write(&signature, "precious").unwrap();
        let problem =
            write_together(&[Output::replacing(&result, "new"), Output::new_file(&signature, "other")]).unwrap_err();
        assert!(problem.message.ends_with("exists already"), "{}", problem.message);
        assert_eq!(std::fs::read_to_string(&result).unwrap(), "old");
        assert_eq!(std::fs::read_to_string(&signature).unwrap(), "precious");
        assert_eq!(left(folder.path()).len(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_named_takes_back_the_new_ones_and_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a");
        // The second finds its name taken by the first, after both were free.
        assert!(write_together(&[Output::new_file(&path, "1"), Output::new_file(&path, "2")]).is_err());
        assert!(left(folder.path()).is_empty());
    }

    #[test]
    fn a_dangling_link_is_a_name_that_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sig");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(create(&path, b"x").unwrap_err().message.ends_with("exists already"));
    }
}
