//! Exactly what a row would run: what is shown, what is approved and what runs are made from this one value.

use crate::digest::Digest;
use crate::settings::backup::BackupSettings;
use crate::settings::effects::{Builtin, Origin};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a row would run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Work {
    /// The effect in `cutter.toml` that it comes from; `None` where the row has a command of its own.
    pub effect: Option<String>,
    /// What happens, in one sentence.
    pub does: String,
    /// The work itself.
    pub task: Task,
    /// What it is to change, by observation and counter: `+2`, or where the number stands in the row's context.
    pub expects: BTreeMap<String, BTreeMap<String, String>>,
    /// The facts of the run that it brings about, each with where its value comes from.
    pub produces: BTreeMap<String, Origin>,
    /// Whether it may be done more than once in a run.
    pub repeatable: bool,
}

/// The kinds of work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// A program is run.
    Program(Program),
    /// A switch is set.
    Flag(FlagTask),
    /// A function of the database is called.
    Sql(SqlTask),
    /// Tables are dumped, encrypted, into a folder.
    Backup(Box<BackupSettings>, String),
    /// Cutter itself does it.
    Builtin(Builtin, Option<String>),
}

/// A program and all that it gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// The program and its arguments, with every hole filled.
    pub argv: Vec<String>,
    /// How it is known to be the one that was meant.
    pub pin: ProgramPin,
    /// The digest of the program that runs it, where it is a script and that one is not root's.
    pub interpreter: Option<Digest>,
    /// The names of the environment variables that it gets.
    pub env: BTreeSet<String>,
    /// Where it runs.
    pub cwd: String,
    /// After so many seconds it is ended.
    pub timeout_seconds: u64,
}

/// How a program is known to be the one that was meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgramPin {
    /// By the digest of its bytes.
    Sha256(Digest),
    /// Only root can change it.
    RootOwned,
    /// There is no such program.
    Missing,
}

/// A switch, and the value that it is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlagTask {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: FlagPlace,
    /// The value.
    pub to: String,
}

/// Where a switch stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FlagPlace {
    /// In this file; the regular expression's first group is the value.
    File(PathBuf, String),
    /// In a row of a table.
    Row {
        /// The query that reads it.
        query: String,
        /// The statement that sets it.
        set: String,
        /// Who sets it.
        role: String,
    },
}

/// A call of a function, and what must be so for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqlTask {
    /// The function with its argument types.
    pub function: String,
    /// Its arguments by name.
    pub arguments: BTreeMap<String, SqlArgument>,
    /// Who calls it.
    pub role: String,
    /// Who must own it.
    pub owner: String,
    /// The digest of its definition.
    pub definition: Digest,
    /// The triggers of the relations that it writes, with the digests of their definitions.
    pub triggers: BTreeMap<String, BTreeMap<String, Digest>>,
    /// The file of the rows for each of which it is called, and the fact that holds its digest.
    pub each: Option<(PathBuf, String)>,
    /// What every answer must hold.
    pub answers: BTreeMap<String, Value>,
    /// Whether all that the calls did is rolled back after them.
    pub rolls_back: bool,
}

/// What an argument of a function is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SqlArgument {
    /// This text, which the server reads as the declared type.
    Text(String),
    /// No value.
    Null,
    /// The fact that lies here below `context.run.facts` at the moment of use.
    Fact(String),
    /// The member of this name of the row that it is called for.
    Field(String),
}

impl Work {
    /// Work that does nothing, for questions about rows that are not about their work.
    pub fn stand_in() -> Self {
        let (does, task) = ("nothing".to_owned(), Task::Builtin(Builtin::End, None));
        Self { effect: None, does, task, expects: BTreeMap::new(), produces: BTreeMap::new(), repeatable: false }
    }

    /// The command, where it is one.
    pub fn argv(&self) -> &[String] {
        match &self.task {
            Task::Program(program) => &program.argv,
            _ => &[],
        }
    }
}
