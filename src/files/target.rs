//! Where a result may be written: a standard stream, or a regular file that nobody else chose. It writes no file.

use super::cause;
use crate::problem::{Code, Coded as _, Problem};
use rustix::fs::{self, Access, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// What a name on the command line stands for.
#[derive(Debug)]
pub enum Target {
    /// `-` or `/dev/stdout`.
    Stdout,
    /// `/dev/stderr`.
    Stderr,
    /// A regular file, or none yet.
    File(Place),
}

/// A name in a folder that is held open, so that what is made there cannot end up elsewhere.
#[derive(Debug)]
pub struct Place {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
    /// The regular file that has this name.
    pub(super) found: Option<Found>,
    /// The folders that were made on the way.
    pub(super) made: Made,
}

/// What a new file takes over from the one it replaces.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

/// Folders that were made, outermost first; dropped, those that stayed empty are taken back.
#[derive(Default, Debug)]
pub struct Made(pub(super) Vec<(OwnedFd, OsString)>);

/// Whether folders that are not there are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parents {
    /// They are.
    Make,
    /// They are not; where they would be is looked at.
    Look,
}

/// Whether a name stands for a standard stream.
pub fn is_stream(path: &Path) -> bool {
    is_stdout(path) || path.as_os_str() == "/dev/stderr"
}

/// Whether a name stands for standard output.
pub fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-" || path.as_os_str() == "/dev/stdout"
}

/// Where a name leads, also if nothing has the name yet; `None` if its folder is not there.
pub fn place_of(path: &Path) -> Option<PathBuf> {
    let folder = || match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.canonicalize().ok(),
        _ => Path::new(".").canonicalize().ok(),
    };
    path.canonicalize().ok().or_else(|| Some(folder()?.join(path.file_name()?)))
}

impl Target {
    /// Finds what a name stands for, and refuses what is no regular file or was chosen by somebody else.
    pub fn find(path: &Path, parents: Parents) -> Result<Self, Problem> {
        if is_stdout(path) {
            return Ok(Self::Stdout);
        }
        if is_stream(path) {
            return Ok(Self::Stderr);
        }
        Place::find(path, parents).map(Self::File)
    }
}

impl Place {
    /// Looks each name up in the folder before it, held open, from the working folder or `/` on.
    fn find(path: &Path, parents: Parents) -> Result<Self, Problem> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() || bytes.ends_with(b"/") {
            return Err(refused(path, "is not the name of a file"));
        }
        let failed = |error: Errno| failed(path, error);
        let mut walk =
            Walk { folder: open(CWD, ".").map_err(failed)?, rest: components(path), links: 0, made: Made::default() };
        while let Some(name) = walk.rest.pop_front() {
            if name == "/" || name == ".." {
                walk.folder = open(walk.folder.as_fd(), &name).map_err(failed)?;
                continue;
            }
            let found = match fs::statat(&walk.folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(Errno::NOENT) if walk.rest.is_empty() => return walk.place(path, name, None),
                Err(Errno::NOENT) if parents == Parents::Make => {
                    walk.make(&name).map_err(failed)?;
                    continue;
                }
                // The folders that are not there yet would be made in this one.
                Err(Errno::NOENT) => return walk.place(path, name, None),
                Err(error) => return Err(failed(error)),
            };
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Symlink => walk.follow(path, &name, &found)?,
                FileType::Directory if walk.rest.is_empty() => return Err(refused(path, "is a folder")),
                FileType::Directory => walk.folder = open(walk.folder.as_fd(), &name).map_err(failed)?,
                FileType::RegularFile if walk.rest.is_empty() => return walk.place(path, name, Some(found)),
                kind => return Err(refused(path, of_kind(kind))),
            }
        }
        Err(refused(path, "is a folder"))
    }
}

/// On the way to a file.
struct Walk {
    folder: OwnedFd,
    rest: VecDeque<OsString>,
    links: u32,
    made: Made,
}

