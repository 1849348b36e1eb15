//! Work in two steps: all that can be known before an approval is used up, and then the work itself.

use super::backup::ReadyBackup;
use super::flag::ReadyFlag;
use super::program::ReadyProgram;
use super::row::ReadyRow;
use super::sql::ReadySql;
use crate::attestation::secrets::Secrets;
use crate::db::Access;
use crate::files;
use crate::ledger::ProgramOutput;
use crate::plan::{FlagPlace, FlagTask, Task, Work};
use crate::problem::{Code, Problem, Problems};
use crate::settings::effects::Builtin;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// Does what cutter itself does, into a folder.
pub type DoBuiltin<'a> = dyn Fn(Builtin, Option<&str>) -> Result<(), Problems> + 'a;

/// Whether what the row was judged by is still so.
pub type AsJudged<'a> = dyn FnMut() -> Result<(), Problem> + 'a;

/// What work needs of the world around it.
pub struct Surroundings<'a> {
    /// Reads the environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// How a role of `[connections]` reaches the database.
    pub connection: &'a dyn Fn(&str) -> Result<Access, Problem>,
    /// How facts are asked for.
    pub facts: &'a dyn Fn() -> Result<Access, Problem>,
    /// Does what cutter itself does, into a folder.
    pub builtin: &'a DoBuiltin<'a>,
    /// What must not stand in what a program writes.
    pub secrets: &'a dyn Fn() -> Result<Secrets, Problem>,
}

/// What a row is decided with, as far as its work needs it.
pub struct Use<'a> {
    /// The context of the row's request.
    pub context: &'a Value,
    /// The cluster that the plan is aimed at, where it names one.
    pub database: Option<&'a str>,
}

/// How work went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As it was meant to; with what there is to say of it.
    Done(String),
    /// As it was meant to; with what there is to say of it, and the facts that it brought about.
    Answered(String, BTreeMap<String, Value>),
    /// A program ended by itself with this status.
    Ended(i32),
    /// Nothing of it lasts.
    Failed(String),
    /// Something was not as it was approved, as the code says; nothing of it lasts.
    Refused(Code, String),
    /// Whether it lasts is not known.
    InDoubt(String),
}

impl Outcome {
    /// What the journal keeps of it: 0 is well, `None` is not known.
    pub fn status(&self) -> Option<i32> {
        match self {
            Self::Done(_) | Self::Answered(..) => Some(0),
            Self::Ended(status) => Some(*status),
            Self::Failed(_) | Self::Refused(..) => Some(1),
            Self::InDoubt(_) => None,
        }
    }

    /// What there is to say of it besides.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Done(said) | Self::Answered(said, _) => Some(said.clone()).filter(|said| !said.is_empty()),
            Self::Ended(_) => None,
            Self::Failed(why) | Self::Refused(_, why) | Self::InDoubt(why) => Some(why.clone()),
        }
    }

    /// The facts of the run that it brought about, by their paths.
    pub fn produced(&self) -> BTreeMap<String, Value> {
        match self {
            Self::Answered(_, facts) => facts.clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// Work that was looked at from all sides and has not begun.
pub enum Ready<'a> {
    /// A program, open and checked.
    Program(Box<ReadyProgram>),
    /// A switch and the text that its file is to have.
    Flag(ReadyFlag),
    /// A session in which a switch in a row of a table can be set.
    Row(Box<ReadyRow>),
    /// A session in which the function is as it was pinned.
    Sql(Box<ReadySql>),
    /// Programs, a key and a session with which an encrypted dump can be made.
    Backup(Box<ReadyBackup>),
    /// Something that cutter itself does.
    Builtin(Builtin, Option<String>, &'a Surroundings<'a>),
}

impl<'a> Ready<'a> {
    /// Everything that can be found wrong before anything is used up.
    pub fn prepare(work: &Work, of: &Use<'_>, surroundings: &'a Surroundings<'a>) -> Result<Self, Problems> {
        Ok(match &work.task {
            Task::Program(program) => {
                Self::Program(Box::new(ReadyProgram::prepare(program, &work.produces, surroundings)?))
            }
            Task::Flag(FlagTask { name, place: FlagPlace::File(file, pattern), to }) => {
                Self::Flag(ReadyFlag::prepare(name, to, (file, pattern))?)
            }
            Task::Flag(FlagTask { name, place: FlagPlace::Row { query, set, role }, to }) => {
                let connection = surroundings.connection;
                let ready = ReadyRow::prepare((name, to), (query, set, role), of.database, connection)?;
                Self::Row(Box::new(ready))
            }
            Task::Sql(task) => {
                Self::Sql(Box::new(ReadySql::prepare(task, &work.produces, of, surroundings.connection)?))
            }
            Task::Backup(settings, folder) => {
                let task = (settings.as_ref(), folder.as_str());
                Self::Backup(Box::new(ReadyBackup::prepare(task, &work.produces, of, surroundings.connection)?))
            }
            Task::Builtin(builtin, folder) => {
                folder.as_ref().map_or(Ok(()), |folder| files::check_folder(Path::new(folder)))?;
                Self::Builtin(*builtin, folder.clone(), surroundings)
            }
        })
    }

    /// The id of the one transaction in which it is done, where it is.
    pub fn transaction(&self) -> Option<&str> {
        match self {
            Self::Row(row) => Some(row.transaction()),
            Self::Sql(sql) => Some(sql.transaction()),
            Self::Program(_) | Self::Flag(_) | Self::Backup(_) | Self::Builtin(..) => None,
        }
    }

    /// Does it; with what a program wrote, where all of it was looked through. What is done in one transaction lasts only where it was
    /// judged by what is still so before its statement and after it.
    pub fn run(self, as_judged: &mut AsJudged<'_>) -> Result<(Outcome, Option<ProgramOutput>), Problem> {
        let outcome = match self {
            Self::Program(program) => return program.run(),
            Self::Flag(flag) => Ok(flag.run()),
            Self::Row(row) => Ok(row.run(as_judged)),
            Self::Sql(sql) => Ok(sql.run(as_judged)),
            Self::Backup(backup) => Ok(backup.run()),
            Self::Builtin(builtin, folder, surroundings) => {
                Ok(match (surroundings.builtin)(builtin, folder.as_deref()) {
                    Ok(()) => Outcome::Done(String::new()),
                    Err(problems) => Outcome::Failed(problems.in_one_line()),
                })
            }
        };
        outcome.map(|outcome| (outcome, None))
    }
}
