//! The package of a run as people follow it: from top to bottom, each command with the exit code that it must show.

use crate::digest::Digest;
use crate::layout::{escape, printable};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Everything that people must do for a run, in order. Nothing of it has been done.
#[derive(Serialize, Debug)]
pub struct Package {
    /// The version of this form, 1.
    pub version: u32,
    /// When it was made.
    pub time: String,
    /// The plan's name.
    pub plan: String,
    /// The run.
    pub run: String,
    /// Sha-256 of the plan.
    pub plan_sha256: Digest,
    /// Sha-256 over the policies.
    pub policies_sha256: Digest,
    /// Sha-256 over the facts.
    pub facts_sha256: Digest,
    /// What `cutter authorize` says of it now.
    pub verdict: String,
    /// The folder that every command is typed in.
    pub folder: String,
    /// What is to be done, in order.
    pub parts: Vec<Part>,
}

/// Steps that belong together.
#[derive(Serialize, Debug)]
pub struct Part {
    /// What for.
    pub title: String,
    /// What there is to know.
    pub says: Vec<String>,
    /// One after another.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Serialize, Debug)]
pub struct Step {
    /// Who does it.
    pub who: String,
    /// What that is.
    pub does: String,
    /// The command for a shell; none where it is no command's work.
    pub command: Option<String>,
    /// The codes that it may exit with.
    pub exits: Vec<u8>,
}

impl Package {
    /// The first text that would not be what it looks like: one with control characters.
    pub fn unprintable(&self) -> Option<&str> {
        let head = [&self.plan, &self.run, &self.folder];
        let parts = self.parts.iter().flat_map(|part| std::iter::once(&part.title).chain(&part.says));
        let steps = self.parts.iter().flat_map(|part| &part.steps);
        let steps = steps.flat_map(|step| [&step.who, &step.does].into_iter().chain(&step.command));
        head.into_iter().chain(parts).chain(steps).map(String::as_str).find(|text| printable(text) != *text)
    }

    /// The variables that people set before a command takes them.
    fn variables(&self) -> BTreeSet<&str> {
        let commands = self.parts.iter().flat_map(|part| &part.steps).filter_map(|step| step.command.as_deref());
        let words = commands.flat_map(|command| command.split('"'));
        words.filter_map(|word| word.strip_prefix('$').map(|_| word)).collect()
    }
}

/// The page that is followed.
pub fn readme(package: &Package) -> String {
    let mut text = format!("# What people do for the run {}\n\n```\n", escape(&package.run));
    for (name, value) in [
        ("plan", format!("{}, sha256 {}", package.plan, package.plan_sha256)),
        ("policies", format!("sha256 {}", package.policies_sha256)),
        ("facts", format!("sha256 {}", package.facts_sha256)),
        ("state", package.verdict.clone()),
        ("made", package.time.clone()),
    ] {
        let _ = writeln!(text, "{name:<9} {value}");
    }
    text.push_str(
        "```\n\nNothing of this has been done. Follow it from top to bottom, each step as whoever it names, in a shell in the same\n\
         folder. Behind each command stands the exit code that it must show; at any other, stop and read what it says.\n",
    );
    let variables = package.variables();
    if !variables.is_empty() {
        let names: Vec<String> = variables.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "Whoever does a step sets the variables that its command names: {}.", names.join(", "));
    }
    let _ = writeln!(text, "\n```sh\ncd {}  # exit 0\n```", package.folder);
    for (at, part) in package.parts.iter().enumerate() {
        let _ = writeln!(text, "\n## {}. {}\n", at + 1, escape(&part.title));
        for line in &part.says {
            let _ = writeln!(text, "- {}", escape(line));
        }
        for (number, step) in part.steps.iter().enumerate() {
            let _ = writeln!(
                text,
                "\n{}.{} {}: {}.",
                at + 1,
                number + 1,
                escape(&step.who),
                escape(step.does.trim_end_matches('.'))
            );
            if let Some(command) = &step.command {
                let exits: Vec<String> = step.exits.iter().map(u8::to_string).collect();
                let _ = writeln!(text, "\n```sh\n{command}  # exit {}\n```", exits.join(" or "));
            }
        }
    }
    text
}
