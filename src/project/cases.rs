//! The cases of a policy set on disk: files of tables, and folders with a plan, entities and what is expected.

use crate::files::{below, read};
use crate::problem::{Problem, Problems};
use crate::testing::{Case, read_folder, read_tables};
use std::path::Path;

/// Reads every case of a file or below a folder, in the order of the paths.
pub fn read_cases(path: &Path) -> Result<Vec<Case>, Problems> {
    if path.is_file() {
        return read_tables(&read(path)?);
    }
    let mut problems = Problems::new();
    let mut cases = Vec::new();
    for file in below(path)? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "expected.json" {
            cases.extend(problems.absorb(folder(file.parent().unwrap_or(path))));
        } else if file.extension().is_some_and(|extension| extension == "toml") {
            cases.extend(problems.absorb(read(&file).and_then(|source| read_tables(&source))).into_iter().flatten());
        }
    }
    problems.or(cases)
}

fn folder(folder: &Path) -> Result<Case, Problems> {
    let plan = folder.join("plan.json");
    let plan =
        plan.to_str().ok_or_else(|| Problem::invalid(format!("`{}` has a name that is no UTF-8", folder.display())))?;
    read_folder(plan, &read(&folder.join("entities.json"))?, &read(&folder.join("expected.json"))?)
}
