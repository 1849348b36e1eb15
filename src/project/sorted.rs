//! The files of a bundle by what they are: schema, policies, people, keys, and what looks like one of them and would not be loaded.

use crate::digest::{Digest, Listing};
use crate::files::text;
use crate::policy::BundleSources;
use crate::problem::{Problem, Problems, Source};
use std::path::Path;
use std::process::{Command, Stdio};

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
            _ if of_invariants => {}
            ("cedar", true) => self.sources.policies.extend(read(problems)),
            ("cedarschema", true) => self.sources.schemas.extend(read(problems)),
            ("json", true) => self.sources.people.extend(read(problems)),
            ("", true) if shown == "allowed_signers" => self.sources.signers = read(problems),
            ("cedar" | "cedarschema", false) => problems.push(
                Problem::invalid(format!("`{}` would not be loaded", path.display()))
                    .help("policies lie directly in the bundle's folder; move it up, or into `invariants/` if it is a property"),
            ),
            _ if looks_like_policy(&shown) && !is_ignored(path) => problems.push(
                Problem::invalid(format!("`{}` looks like a policy and would not be loaded", path.display()))
                    .help("policies end in `.cedar`, schemas in `.cedarschema`; rename it, or move it out of the folder"),
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

/// Whether a name is a policy's but for its case or for something put behind it: `a.CEDAR`, `a.cedar.txt`, `a.disabled`.
fn looks_like_policy(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".disabled") || (name.contains(".cedar") && !name.ends_with(".json"))
}

/// Whether git is told to ignore the file; where there is no git, it is not.
fn is_ignored(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["check-ignore", "-q", "--"]).arg(name);
    git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().is_ok_and(|status| status.success())
}

/// Whether a folder of a policy set that was not written for cutter can hold policies, or a file be one.
pub(super) fn is_of_policies(path: &Path, is_folder: bool) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match is_folder {
        // What tools keep for themselves.
        true => !(name.starts_with('.') || matches!(name, "node_modules" | "target" | "vendor")),
        false => name.ends_with(".json") || looks_like_policy(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_policy_is_told_from_what_is_none() {
        for name in
            ["a.CEDAR", "a.Cedar", "a.cedar.txt", "a.cedar~", "a.cedarschema.bak", "sub/a.cedar.disabled", "a.disabled"]
        {
            assert!(looks_like_policy(name), "{name}");
        }
        for name in ["README.md", "people.json", "a.cedar.json", "cedar.md", "allowed_signers"] {
            assert!(!looks_like_policy(name), "{name}");
        }
    }
}
