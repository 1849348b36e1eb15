//! What stands at a path. An input that may be left out is left out only where nothing at all stands there: a link to nowhere, or what
//! may not be looked at, is read, and then said to be unreadable.

use super::read;
use crate::problem::{Problems, Source};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// What stands at a path; links are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing.
    Absent,
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A FIFO, a socket or a device.
    Other,
    /// A link, there or on the way there, to what is not there.
    Astray,
    /// What cannot be looked at: a folder on the way is closed or is none, or links lead back to themselves.
    Hidden,
}

impl Standing {
    /// What stands at this path.
    pub fn at(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => Self::File,
            Ok(found) if found.is_dir() => Self::Folder,
            Ok(_) => Self::Other,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let is_there = |path: &&Path| path.symlink_metadata().is_ok();
                // The last on the way that is there at all: a folder, or a link that leads nowhere.
                match path.ancestors().find(is_there).is_some_and(|last| fs::metadata(last).is_err()) {
                    true => Self::Astray,
                    false => Self::Absent,
                }
            }
            Err(_) => Self::Hidden,
        }
    }
}

/// Whether anything stands at a path, whatever it is.
pub fn is_there(path: &Path) -> bool {
    Standing::at(path) != Standing::Absent
}

/// Reads a text file that may be left out.
pub fn read_optional(path: &Path) -> Result<Option<Source>, Problems> {
    if is_there(path) { read(path).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_to_nowhere_is_there_wherever_it_stands_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("file"), "").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        for (link, to) in [
            ("astray", "nope"),
            ("loop", "loop"),
            ("to-file", "file"),
            ("to-folder", "folder"),
            ("to-astray", "astray"),
        ] {
            symlink(at(to), at(link)).unwrap();
        }
        for (name, standing) in [
            ("nothing", Standing::Absent),
            ("nothing/at/all", Standing::Absent),
            ("folder/nothing", Standing::Absent),
            ("to-folder/nothing", Standing::Absent),
            ("file", Standing::File),
            ("to-file", Standing::File),
            ("to-folder", Standing::Folder),
            ("pipe", Standing::Other),
            ("astray", Standing::Astray),
            ("to-astray", Standing::Astray),
            ("astray/deep/file", Standing::Astray),
            ("loop", Standing::Hidden),
            ("file/below", Standing::Hidden),
        ] {
            assert_eq!(Standing::at(&at(name)), standing, "{name}");
        }
    }
}
