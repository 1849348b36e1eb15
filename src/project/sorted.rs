//! The files of a bundle by what they are: schema, policies, people, keys, and what looks like one of them and would not be loaded.

use super::ignored::is_ignored;
use crate::digest::{Digest, Listing};
use crate::files::{text, walk};
use crate::policy::{self, BundleSources};
use crate::problem::{Problem, Problems, Source};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// What policies in folders of the bundle's folder are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nested {
    /// Policies that would not be loaded: an error.
    Refused,
    /// Policies like all others, as Cedar's own tools take them.
    Read,
}

/// The files so far.
pub(super) struct Sorted {
    sources: BundleSources,
    entries: Vec<(String, Digest)>,
    nested: Nested,
}

impl Sorted {
    pub(super) fn new(name: String, nested: Nested) -> Self {
        let listing = Listing::new([]);
        let (schemas, policies, people) = (Vec::new(), Vec::new(), Vec::new());
        let sources = BundleSources { schemas, policies, people, signers: None, config: None, listing, name };
        Self { sources, entries: Vec::new(), nested }
    }

    /// Refuses a name that a listing cannot hold.
    pub(super) fn is_listable(&self, relative: &Path, path: &Path, problems: &mut Problems) -> bool {
        let shown = relative.display().to_string();
        if !shown.contains(|letter: char| letter == '\\' || letter.is_control()) && relative.to_str().is_some() {
            return true;
        }
        problems.push(
            Problem::invalid(format!("`{}` has a name that cannot be listed", path.display())).help("rename the file"),
        );
        false
    }

    /// Puts a file where it belongs; `path` is what messages call it.
    pub(super) fn take(&mut self, relative: &Path, path: &Path, bytes: Vec<u8>, problems: &mut Problems) {
        let shown = relative.display().to_string();
        self.entries.push((format!("policies/{shown}"), Digest::of(&bytes)));
        let extension = relative.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let top = relative.components().count() == 1 || self.nested == Nested::Read;
        let of_invariants = relative.starts_with("invariants");
        let read = |problems: &mut Problems| problems.absorb(text(path, bytes).map_err(Problems::from));
        match (extension, top) {
            ("cedar", _) if of_invariants && self.nested == Nested::Refused => {}
            ("cedar", true) => {
                let is_policy = |source: &Source| !(of_invariants && policy::is_property(source));
                self.sources.policies.extend(read(problems).filter(is_policy));
            }
            ("cedarschema", true) => self.sources.schemas.extend(read(problems)),
            ("json", true) => self.sources.people.extend(read(problems)),
            ("", true) if shown == SIGNERS => self.sources.signers = read(problems),
            ("cedar" | "cedarschema", false) => problems.push(
                Problem::invalid(format!("`{}` would not be loaded", path.display()))
                    .help("policies must be directly in the bundle's folder; move it up, or into `invariants/` if it is a property"),
            ),
            ("json", false) if read(problems).is_some_and(|source| policy::is_of_bundle(&source)) => problems.push(
                Problem::invalid(format!("`{}` would not be loaded", path.display()))
                    .help("people, like policies, must be directly in the bundle's folder; move it up"),
            ),
            _ if looks_like_policy(&shown) && !is_ignored(path) => problems.push(
                Problem::invalid(format!("`{}` looks like a policy and would not be loaded", path.display()))
                    .help("policies end in `.cedar`, schemas in `.cedarschema`, people in `.json`; rename it, or move it out of the folder"),
            ),
            _ => {}
        }
    }

    /// The sources with the listing of all of them.
    pub(super) fn into_sources(mut self, config: Option<Source>) -> BundleSources {
        if let Some(config) = &config {
            self.entries.push(("cutter.toml".to_owned(), Digest::of(config.text().as_bytes())));
        }
        self.sources.listing = Listing::new(self.entries.iter().map(|(name, digest)| (name.as_str(), *digest)));
        BundleSources { config, ..self.sources }
    }
}

/// Whether a name is a policy's but for its case or for something put behind it: `a.CEDAR`, `a.cedar.txt`, `a.disabled`, `a.JSON`.
fn looks_like_policy(name: &str) -> bool {
    let lower = name.to_lowercase();
    match lower.ends_with(".json") {
        true => !name.ends_with(".json"),
        false => lower.ends_with(".disabled") || lower.contains(".cedar"),
    }
}

/// Whether a folder of a bundle is called as only its files are.
pub(super) fn is_called_as_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    matches!(extension, "cedar" | "cedarschema" | "json") || path.file_name().is_some_and(|name| name == SIGNERS)
}

/// Whether a folder of a policy set that was not written for cutter can hold policies, or a file be one.
pub(super) fn is_of_policies(path: &Path, is_folder: bool) -> bool {
    // What is no UTF-8 in a name is no part of an ending.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match is_folder {
        // What tools keep for themselves.
        true => !(name.starts_with('.') || matches!(&*name, "node_modules" | "target" | "vendor")),
        false => name.ends_with(".json") || looks_like_policy(&name),
    }
}

/// The folders, and links to folders, below one that is read as any policies, which hold policies and are not looked into; what git
/// ignores is meant to be left out.
pub fn passed_over(folder: &Path) -> Vec<PathBuf> {
    let found = RefCell::new(Vec::new());
    let is_entered = |path: &Path, is_folder: bool| {
        let is_entered = is_folder && is_of_policies(path, true);
        if !is_entered && path.is_dir() {
            found.borrow_mut().push(path.to_path_buf());
        }
        is_entered
    };
    walk(folder, &is_entered, &|_| false, &mut Problems::new());
    let mut found = found.into_inner();
    found.retain(|path| !path.ends_with(".git") && holds_policies(path) && !is_ignored(path));
    found.sort();
    found
}

/// Whether anything in a folder is called as policies are, or cannot be looked at.
fn holds_policies(folder: &Path) -> bool {
    let mut problems = Problems::new();
    let is_wanted = |path: &Path, is_folder: bool| {
        is_folder || looks_like_policy(&path.file_name().unwrap_or_default().to_string_lossy())
    };
    !walk(folder, &is_wanted, &|_| false, &mut problems).is_empty() || !problems.is_empty()
}

/// The file of those who may sign approvals.
const SIGNERS: &str = "allowed_signers";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_policy_is_told_from_what_is_none() {
        for name in [
            "a.CEDAR",
            "a.Cedar",
            "a.cedar.txt",
            "a.cedar~",
            "a.cedarschema.bak",
            "sub/a.cedar.disabled",
            "a.disabled",
            "a.JSON",
        ] {
            assert!(looks_like_policy(name), "{name}");
        }
        for name in ["README.md", "people.json", "a.cedar.json", "cedar.md", "allowed_signers"] {
            assert!(!looks_like_policy(name), "{name}");
        }
    }
}
