//! Programs in an environment that says nothing of this machine but where its programs are.

use std::ffi::OsStr;
use std::process::Command;

/// A command without the variables of whoever runs the tests: no `COLUMNS`, `NO_COLOR`, `PG...`, `GIT_...` or `GITHUB_...`.
/// `LLVM_PROFILE_FILE` says where `tests/coverage` counts.
pub fn scrubbed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "CVC5", "LLVM_PROFILE_FILE"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}
