//! What the program did.

use std::process::{Command, Output};

#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    /// What it said on standard error with single blanks, however that was folded.
    pub fn in_one_line(self) -> Self {
        Self { stderr: self.stderr.split_whitespace().collect::<Vec<_>>().join(" "), ..self }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code().expect("cutter ended by a signal"),
            stdout: without_trust(output.stdout),
            stderr: without_trust(output.stderr),
        }
    }
}

/// What was said, without the option that nobody typed: commands to go on with repeat it.
fn without_trust(said: Vec<u8>) -> String {
    String::from_utf8(said).unwrap().replace(&format!(" --trust {NO_ROOT}"), "")
}

/// A trust root that is not there.
pub const NO_ROOT: &str = "none";
