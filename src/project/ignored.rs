//! What git is told to ignore, by the `.gitignore` files alone: git itself would run what the repository that it looks at configures.

use crate::files;
use ignore::Match;
use ignore::gitignore::GitignoreBuilder;
use std::path::Path;

/// Whether a `.gitignore` between this path and the top of its work tree ignores it (gitignore(5)); where there is no work tree, it is
/// not ignored. The nearest one that speaks of it decides; one that cannot be read ignores nothing.
pub fn is_ignored(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(folder) = folder.canonicalize() else { return false };
    let Some(top) = folder.ancestors().find(|folder| files::is_there(&folder.join(".git"))) else { return false };
    let path = folder.join(name);
    let said =
        folder.ancestors().take_while(|folder| folder.starts_with(top)).find_map(|folder| said_in(folder, &path));
    said.unwrap_or(false)
}

/// What the `.gitignore` of this folder says of a path below it.
fn said_in(folder: &Path, path: &Path) -> Option<bool> {
    let source = files::read(&folder.join(".gitignore")).ok()?;
    let mut patterns = GitignoreBuilder::new(folder);
    for line in source.text().lines() {
        // A line that is no pattern ignores nothing, as git has it.
        let _ = patterns.add_line(None, line);
    }
    match patterns.build().ok()?.matched_path_or_any_parents(path, path.is_dir()) {
        Match::None => None,
        Match::Ignore(_) => Some(true),
        Match::Whitelist(_) => Some(false),
    }
}
