//! Whether a command runs where a project is, and where one is if not.

use crate::files;
use crate::problem::Problem;
use std::path::{Path, PathBuf};

/// The one problem of a command that runs outside a project and names none of its parts; `None` if this is a project.
pub fn wrong_folder() -> Option<Problem> {
    let here = std::env::current_dir().ok()?;
    if PARTS.iter().any(|part| files::is_there(&here.join(part))) {
        return None;
    }
    let message =
        format!("`{}` is not a project: it has neither `policies` nor `entities` nor `cutter.toml`", here.display());
    let help = match above(&here).or_else(|| below(&here)) {
        Some(project) => {
            format!("run from `{}`, or name its parts with --policies, --entities and --config", project.display())
        }
        None => "run from the project's folder, or name its parts with --policies, --entities and --config".to_owned(),
    };
    Some(Problem::failure(message).help(help))
}

fn above(here: &Path) -> Option<PathBuf> {
    here.ancestors().skip(1).find(|folder| is_project(folder)).map(Path::to_path_buf)
}

/// The only project among the folders here; which of several is meant, nobody can say.
fn below(here: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(here).ok()?.take(MOST_LOOKED_AT);
    let mut folders = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| is_project(path));
    folders.next().filter(|_| folders.next().is_none())
}

fn is_project(folder: &Path) -> bool {
    folder.join("policies").is_dir() && (folder.join("cutter.toml").is_file() || folder.join("entities").is_dir())
}

const PARTS: [&str; 3] = ["policies", "entities", "cutter.toml"];
const MOST_LOOKED_AT: usize = 1_000;
