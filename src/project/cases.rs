//! The cases of a policy set on disk: files of tables, and folders with a plan, entities and what is expected.

use crate::files::{Standing, below, is_there, read};
use crate::json;
use crate::problem::{Problem, Problems};
use crate::testing::{Case, is_json_case, read_folder, read_json, read_tables};
use std::path::Path;

/// Reads every case of a file or below a folder, in the order of the paths.
pub fn read_cases(path: &Path) -> Result<Vec<Case>, Problems> {
    let has = |file: &Path, wanted: &str| file.extension().is_some_and(|extension| extension == wanted);
    if !matches!(Standing::at(path), Standing::Folder | Standing::Absent) {
        return if has(path, "json") { of_json(path, true) } else { read_tables(&read(path)?) };
    }
    let mut problems = Problems::new();
    let mut cases = Vec::new();
    let files = below(path, &["json", "toml"])?;
    // What was found before is asked first.
    let (found, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.parent().is_some_and(|folder| folder.ends_with(FOUND)));
    for file in found.into_iter().chain(others) {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let beside = |name: &str| is_there(&file.with_file_name(name));
        if name == "expected.json" {
            cases.extend(problems.absorb(folder(file.parent().unwrap_or(path))));
        } else if has(&file, "toml") {
            cases.extend(problems.absorb(read(&file).and_then(|source| read_tables(&source))).into_iter().flatten());
        } else if has(&file, "json") && !beside("expected.json") {
            cases.extend(problems.absorb(of_json(&file, false)).into_iter().flatten());
        }
    }
    problems.or(cases)
}

/// The cases of a file of JSON; one that holds something else is only wrong where it was named.
fn of_json(path: &Path, named: bool) -> Result<Vec<Case>, Problems> {
    let source = read(path)?;
    if !named && !is_json_case(&json::to_serde(&json::parse(&source)?)) {
        return Ok(Vec::new());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    read_json(&source, &|name| {
        let (file, inside) = (folder.join(name), |path: &Path| path.canonicalize().ok());
        match (inside(&file), inside(folder)) {
            (Some(file), Some(folder)) if !file.starts_with(&folder) => {
                let message = format!("the entities `{name}` are outside the folder of the cases");
                Err(Problem::invalid(message).of(&source).into())
            }
            _ => read(&file),
        }
    })
}

fn folder(folder: &Path) -> Result<Case, Problems> {
    let plan = folder.join("plan.json");
    let plan = plan
        .to_str()
        .ok_or_else(|| Problem::invalid(format!("`{}` has a name that is not valid UTF-8", folder.display())))?;
    read_folder(plan, &read(&folder.join("entities.json"))?, &read(&folder.join("expected.json"))?)
}

/// The folder of what properties found.
pub const FOUND: &str = "found";
