//! Where PostgreSQL is installed, and as whom it may run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::must;

/// The user as which PostgreSQL runs when the test is run by root, which PostgreSQL refuses.
#[derive(Clone, Copy)]
pub struct Account {
    pub user: u32,
    pub group: u32,
}

impl Account {
    pub fn unprivileged() -> Self {
        let users = must(Path::new("/etc/passwd"), fs::read_to_string("/etc/passwd"));
        let find = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map_while(|field| field.parse().ok());
            Some(Self { user: numbers.next()?, group: numbers.next()? })
        };
        ["postgres", "nobody"]
            .into_iter()
            .find_map(find)
            .expect("root needs a user `postgres` or `nobody` for PostgreSQL")
    }
}

/// The programs of one PostgreSQL.
pub struct Installation {
    pub binaries: PathBuf,
    pub version: String,
}

impl Installation {
    /// Looks in `CUTTER_TEST_PG_BIN`, else in Debian's directories from the newest down, else on the `PATH`.
    pub fn find() -> &'static Self {
        static FOUND: OnceLock<Installation> = OnceLock::new();
        FOUND.get_or_init(|| {
            let has_server =
                |directory: &PathBuf| ["postgres", "initdb"].iter().all(|name| directory.join(name).is_file());
            let binaries = match env::var_os("CUTTER_TEST_PG_BIN").map(PathBuf::from) {
                Some(named) => {
                    Some(named).filter(has_server).expect("CUTTER_TEST_PG_BIN holds no `postgres` and `initdb`")
                }
                None => Self::candidates()
                    .into_iter()
                    .find(has_server)
                    .expect("this test needs PostgreSQL: run `apt-get install postgresql`, or set CUTTER_TEST_PG_BIN"),
            };
            let output = must(&binaries, Command::new(binaries.join("postgres")).arg("--version").output());
            Self { binaries, version: String::from_utf8_lossy(&output.stdout).trim().to_owned() }
        })
    }

    fn candidates() -> Vec<PathBuf> {
        let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut majors: Vec<u32> = debian.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        majors.sort_unstable();
        let path = env::var_os("PATH").unwrap_or_default();
        let debian = majors.into_iter().rev().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")));
        debian.chain(env::split_paths(&path)).collect()
    }
}
