//! The head and the status of a work tree. What its repository configures may be anybody's (filters, hooks, remotes), and git runs
//! some of it; so git is asked in an empty repository of our own that borrows the objects and the index, and nothing else.

use super::programs;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What is known of a work tree.
#[derive(Debug)]
pub struct WorkTree {
    /// The commit of its head, in hexadecimal digits.
    pub head: Option<String>,
    /// What `git status --porcelain` says; nothing where it is clean.
    pub status: Option<String>,
}

impl WorkTree {
    /// Looks at the work tree whose `.git` lies in this folder.
    pub fn look(root: &Path) -> Self {
        let head = Repository::find(root).and_then(|found| Some((head(&found)?, found)));
        let status = head.as_ref().and_then(|(head, found)| status(root, found, head).ok());
        Self { head: head.map(|(head, _)| head), status }
    }
}

/// Where git keeps what belongs to one work tree, and what belongs to all of them.
struct Repository {
    own: PathBuf,
    common: PathBuf,
}

impl Repository {
    /// gitrepository-layout(5): a folder, or a file that names one, which may name the one that all work trees share.
    fn find(root: &Path) -> Option<Self> {
        let at = root.join(".git");
        let own = if at.is_dir() {
            at
        } else {
            root.join(fs::read_to_string(&at).ok()?.strip_prefix("gitdir: ")?.trim_end())
        };
        let common = match fs::read_to_string(own.join("commondir")) {
            Ok(named) => own.join(named.trim_end()),
            Err(_) => own.clone(),
        };
        Some(Self { own, common })
    }

    /// What a name stands for: a commit, or `ref: ` and another name.
    fn reference(&self, name: &str) -> Option<String> {
        if let Some(text) = [&self.own, &self.common].into_iter().find_map(|at| fs::read_to_string(at.join(name)).ok())
        {
            return Some(text.trim_end().to_owned());
        }
        let packed = fs::read_to_string(self.common.join("packed-refs")).ok()?;
        packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ').map(str::to_owned))
    }
}

fn head(repository: &Repository) -> Option<String> {
    let mut name = "HEAD".to_owned();
    for _ in 0..=MOST_LINKS {
        let text = repository.reference(&name)?;
        match text.strip_prefix("ref: ") {
            Some(next) if next.starts_with("refs/") && !next.contains("..") => next.clone_into(&mut name),
            Some(_) => return None,
            None => {
                let is_commit = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                return is_commit.then_some(text);
            }
        }
    }
    None
}

/// What git prints; it is told not to refresh its index, which would be a write, and to look into no other repository.
fn status(root: &Path, repository: &Repository, head: &str) -> io::Result<String> {
    let own = tempfile::tempdir()?;
    fs::create_dir(own.path().join("refs"))?;
    fs::write(own.path().join("HEAD"), format!("{head}\n"))?;
    let sha256 = "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha256\n";
    fs::write(own.path().join("config"), if head.len() == 64 { sha256 } else { "" })?;
    let output = programs::command("git")?
        .arg("--no-optional-locks")
        .args(["status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=dirty"])
        .current_dir(root)
        .env("GIT_DIR", own.path())
        .env("GIT_WORK_TREE", root)
        .env("GIT_INDEX_FILE", repository.own.join("index"))
        .env("GIT_OBJECT_DIRECTORY", repository.common.join("objects"))
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_ATTR_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
        .envs([("GIT_NO_LAZY_FETCH", "1"), ("GIT_ALLOW_PROTOCOL", "none"), ("GIT_TERMINAL_PROMPT", "0")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other("git did not answer"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How often a name may stand for another name; as git has it.
const MOST_LINKS: usize = 5;
