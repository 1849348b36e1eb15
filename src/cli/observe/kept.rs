//! What an observer keeps of a run: captures in their order, and a witness once the run is over.

use crate::files::{self, cause};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::observer::ObserverSettings;
use crate::text::is_file_name;
use crate::trust::RunningUser;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What there is of one run.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Captures, the first before the run began.
    pub captures: Vec<Taken>,
    /// The record of the witness, once it has ended.
    pub witness: Option<PathBuf>,
}

/// One capture.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Taken {
    /// Its place in the order.
    pub number: usize,
    /// The number of the last record that the ledger had of the run.
    pub records: u64,
    /// Its file.
    pub path: PathBuf,
}

impl Kept {
    /// What another user's observer keeps of a run, where only that user could have put it there; or what the run kept of itself.
    pub fn of_run(settings: &ObserverSettings, run: &str) -> Result<Self, Problems> {
        let folder = folder_of(settings, run)?;
        let kept = Self::look(&folder)?;
        if let Some((_, user)) = settings.other().filter(|_| !kept.captures.is_empty()) {
            let user = RunningUser::of_name(user).coded(Code::ObserverUntrusted)?;
            let files = kept.captures.iter().map(|taken| &taken.path).chain(&kept.witness);
            let all = [&settings.folder, &folder].into_iter().chain(files);
            all.into_iter().try_for_each(|path| check_owner(path, &user))?;
        }
        Ok(kept)
    }

    /// What lies in the folder of a run; without it there is nothing.
    pub fn look(folder: &Path) -> Result<Self, Problem> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                let message = format!("the folder `{}` cannot be read: {}", folder.display(), cause(&error));
                return Err(Problem::failure(message).coded(Code::FolderUnreadable));
            }
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let taken = |name: String| {
            let (number, records) = name.strip_suffix(".json")?.split_once('-')?;
            let path = folder.join(&name);
            Some(Taken { number: number.parse().ok()?, records: records.parse().ok()?, path })
        };
        let mut captures: Vec<Taken> = names.filter_map(taken).collect();
        captures.sort();
        let witness = Some(folder.join(WITNESS)).filter(|path| files::is_there(path));
        Ok(Self { captures, witness })
    }
}

/// The folder of a run.
pub fn folder_of(settings: &ObserverSettings, run: &str) -> Result<PathBuf, Problem> {
    Ok(settings.folder.join(folder_name(run)?))
}

/// The run's name, where it can be that of a folder.
pub fn folder_name(run: &str) -> Result<&str, Problem> {
    if run.len() > 128 || !is_file_name(run) {
        let message = format!("nothing can be kept of the run `{run}`: its name is not that of a folder");
        return Err(Problem::invalid(message).help("name it in letters, digits, `-`, `_` and `.`"));
    }
    Ok(run)
}

/// Only this user, or root, can change the file or folder.
pub fn check_owner(path: &Path, user: &RunningUser) -> Result<(), Problem> {
    let refused = |why: &str| {
        Problem::untrusted(format!("`{}` is not the observer's alone: {why}", path.display()))
            .help(format!("let `{}` own it, and nobody else write there", user.name()))
            .coded(Code::ObserverUntrusted)
    };
    let found = std::fs::symlink_metadata(path).map_err(|error| refused(&cause(&error)))?;
    if found.is_symlink() {
        return Err(refused("it is a symbolic link"));
    }
    if found.uid() != user.id() && found.uid() != 0 {
        return Err(refused(&format!("it belongs to user {}", found.uid())));
    }
    match found.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(refused(&format!("others may write to it (mode {:04o})", found.mode() & 0o7777))),
    }
}

/// The record of a witness that has ended.
pub const WITNESS: &str = "witness.ndjson";