impl Walk {
    /// Makes a folder, or takes one that somebody made meanwhile, and goes into it.
    fn make(&mut self, name: &OsStr) -> Result<(), Errno> {
        let made = match fs::mkdirat(&self.folder, name, Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) => false,
            made => made.map(|()| true)?,
        };
        let inner = open(self.folder.as_fd(), name)?;
        let folder = std::mem::replace(&mut self.folder, inner);
        if made {
            self.made.0.push((folder, name.to_owned()));
        }
        Ok(())
    }

    /// Goes where a link points, if nobody but the running user and root can have made or can change it.
    fn follow(&mut self, path: &Path, name: &OsStr, link: &Stat) -> Result<(), Problem> {
        let folder = fs::fstat(&self.folder).map_err(|error| failed(path, error))?;
        let target = fs::readlinkat(&self.folder, name, Vec::new()).map_err(|error| failed(path, error))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if !is_ours(link) || !is_ours(&folder) || folder.st_mode & WRITABLE_BY_OTHERS != 0 {
            let message = format!(
                "`{}` is not written: `{}` is a symbolic link that others could have placed",
                path.display(),
                Path::new(name).display()
            );
            return Err(Problem::failure(message)
                .coded(Code::OutputRefused)
                .help(format!("if it is meant, name what it points to, `{}`", target.display())));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(refused(path, "leads through too many symbolic links"));
        }
        for part in components(&target).into_iter().rev() {
            self.rest.push_front(part);
        }
        Ok(())
    }

    /// The end of the way, if something can be written there.
    fn place(self, path: &Path, name: OsString, found: Option<Stat>) -> Result<Place, Problem> {
        let folder = fs::fstat(&self.folder).map_err(|error| failed(path, error))?;
        if found.as_ref().is_some_and(|found| folder.st_mode & WRITABLE_BY_ALL != 0 && !is_ours(found)) {
            return Err(refused(path, "belongs to another user, in a folder where everybody can write"));
        }
        let found = found.map(|found| Found { uid: found.st_uid, gid: found.st_gid, mode: found.st_mode & 0o7777 });
        let place = Place { folder: self.folder, name, found, made: self.made };
        let may = |name: &OsStr, access| fs::accessat(&place.folder, name, access, AtFlags::EACCESS);
        may(OsStr::new("."), Access::WRITE_OK | Access::EXEC_OK).map_err(|error| failed(path, error))?;
        if place.found.is_some() {
            may(&place.name, Access::WRITE_OK).map_err(|error| failed(path, error))?;
        }
        Ok(place)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        while let Some((folder, name)) = self.0.pop() {
            let _ = fs::unlinkat(&folder, &name, AtFlags::REMOVEDIR);
        }
    }
}

/// What the system refused.
pub(super) fn failed(path: &Path, error: impl Into<std::io::Error>) -> Problem {
    let error = error.into();
    let problem = Problem::failure(format!("`{}` cannot be written: {}", path.display(), cause(&error)));
    let problem = problem.coded(Code::OutputUnwritable);
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => problem.help("name a file in a folder where you may write"),
        std::io::ErrorKind::StorageFull => problem.help("make room, or name a file elsewhere"),
        _ => problem,
    }
}

fn refused(path: &Path, why: &str) -> Problem {
    Problem::failure(format!("`{}` is not written: it {why}", path.display()))
        .help("name a regular file, or `-` for standard output")
        .coded(Code::OutputRefused)
}

fn of_kind(kind: FileType) -> &'static str {
    match kind {
        FileType::BlockDevice | FileType::CharacterDevice => "is a device",
        FileType::Fifo => "is a FIFO",
        FileType::Socket => "is a socket",
        FileType::RegularFile => "is below something that is a file",
        _ => "is not a regular file",
    }
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

/// A folder, without following a link that took its place.
fn open(folder: impl std::os::fd::AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    fs::openat(folder, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn components(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter(|part| *part != Component::CurDir);
    named.map(|part| part.as_os_str().to_owned()).collect()
}

const WRITABLE_BY_OTHERS: u32 = 0o022;
const WRITABLE_BY_ALL: u32 = 0o002;
const MOST_LINKS: u32 = 40;
