//! The file that an encrypted dump becomes: under a name that nobody looks for until it is whole, and never over another.

use super::pipe::Sink;
use crate::digest::Digest;
use crate::files::{self, cause};
use crate::problem::Problem;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What was encrypted so far; removed unless it is settled.
pub struct Artifact {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
    hasher: Sha256,
    size: u64,
}

impl Artifact {
    /// Begins one of this name in a folder.
    pub fn begin(folder: &Path, name: &str) -> Result<Self, Problem> {
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        let mut bytes = [0_u8; 8];
        getrandom::fill(&mut bytes).map_err(|_| Problem::failure("the system did not provide random numbers"))?;
        let unfinished = folder.join(format!(".{name}.{:016x}.unfinished", u64::from_ne_bytes(bytes)));
        let file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished);
        let file = file.map_err(|error| unwritable(&unfinished, &error))?;
        Ok(Self { file, unfinished, path: folder.join(name), hasher: Sha256::new(), size: 0 })
    }

    /// Digest and size of what was written.
    pub fn measured(&self) -> (Digest, u64) {
        (Digest::from_bytes(self.hasher.clone().finalize().into()), self.size)
    }

    /// The name that it gets.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name once it is on the disk, and writes its envelope beside it; neither lasts without the other.
    pub fn settle(self, envelope: &str) -> Result<(), Problem> {
        let failed = |error: &io::Error| unwritable(&self.path, error);
        self.file.sync_all().map_err(|error| failed(&error))?;
        renameat_with(CWD, &self.unfinished, CWD, &self.path, RenameFlags::NOREPLACE)
            .map_err(|error| failed(&error.into()))?;
        let beside = self.path.with_extension("envelope.json");
        let synced = self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all());
        let written = synced.map_err(|error| failed(&error)).and_then(|()| files::create(&beside, envelope.as_bytes()));
        if written.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        written
    }
}

impl Sink for Artifact {
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.file.write_all(bytes).map_err(|error| unwritable(&self.unfinished, &error).message)?;
        self.hasher.update(bytes);
        self.size += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(())
    }
}

impl Drop for Artifact {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.unfinished);
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Problem {
    Problem::failure(format!("no backup is made: `{}` cannot be written: {}", path.display(), cause(error)))
        .help("nothing of it lasts; make room, or correct `folder`")
}
