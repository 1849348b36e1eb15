//! Bundles of another git revision, through git's own executable; nothing in the working tree is touched.

use super::sorted::{Nested, Sorted, is_of_policies};
use crate::files::text;
use crate::policy::BundleSources;
use crate::problem::{Problem, Problems, Source};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A project as it was at a revision.
#[derive(Debug)]
pub struct Revision {
    /// The bundle, with the configuration that lay beside its folder.
    pub bundle: BundleSources,
    /// The invariants below the bundle's folder.
    pub invariants: Vec<Source>,
    /// The facts in the folder `entities` beside it.
    pub facts: Vec<Source>,
}

/// The project whose bundle is in `folder`, as it was at a revision.
pub fn read_revision(revision: &str, folder: &Path, nested: Nested) -> Result<Revision, Problems> {
    // A revision that begins with a hyphen would be an option.
    if revision.starts_with('-') {
        return Err(Problem::failure(format!("`{revision}` is no git revision")).into());
    }
    let mut problems = Problems::new();
    let files = listed(revision, folder, true)?;
    let top = listed(revision, folder, false)?.into_iter().next().unwrap_or_default();
    let mut sorted = Sorted::new(format!("{revision}:{}", folder.display()), nested);
    let mut invariants = Vec::new();
    for name in &files {
        let relative = Path::new(name).strip_prefix(&top).unwrap_or(Path::new(name)).to_path_buf();
        let shown = PathBuf::from(format!("{revision}:{name}"));
        if (nested == Nested::Read && !is_heeded(&relative)) || !sorted.is_listable(&relative, &shown, &mut problems) {
            continue;
        }
        let Some(bytes) = problems.absorb(shown_at(revision, name)) else { continue };
        if relative.starts_with("invariants") && relative.extension().is_some_and(|found| found == "cedar") {
            invariants.extend(problems.absorb(text(&shown, bytes.clone()).map_err(Problems::from)));
        }
        sorted.take(&relative, &shown, bytes, &mut problems);
    }
    let mut beside = |name: &str| -> Result<Vec<Source>, Problems> {
        let path = folder.parent().unwrap_or(Path::new("")).join(name);
        let mut sources = Vec::new();
        for name in listed(revision, &path, name == ENTITIES)? {
            if name.ends_with(".json") || name.ends_with(".toml") {
                let bytes = shown_at(revision, &name)?;
                sources.extend(
                    problems.absorb(text(Path::new(&format!("{revision}:{name}")), bytes).map_err(Problems::from)),
                );
            }
        }
        Ok(sources)
    };
    let config = beside("cutter.toml")?.into_iter().next();
    let facts = beside(ENTITIES)?;
    problems.or(Revision { bundle: sorted.into_sources(config), invariants, facts })
}

/// The names of the files below a folder, or of a path itself, from the top of the repository.
fn listed(revision: &str, path: &Path, is_folder: bool) -> Result<Vec<String>, Problems> {
    let path = path.display().to_string();
    let path = match is_folder {
        true => format!("{}/", path.trim_end_matches('/')),
        false => path.trim_end_matches('/').to_owned(),
    };
    let mut arguments = vec!["ls-tree", "-z", "--name-only", "--full-name"];
    if is_folder {
        arguments.push("-r");
    }
    arguments.extend([revision, "--", &path]);
    let listed = git(&arguments).map_err(|why| {
        Problem::failure(format!("`{revision}` is neither a folder nor a git revision: {why}"))
            .help("name two folders, or two revisions of this repository")
    })?;
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

fn shown_at(revision: &str, name: &str) -> Result<Vec<u8>, Problems> {
    let unreadable = |why| Problem::failure(format!("`{name}` at `{revision}` cannot be read: {why}"));
    Ok(git(&["show", &format!("{revision}:{name}")]).map_err(unreadable)?)
}

fn git(arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(output.stdout)
}

/// Whether the file and every folder that it lies in can be of a policy set.
fn is_heeded(relative: &Path) -> bool {
    let folders = relative.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    is_of_policies(relative, false) && folders.into_iter().all(|folder| is_of_policies(folder, true))
}

/// The folder of facts beside the bundle's.
const ENTITIES: &str = "entities";
