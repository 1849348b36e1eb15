//! A project on disk, or at a git revision, read into what the other modules parse: bundle, facts and approvals.

#[cfg(feature = "prove")]
mod cases;
#[cfg(feature = "prove")]
mod ignored;
mod revision;
mod sorted;

/// Where nothing is reviewed, nothing that looks like a policy may lie beside those that are.
#[cfg(not(feature = "prove"))]
mod ignored {
    pub fn is_ignored(_: &std::path::Path) -> bool {
        false
    }
}

#[cfg(feature = "prove")]
pub use cases::{FOUND, read_cases};
pub use revision::read_revision;
pub use sorted::{Nested, passed_over};

use crate::approval::ApprovalFile;
use crate::digest::Digest;
use crate::facts::RawFacts;
use crate::files::{
    MOST_FILES, below, cause, is_signature_of, read, read_bytes, read_files, read_program, read_signatures, walk,
};
use crate::policy::BundleSources;
#[cfg(feature = "testing")]
use crate::policy::PolicyBundle;
use crate::problem::{Blame, Code, Coded as _, Problem, Problems, Source};
#[cfg(feature = "testing")]
use crate::testing::strategies::{Bundle, NotLoaded};
use crate::verification::StatementFile;
use sorted::{Sorted, is_called_as_file, is_of_policies};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads a policy bundle: one schema, the policies beside it, and the digest of everything below the folder.
///
/// `config` is `cutter.toml`, part of the digest where it exists. What lies in `invariants/` is never loaded. Every file
/// is read once, so that what is loaded is what the digest, and a signature, covers whoever writes meanwhile.
pub fn read_bundle(folder: &Path, config: Option<&Path>) -> Result<BundleSources, Problems> {
    let mut problems = Problems::new();
    let sources = read_bundle_as_far(folder, config, Nested::Refused, &mut problems);
    problems.or(sources)
}

/// The same as far as it can be read, for a review that says all that is wrong; that is added to `problems`.
pub fn read_bundle_as_far(
    folder: &Path,
    config: Option<&Path>,
    nested: Nested,
    problems: &mut Problems,
) -> BundleSources {
    let mut sorted = Sorted::new(folder.display().to_string(), nested);
    let is_wanted = |path: &Path, is_folder: bool| nested == Nested::Refused || is_of_policies(path, is_folder);
    let is_misnamed = |path: &Path| is_called_as_file(path) && (nested == Nested::Refused || is_empty(path));
    for path in walk(folder, &is_wanted, &is_misnamed, problems) {
        let relative = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
        if sorted.is_listable(&relative, &path, problems)
            && let Some(bytes) = problems.absorb(read_bytes(&path).map_err(Problems::from))
        {
            sorted.take(&relative, &path, bytes, problems);
        }
    }
    let config = config.and_then(|config| problems.absorb(read(config)));
    sorted.into_sources(config)
}

#[cfg(feature = "testing")]
impl Bundle {
    /// Reads a policy bundle for tests: the folder `policies`, as `cutter review` reads it without its configuration.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, NotLoaded> {
        let sources = read_bundle(folder.as_ref(), None).map_err(NotLoaded::from)?;
        Self::new(PolicyBundle::parse(&sources).map_err(NotLoaded::from)?)
    }
}

/// The folder of a bundle's invariants.
pub const INVARIANTS: &str = "invariants";

/// Reads the invariants of a bundle: every `*.cedar` file under its `invariants/`, for review and never for a decision.
pub fn read_invariants(folder: &Path) -> Result<Vec<Source>, Problems> {
    let (invariants, problems) = read_invariants_as_far(folder);
    problems.or(invariants)
}

/// The same as far as it can be read, and what cannot.
pub fn read_invariants_as_far(folder: &Path) -> (Vec<Source>, Problems) {
    read_files(&folder.join(INVARIANTS), "cedar")
}

/// Reads every `*.json` file of a folder as Cedar entities.
pub fn read_entities(folder: &Path) -> Result<RawFacts, Problems> {
    let name = folder.display().to_string();
    let mut problems = Problems::new();
    let (mut sources, mut names) = (Vec::new(), Vec::new());
    for path in below(folder, &["json"])? {
        if let Some(source) = problems.absorb(read(&path)) {
            let relative = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            names.push(format!("entities/{relative}"));
            sources.push(source);
        }
    }
    problems.or(RawFacts { sources, names, name })
}

/// Reads every `*.json` file of a folder as an approval, with the signatures beside it.
///
/// A document that cannot be read is a rejected approval, not a problem; so is one with an unreadable signature.
pub fn read_approvals(folder: &Path) -> Result<Vec<ApprovalFile>, Problems> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Problem::failure(format!("the folder `{}` cannot be read: {}", folder.display(), cause(&error)))
            .help("name the folder of approvals with --approvals")
            .coded(Code::FolderUnreadable)
    })?;
    let mut names: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    names.sort();
    if names.len() > MOST_FILES {
        return Err(Problem::invalid(format!("`{}` has more than {MOST_FILES} files", folder.display()))
            .coded(Code::FileTooLarge)
            .into());
    }
    let text = |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let documents = names.iter().filter(|path| text(path).ends_with(".json"));
    let read_one = |document: &PathBuf| {
        let name = text(document);
        let mut unreadable = None;
        let source = read(document).unwrap_or_else(|problems| {
            unreadable = problems.iter().next().map(|problem| problem.message.clone());
            Source::new(document.display().to_string(), "")
        });
        let mut signatures = Vec::new();
        // Names that begin with the document's stand together, as they are sorted.
        let first = names.partition_point(|path| file_name(path) < name.as_bytes());
        let beside = names.iter().skip(first).take_while(|path| file_name(path).starts_with(name.as_bytes()));
        for path in beside.filter(|path| is_signature_of(&name, &text(path))) {
            match read_bytes(path) {
                Ok(bytes) => signatures.push((text(path), bytes)),
                Err(problem) => unreadable = Some(problem.message),
            }
        }
        ApprovalFile { source, signatures, unreadable }
    };
    Ok(documents.map(read_one).collect())
}

/// The digest of the program of this path; `None` where there is none that could run.
pub fn program(path: &str) -> Option<Digest> {
    let path = Path::new(path);
    let is_itself = path.is_absolute() && path.canonicalize().is_ok_and(|found| found == path);
    is_itself.then(|| read_program(path).ok()).flatten().map(|bytes| Digest::of(&bytes))
}

/// Reads a statement or an envelope, with the signatures beside it.
pub fn read_statement(path: &Path) -> Result<StatementFile, Problems> {
    let source = read(path).map_err(|problems| match problems.fault() {
        // What cannot even be read as text is no statement that anybody signed.
        Blame::Invalid => problems.into_untrusted(),
        _ => problems,
    })?;
    Ok(StatementFile { source, signatures: read_signatures(path)? })
}

/// Whether nothing is in a folder.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn file_name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}
