//! `[effects]` of `cutter.toml`: what a row can bring about, as data: the request that it is, and exactly one kind of work.

use super::function::SqlSettings;
use crate::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that a row can bring about. Its action, resource and fixed parameters are what is judged.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// What it is: an action of the schema, as Cedar writes it.
    pub action: String,
    /// What it touches: an entity; or a type, and rows name one of it.
    pub resource: String,
    /// Parameters that it fixes, in Cedar's JSON form.
    #[serde(default)]
    pub context: BTreeMap<String, Value>,
    /// Parameters that rows give.
    #[serde(default)]
    pub open: BTreeSet<String>,
    /// What happens, in one sentence for people.
    pub does: String,
    /// What it is to change: counters and by how much, by the observation's id; no counter means any change.
    #[serde(default)]
    pub expects: BTreeMap<String, BTreeMap<String, Amount>>,
    /// What could make it good where a run stops after it, by the name of the file that it is written into for a person: SQL in which
    /// `{name}` stands for a value of the run. Nothing of it is run.
    #[serde(default)]
    pub compensation: BTreeMap<String, String>,
    /// Whether it may be brought about more than once in a run; setting a switch to off always may.
    #[serde(default)]
    pub repeatable: bool,
    /// Facts of the run that it brings about, each with where its value comes from.
    #[serde(default)]
    pub produces: BTreeMap<String, Origin>,
    /// A function of the database that is called.
    pub sql: Option<SqlSettings>,
    /// A declared switch that is set.
    pub flag: Option<FlagChange>,
    /// A program and its arguments, run without a shell; `{name}` in an argument is a parameter of the row.
    #[serde(default)]
    pub argv: Vec<String>,
    /// How the program is known to be the one that was meant.
    pub pin: Option<Pin>,
    /// The sha-256 of the program, for `pin = "sha256"`.
    pub sha256: Option<Digest>,
    /// The sha-256 of the program that runs it, where it is a script; without it that one must be root's.
    pub interpreter_sha256: Option<Digest>,
    /// The environment variables that the program gets; all others are taken away.
    #[serde(default)]
    pub env: BTreeSet<String>,
    /// Where the program runs; `/` where nothing is said.
    pub cwd: Option<String>,
    /// After so many seconds the program is ended; 600 where nothing is said.
    pub timeout: Option<u64>,
    /// Something that cutter itself does.
    pub builtin: Option<Builtin>,
    /// The folder that `builtin` writes its package into.
    pub folder: Option<String>,
}

impl Effect {
    /// Whether the same would run, whatever the two are called and say of themselves.
    pub fn runs_what(&self, other: &Self) -> bool {
        self.argv == other.argv
            && self.sql == other.sql
            && self.flag == other.flag
            && self.builtin == other.builtin
            && self.folder == other.folder
            // A program that the row's own words tell what to do is another one with other words.
            && !self.has_holes()
    }

    /// Whether the row's own words stand in an argument.
    pub fn has_holes(&self) -> bool {
        self.argv.iter().any(|word| word.contains('{'))
    }
}

/// By how much a counter moves.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged, expecting = "a whole number, or the path to it in the row's context")]
pub enum Amount {
    /// By this number.
    Number(i64),
    /// By what stood here in the context of the row's request at the moment of use: `run.facts.draft.pages`.
    Context(String),
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:+}"),
            Self::Context(path) => write!(f, "+{path}"),
        }
    }
}

/// Where the value of a produced fact comes from, and its type.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The type of the value.
    #[serde(rename = "type")]
    pub kind: FactKind,
    /// The member of what the function answered, the program wrote to its standard output as one JSON value, or a backup's envelope says;
    /// the whole answer where nothing is said.
    pub answer: Option<String>,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.name())?;
        self.answer.as_ref().map_or(Ok(()), |member| write!(f, " from `{member}`"))
    }
}

/// The types of produced facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FactKind {
    /// True or false.
    Bool,
    /// A whole number.
    Long,
    /// A text.
    String,
    /// Texts, in no order.
    #[serde(rename = "Set<String>")]
    Strings,
    /// A time, RFC 3339.
    #[serde(rename = "datetime")]
    Datetime,
}

impl FactKind {
    /// Its name in Cedar.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "Bool",
            Self::Long => "Long",
            Self::String => "String",
            Self::Strings => "Set<String>",
            Self::Datetime => "datetime",
        }
    }
}

/// How a program is known to be the one that was meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pin {
    /// By the digest of its bytes.
    Sha256,
    /// Only root can change it, or any folder above it.
    RootOwned,
}

/// A switch is set to the value that its declaration gives for on or off.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagChange {
    /// Its name in `[evidence.flags]`.
    pub name: String,
    /// To which of the two.
    pub to: OnOff,
    /// As whom, where it stands in a row of a table: one of `[connections]`.
    pub role: Option<String>,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

/// What cutter itself can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    /// The journal says that the run began.
    Start,
    /// The journal says that it rests.
    Pause,
    /// The journal says that it goes on.
    Resume,
    /// The journal says that it is over.
    End,
    /// The audit of grants, as `cutter evidence grants --package` writes it.
    Grants,
    /// The audit of targets, as `cutter evidence targets --package` writes it.
    Targets,
    /// All that people must do before the run, ready to follow.
    Package,
    /// An encrypted dump of the tables that the run writes.
    Backup,
}

impl Builtin {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::End => "end",
            Self::Grants => "grants",
            Self::Targets => "targets",
            Self::Package => "package",
            Self::Backup => "backup",
        }
    }

    /// Whether it writes a package into a folder.
    pub fn writes(self) -> bool {
        matches!(self, Self::Grants | Self::Targets | Self::Package | Self::Backup)
    }
}
