//! Paths: what one leads to, what every write leaves on the way and at its end, and whether the file system shows it.

use crate::digest::Digest;
use crate::evidence::{IN, Observation, WAY};
use crate::files;
use crate::problem::{Problem, Source};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// What a path leads to, and how.
#[derive(Debug)]
pub struct Way {
    /// Where it ends, without any link.
    pub end: PathBuf,
    /// The marks of the folders and links on the way in whose place others than root could have put another.
    pub marks: BTreeMap<PathBuf, String>,
}

impl Way {
    /// Follows an absolute path to its end, which must be there.
    pub fn follow(path: &Path) -> io::Result<Self> {
        let mut left: Vec<OsString> = steps(path);
        let (mut at, mut marks, mut links) = (PathBuf::from("/"), BTreeMap::new(), 0);
        while let Some(step) = left.pop() {
            if step == ".." {
                at.pop();
                continue;
            }
            let (folder, next) = (fs::metadata(&at)?, at.join(step));
            let metadata = fs::symlink_metadata(&next)?;
            let is_exposed = is_exposed(&folder) && !(is_sticky_of_root(&folder) && metadata.uid() == 0);
            if metadata.is_symlink() {
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::other("it has too many links"));
                }
                if is_exposed {
                    marks.insert(next.clone(), mark(&metadata));
                }
                let target = fs::read_link(&next)?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                left.extend(steps(&target));
                continue;
            }
            // The end has marks of its own.
            if is_exposed && !left.is_empty() {
                // To exchange a folder moves its times and those of the folder it lies in; to write in it moves only the first.
                marks.insert(next.clone(), format!("{}{IN}{}", mark(&metadata), mark(&folder)));
            }
            at = next;
        }
        Ok(Self { end: at, marks })
    }

    /// Writes down where a path ends if that is elsewhere, and the marks of what leads there.
    pub fn note(&self, path: &Path, observation: &mut Observation) {
        if self.end != path {
            observation.value(format!("{} leads to", path.display()), self.end.display().to_string());
        }
        for (step, mark) in &self.marks {
            observation.trace(format!("{WAY}{}", step.display()), mark.clone());
        }
    }
}

/// The steps of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut steps: Vec<OsString> = named.collect();
    steps.reverse();
    steps
}

/// Whether others than root may write it.
pub fn is_exposed(metadata: &Metadata) -> bool {
    metadata.uid() != 0 || metadata.mode() & 0o022 != 0
}

/// Whether it is a folder such as `/tmp`, in which each may exchange what is its own.
fn is_sticky_of_root(metadata: &Metadata) -> bool {
    metadata.uid() == 0 && metadata.mode() & 0o1000 != 0
}

/// What every write to a file moves, also one that was put back: its number and both of its times.
pub fn mark(metadata: &Metadata) -> String {
    format!(
        "{} {}.{:09} {}.{:09}",
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}

/// A file, opened so that every write from now on moves its times.
pub struct Marked {
    file: File,
    /// What its times and the like are before it is read.
    pub mark: String,
    /// Whether a write to it may leave no mark: others than root may write it, and its file system keeps no time of what is
    /// written through memory.
    pub is_unmarked: bool,
}

impl Marked {
    /// Opens it. What is written through mapped memory moves the times only with the first write after the last one has
    /// reached the disk; so that is waited for.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = files::open(path)?;
        match file.sync_data() {
            // What cannot be mapped, such as a file of `/proc`, cannot be waited for either.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => return Err(error),
            _ => {}
        }
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let system = i128::from(rustix::fs::fstatfs(&file)?.f_type);
        let is_unmarked = is_exposed(&metadata) && WITHOUT_TIMES.contains(&system);
        Ok(Self { file, mark: mark(&metadata), is_unmarked })
    }

    /// All that it holds, reported under this path.
    pub fn text(&mut self, path: &Path) -> Result<Source, Problem> {
        files::text(path, files::bounded(&mut self.file, path)?)
    }

    /// The digest of all that it holds, which may be no more than so many bytes: a file without blocks on disk can be of any length.
    pub fn digest(self, most: u64) -> io::Result<Digest> {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        if self.file.metadata()?.len() > most
            || io::copy(&mut self.file.take(most.saturating_add(1)), &mut hasher)? > most
        {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }
}

/// Why it is not known whether such a file was written and put back.
pub const UNMARKED: &str = "others than root may write it through memory, of which its file system keeps no time";

/// tmpfs, ramfs and hugetlbfs, by the numbers of `linux/magic.h`.
const WITHOUT_TIMES: [i128; 3] = [0x0102_1994, 0x8584_58f6, 0x9584_58f6];

/// As many as Linux follows.
const MOST_LINKS: usize = 40;
