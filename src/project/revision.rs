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
        return Err(Problem::failure(format!("`{revision}` is not a git revision")).into());
    }
    let mut problems = Problems::new();
    let files = listed(revision, folder, true)?;
    let top = listed(revision, folder, false)?.into_iter().next().unwrap_or_default().name;
    let mut sorted = Sorted::new(format!("{revision}:{top}"), nested);
    let mut invariants = Vec::new();
    for Listed { name, is_file, .. } in &files {
        let relative = Path::new(name).strip_prefix(&top).unwrap_or(Path::new(name)).to_path_buf();
        let shown = PathBuf::from(format!("{revision}:{name}"));
        if (nested == Nested::Read && !is_heeded(&relative)) || !sorted.is_listable(&relative, &shown, &mut problems) {
            continue;
        }
        if !is_file {
            problems.push(link(&shown));
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
        // A link to a folder has nothing below it, whatever lies where it leads.
        let mut found = listed(revision, &path, false)?;
        if name == ENTITIES && found.iter().all(|itself| itself.is_folder) {
            found = listed(revision, &path, true)?;
        }
        for Listed { name, is_file, is_folder } in found {
            let shown = PathBuf::from(format!("{revision}:{name}"));
            if is_folder {
                problems.push(Problem::invalid(format!("`{}` is a folder, not a file", shown.display())));
            } else if !is_file {
                problems.push(link(&shown));
            } else if name.ends_with(".json") || name.ends_with(".toml") {
                let bytes = shown_at(revision, &name)?;
                sources.extend(problems.absorb(text(&shown, bytes).map_err(Problems::from)));
            }
        }
        Ok(sources)
    };
    let config = beside("cutter.toml")?.into_iter().next();
    let facts = beside(ENTITIES)?;
    problems.or(Revision { bundle: sorted.into_sources(config), invariants, facts })
}

/// One entry of a revision.
#[derive(Default)]
struct Listed {
    /// Its path from the top of the repository.
    name: String,
    is_file: bool,
    is_folder: bool,
}

/// What is neither a file nor a folder: git keeps of a link where it leads, and of another repository its revision.
fn link(shown: &Path) -> Problem {
    Problem::invalid(format!("`{}` is neither a file nor a folder", shown.display()))
        .help("replace the link by what it points to")
}

/// The files below a folder, or a path itself.
fn listed(revision: &str, path: &Path, is_folder: bool) -> Result<Vec<Listed>, Problems> {
    let path = path.display().to_string();
    let path = match is_folder {
        true => format!("{}/", path.trim_end_matches('/')),
        false => path.trim_end_matches('/').to_owned(),
    };
    let mut arguments = vec!["ls-tree", "-z", "--full-name"];
    if is_folder {
        arguments.push("-r");
    }
    arguments.extend([revision, "--", &path]);
    let listed = git(&arguments).map_err(|why| {
        Problem::failure(format!("`{revision}` is neither a folder nor a git revision: {why}"))
            .help("name two folders, or two revisions of this repository")
    })?;
    let entries = listed.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    // Mode, kind and digest, then a tab and the path.
    let entry = |text: &str| {
        let (kind, name) = text.split_once('\t')?;
        let (is_file, is_folder) = (kind.starts_with("100"), kind.starts_with("040"));
        Some(Listed { name: name.to_owned(), is_file, is_folder })
    };
    Ok(entries.filter_map(|text| entry(&text)).collect())
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
