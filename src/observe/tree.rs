//! Trees of files: a manifest of digests, the marks that every write leaves, and the head and status of git.

use crate::digest::Digest;
use crate::evidence::{Observation, ObservationKind};
use crate::settings::evidence::TreeSettings;
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Observes one tree; nothing in it is followed out of it, and nothing is written.
pub fn observe(name: &str, settings: &TreeSettings) -> Observation {
    let mut observation = Observation::new(ObservationKind::Tree, name);
    let is_there = fs::symlink_metadata(&settings.path);
    observation.value("exists", is_there.is_ok().to_string());
    if is_there.is_err() {
        observation.unknown("manifest", "it does not exist");
        return observation;
    }
    match walk(&settings.path, &settings.ignore) {
        Ok(found) => {
            observation.value("value", format!("{} files, {} bytes", found.files, found.bytes));
            observation.value("manifest", listing(&found.manifest).to_string());
            // By name, so that a change can be declared by name; of a large tree the manifest has to do.
            let named = found.entries.iter().filter(|_| found.entries.len() <= MOST_ENTRIES);
            named.for_each(|(name, entry)| observation.value(format!("entry {name}"), entry.clone()));
            observation.trace("marks", listing(&found.marks).to_string());
        }
        Err((path, error)) => {
            observation.unknown("manifest", format!("`{}` cannot be read: {}", path.display(), error.kind()));
        }
    }
    if settings.git {
        for (value, arguments) in [("git head", ["rev-parse", "HEAD"]), ("git status", ["status", "--porcelain"])] {
            match git(&settings.path, &arguments) {
                Some(text) if value == "git status" => {
                    let lines = text.lines().count();
                    observation.value(
                        value,
                        if lines == 0 {
                            "clean".to_owned()
                        } else {
                            format!("{lines} changes, sha256 {}", Digest::of(text.as_bytes()))
                        },
                    );
                }
                Some(text) => observation.value(value, text.trim()),
                None => observation.unknown(value, "git gives no answer here"),
            }
        }
    }
    observation
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

/// The digest of a file of any size.
pub fn digest(path: &Path) -> io::Result<Digest> {
    use sha2::Digest as _;
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut buffer) = (sha2::Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    let bytes: [u8; 32] = hasher.finalize().into();
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::parse(&text).ok_or_else(|| io::Error::other("no digest"))
}

/// What a tree holds.
#[derive(Default, Debug)]
pub struct Found {
    files: u64,
    bytes: u64,
    manifest: Vec<(String, Digest)>,
    marks: Vec<(String, Digest)>,
    /// Everything but the folder itself, by its name.
    entries: Vec<(String, String)>,
}

/// The most files and folders that are named one by one.
const MOST_ENTRIES: usize = 256;

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
            }
            Digest::of(format!("folder {mode:o}").as_bytes())
        } else if metadata.is_file() {
            found.files += 1;
            found.bytes += metadata.len();
            let sha256 = digest(&path).map_err(failed)?;
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
        found.manifest.push((name.clone(), content));
        found.marks.push((name, Digest::of(mark(&metadata).as_bytes())));
    }
    Ok(found)
}

fn listing(entries: &[(String, Digest)]) -> Digest {
    Digest::of_listing(entries.iter().map(|(name, digest)| (name.as_str(), *digest)))
}

/// What git prints; it is told not to refresh its index, which would be a write.
fn git(path: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(["--no-optional-locks", "-C"])
        .arg(path)
        .args(["-c", "core.fsmonitor=false"])
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env("GIT_CEILING_DIRECTORIES", path.parent().unwrap_or(path))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
