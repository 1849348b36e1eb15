//! What a child of ours gets of its own: an empty folder, and no descriptor that somebody left open.

use crate::files::cause;
use crate::problem::Problem;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A folder that only this user can look into; it is removed with all that is in it.
pub struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Makes one, with an empty `home` in it.
    pub fn make() -> Result<Self, Problem> {
        let failed = |error: std::io::Error| {
            Problem::failure(format!("no private folder can be made in `{PLACE}`: {}", cause(&error)))
        };
        loop {
            let mut bytes = [0_u8; 8];
            getrandom::fill(&mut bytes).map_err(|_| Problem::failure("the system did not provide random numbers"))?;
            let path = Path::new(PLACE).join(format!("cutter-{:016x}", u64::from_ne_bytes(bytes)));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let folder = Self(path);
                    DirBuilder::new().mode(0o700).create(folder.0.join("home")).map_err(failed)?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Closes to children every descriptor but the three standard ones, whoever left it open.
pub fn close_to_children() {
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
}

const PLACE: &str = "/tmp";
