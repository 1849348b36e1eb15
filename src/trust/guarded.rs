//! Reading files that nobody but root can change, whoever is running.
//!
//! The rule is the same for every user: the file and each folder above it belong to root, and neither group nor others
//! may write there. Root itself may write anywhere; for root the rule keeps everybody else out.

use crate::files;
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Reads a text file, which messages call `what`, if nobody but root can change it.
pub fn read(path: &Path, what: &str) -> Result<Source, Problems> {
    check(path, what).coded(Code::TrustRootUnsafe)?;
    files::read(path)
}

/// Reads the bytes of a file, which messages call `what`, if nobody but root can change it.
pub fn read_bytes(path: &Path, what: &str) -> Result<Vec<u8>, Problems> {
    check(path, what).coded(Code::TrustRootUnsafe)?;
    Ok(files::read_bytes(path)?)
}

/// Whether nobody but root can change a file, or any folder above it.
///
/// INVARIANT: from `/` on, each name is looked up in a folder where only root can change what it names; so what is
/// opened afterwards is what was looked at.
pub fn check(path: &Path, what: &str) -> Result<(), Problems> {
    let unreadable = |path: &Path, error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::untrusted(format!("{what} `{}` does not exist", path.display())),
        _ => Problem::untrusted(format!("{what} cannot be reached: `{}`: {}", path.display(), files::cause(error))),
    };
    let whole = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    if whole.components().any(|part| part == Component::ParentDir) {
        let message = format!("{what} `{}` is named through `..`", path.display());
        return Err(Problem::untrusted(message).help("name it by its full path").into());
    }
    let mut problems = Problems::new();
    let mut prefixes: Vec<&Path> = whole.ancestors().collect();
    prefixes.reverse();
    for prefix in prefixes {
        match fs::symlink_metadata(prefix) {
            Ok(metadata) => faults(prefix, prefix == whole, &metadata)
                .into_iter()
                .for_each(|(fault, help)| problems.push(distrusted(what, &whole, &fault, help))),
            Err(error) => {
                let help = "make one as `docs/trust.md` says, or name another with `--trust`";
                problems.push(unreadable(&whole, &error).help(help));
                break;
            }
        }
    }
    problems.or(())
}

fn distrusted(what: &str, path: &Path, fault: &str, help: String) -> Problem {
    Problem::untrusted(format!("{what} `{}` is not safe: {fault}", path.display())).help(help)
}

/// What is wrong with one part of the path, each with what to do.
fn faults(path: &Path, is_last: bool, metadata: &Metadata) -> Vec<(String, String)> {
    let name = path.display();
    if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap_or_else(|_| PathBuf::from("?"));
        let fault = format!("`{name}` is a symbolic link");
        return vec![(fault, format!("name what it points to, `{}`", target.display()))];
    }
    let mut faults = Vec::new();
    if is_last && !metadata.is_file() {
        faults.push((format!("`{name}` is not a regular file"), "name a file".to_owned()));
    }
    if metadata.uid() != ROOT {
        let fault = format!("`{name}` belongs to user {}, who can change it", metadata.uid());
        faults.push((fault, format!("let root own it: `chown root:root {name}`")));
    }
    // The group's bits also are the upper bound of what an access control list grants to anybody.
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        let fault = format!("others than root may write to `{name}` (mode {:04o})", metadata.mode() & 0o7777);
        // A folder that everybody shares has to stay one.
        let help = match metadata.mode() & STICKY != 0 {
            true => "choose another folder".to_owned(),
            false => format!("take that away with `chmod go-w {name}`, or choose another folder"),
        };
        faults.push((fault, help));
    }
    faults
}

const ROOT: u32 = 0;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
