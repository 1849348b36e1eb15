//! Bundles of another git revision, through git's own executable; nothing in the working tree is touched.

use crate::digest::{Digest, Listing};
use crate::policy::BundleSources;
use crate::problem::{Problem, Problems, Source};
use std::path::Path;
use std::process::{Command, Stdio};

/// The bundle in `folder` as it was at a revision, and its invariants.
pub fn read_bundle_at(revision: &str, folder: &Path) -> Result<BundleSources, Problems> {
    let path = folder.display().to_string();
    // A revision that begins with a hyphen would be an option.
    if revision.starts_with('-') {
        return Err(Problem::failure(format!("`{revision}` is no git revision")).into());
    }
    let listed =
        git(&["ls-tree", "--name-only", "--full-name", revision, "--", &format!("{}/", path.trim_end_matches('/'))])
            .map_err(|why| {
                Problem::failure(format!("`{revision}` is neither a folder nor a git revision: {why}"))
                    .help("name two folders, or two revisions of this repository")
            })?;
    let (mut schemas, mut policies) = (Vec::new(), Vec::new());
    for name in listed.lines() {
        let of = |extension: &str| name.rsplit_once('.').is_some_and(|(_, end)| end == extension);
        if !of("cedar") && !of("cedarschema") {
            continue;
        }
        let text = git(&["show", &format!("{revision}:{name}")])
            .map_err(|why| Problem::failure(format!("`{name}` at `{revision}` cannot be read: {why}")))?;
        let source = Source::new(format!("{revision}:{name}"), text);
        if of("cedar") { policies.push(source) } else { schemas.push(source) }
    }
    let listing = schemas.iter().chain(&policies).map(|source| (source.name(), Digest::of(source.text().as_bytes())));
    let listing = Listing::new(listing);
    Ok(BundleSources {
        schemas,
        policies,
        people: Vec::new(),
        signers: None,
        config: None,
        listing,
        name: format!("{revision}:{path}"),
    })
}

fn git(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    String::from_utf8(output.stdout).map_err(|_| "it is not UTF-8".to_owned())
}
