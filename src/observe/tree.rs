//! Trees of files: a manifest of digests, the marks that every write leaves, and the head and status of git.

use super::git::WorkTree;
use super::path::{Marked, UNMARKED, Way, mark};
use crate::digest::Digest;
use crate::evidence::{Observation, ObservationKind};
use crate::settings::evidence::TreeSettings;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{self, Path, PathBuf};

/// Observes one tree; nothing in it is followed out of it, and nothing is written.
pub fn observe(name: &str, settings: &TreeSettings) -> Observation {
    let mut observation = Observation::new(ObservationKind::Tree, name);
    let way = path::absolute(&settings.path).and_then(|path| Way::follow(&path));
    observation.value("exists", way.is_ok().to_string());
    let way = match way {
        Ok(way) => way,
        Err(error) => {
            let is_absent = error.kind() == io::ErrorKind::NotFound;
            let why = if is_absent {
                "it does not exist".to_owned()
            } else {
                format!("it cannot be reached: {}", error.kind())
            };
            observation.unknown("manifest", why);
            return observation;
        }
    };
    way.note(&settings.path, &mut observation);
    match walk(&way.end, &settings.ignore) {
        Ok(found) => {
            observation.value("value", format!("{} files, {} bytes", found.files, found.bytes));
            observation.value("manifest", listing(&found.manifest).to_string());
            // By name, so that a change can be declared by name; of a large tree the manifest has to do.
            let named = found.entries.iter().filter(|_| found.entries.len() <= MOST_ENTRIES);
            named.for_each(|(name, entry)| observation.value(format!("entry {name}"), entry.clone()));
            observation.trace("marks", listing(&found.marks).to_string());
            if let Some(name) = found.unmarked {
                observation.unknown("marks", format!("{name}: {UNMARKED}"));
            }
        }
        Err((path, error)) => {
            observation.unknown("manifest", format!("`{}` cannot be read: {}", path.display(), error.kind()));
        }
    }
    if settings.git {
        let tree = WorkTree::look(&way.end);
        let changes = |text: String| match text.lines().count() {
            0 => "clean".to_owned(),
            lines => format!("{lines} changes, sha256 {}", Digest::of(text.as_bytes())),
        };
        for (value, answer) in [("git head", tree.head), ("git status", tree.status.map(changes))] {
            match answer {
                Some(answer) => observation.value(value, answer),
                None => observation.unknown(value, "git did not answer"),
            }
        }
    }
    observation
}

/// What a tree holds.
#[derive(Default, Debug)]
pub struct Found {
    files: u64,
    bytes: u64,
    manifest: Vec<(String, Digest)>,
    marks: Vec<(String, Digest)>,
    /// The first file to which a write may leave no mark.
    unmarked: Option<String>,
    /// Everything but the folder itself, by its name.
    entries: Vec<(String, String)>,
}

/// The most files and folders that are named one by one.
const MOST_ENTRIES: usize = 256;

/// A tree of more is not read: whoever may write in it could otherwise hold its observer up for as long as they like.
const MOST_BYTES: u64 = 16 * 1024 * 1024 * 1024;
const MOST_FILES: usize = 1_000_000;

/// Every file, folder and link below a folder, or the one that could not be read.
fn walk(root: &Path, ignore: &BTreeSet<String>) -> Result<Found, (PathBuf, io::Error)> {
    let mut found = Found::default();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        let failed = |error| (path.clone(), error);
        let metadata = fs::symlink_metadata(&path).map_err(failed)?;
        // A newline in a name would forge a line of the listing.
        let name = format!("{:?}", path.strip_prefix(root).unwrap_or(&path));
        let mode = metadata.mode();
        let (mut entry, shown) = (None, name.trim_matches('"').to_owned());
        let content = if metadata.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if !entry.file_name().to_str().is_some_and(|name| ignore.contains(name)) {
                    left.push(entry.path());
                }
                if found.manifest.len() + left.len() >= MOST_FILES {
                    return Err(failed(io::ErrorKind::FileTooLarge.into()));
                }
            }
            Digest::of(format!("folder {mode:o}").as_bytes())
        } else if metadata.is_file() {
            found.files += 1;
            found.bytes += metadata.len();
            let file = Marked::open(&path).map_err(failed)?;
            found.marks.push((name.clone(), Digest::of(file.mark.as_bytes())));
            if file.is_unmarked {
                found.unmarked.get_or_insert_with(|| shown.clone());
            }
            let sha256 = file.digest(MOST_BYTES.saturating_sub(found.bytes - metadata.len())).map_err(failed)?;
            entry = Some(format!("sha256 {sha256}, {} bytes, mode {mode:o}", metadata.len()));
            Digest::of(format!("file {mode:o} {sha256}").as_bytes())
        } else if metadata.is_symlink() {
            Digest::of(format!("link {:?}", fs::read_link(&path).map_err(failed)?).as_bytes())
        } else {
            Digest::of(format!("other {mode:o} {}", metadata.rdev()).as_bytes())
        };
        if path != root {
            found.entries.push((shown, entry.unwrap_or_else(|| format!("no file, {content}"))));
        }
        if !metadata.is_file() {
            found.marks.push((name.clone(), Digest::of(mark(&metadata).as_bytes())));
        }
        found.manifest.push((name, content));
    }
    Ok(found)
}

fn listing(entries: &[(String, Digest)]) -> Digest {
    Digest::of_listing(entries.iter().map(|(name, digest)| (name.as_str(), *digest)))
}
