//! `[observer]` of `cutter.toml`: who observes a run beside it, how that is asked, and where it keeps what it saw.

use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Who observes every run. It is signed with the bundle, so that no run chooses its observer.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserverSettings {
    /// Where the observer keeps what it saw, a folder for each run; whoever runs may read there, and not write.
    pub folder: PathBuf,
    /// Where `cutter observe` is asked; without it each run observes itself, and nobody signs that.
    pub socket: Option<PathBuf>,
    /// The user of the operating system who is the observer.
    pub user: Option<String>,
    /// After so many seconds an observer that does not answer counts as gone; 600 where nothing is said.
    pub timeout_seconds: Option<u32>,
}

impl ObserverSettings {
    /// The socket and whose it is, where the observer is another process.
    pub fn other(&self) -> Option<(&PathBuf, &str)> {
        self.socket.as_ref().zip(self.user.as_deref())
    }

    /// After what time an observer that does not answer counts as gone.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(600).into())
    }

    /// What of it cannot be meant, each with what to do.
    pub(super) fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        if self.socket.is_some() != self.user.is_some() {
            let help = "give both where the observer is another process, and none where each run observes itself";
            faults.push(("has one of `socket` and `user` without the other".to_owned(), help));
        }
        for path in std::iter::once(&self.folder).chain(&self.socket).filter(|path| !path.is_absolute()) {
            let help = "write the whole path: run and observer may be started in different folders";
            faults.push((format!("names `{}`, which is no absolute path", path.display()), help));
        }
        if self.timeout_seconds == Some(0) {
            faults.push(("gives it no time to answer".to_owned(), "`timeout_seconds` is in seconds"));
        }
        faults
    }
}
