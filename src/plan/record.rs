//! Work as documents show it: whole, with a digest that approvals are bound to.

use super::work::{FlagPlace, FlagTask, Program, ProgramPin, SqlArgument, SqlTask, Task, Work};
use crate::digest::Digest;
use crate::json;
use crate::settings::backup::BackupSettings;
use crate::settings::effects::Builtin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Work as documents show it. Its digest covers every other field.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct WorkRecord {
    /// Sha-256 over the other fields, as `jq -cSj 'del(.sha256)'` prints them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// `program`, `flag`, `sql` or `builtin`.
    pub kind: WorkKind,
    /// The effect in `cutter.toml`; absent where the row has a command of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// What happens, in one sentence.
    pub does: String,
    /// The program and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// How it is known to be the one that was meant: `sha256 <digest>`, `root-owned`, `missing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// The digest of the program that runs the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter_sha256: Option<Digest>,
    /// The names of the environment variables that it gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// After so many seconds it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// The switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// The file that it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The regular expression whose first group is its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The query that reads it, where it stands in a row of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The statement that sets it there; `$1` is `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The value that it is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The function with its argument types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Its arguments by name: a text, nothing, `{ "fact": path }` or `{ "field": name }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, Value>,
    /// Who calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Who must own it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Sha-256 of its definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_sha256: Option<Digest>,
    /// The triggers of the relations that it writes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, BTreeMap<String, Digest>>,
    /// It is called for each row of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// The fact of the run that holds the sha-256 of that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each_sha256_fact: Option<String>,
    /// What its answer must hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, Value>,
    /// Whether all that the calls did is rolled back after them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolls_back: bool,
    /// What cutter itself does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<Builtin>,
    /// The tables that are dumped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// The whole fingerprint of the key that the dump is encrypted for; empty where none is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The file of that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// The programs that dump and encrypt; only root may be able to change them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// What the envelope has beside the run, its tables and what is measured, each with where it stands in the row's context.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub envelope: BTreeMap<String, String>,
    /// The folder that it writes into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// What it is to change, by observation and counter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expects: BTreeMap<String, BTreeMap<String, String>>,
    /// The facts that it brings about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub produces: BTreeMap<String, String>,
    /// Whether it may be done more than once in a run; absent where not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeatable: bool,
}

/// The kinds of work, as documents name them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// A program is run.
    #[default]
    Program,
    /// A switch is set.
    Flag,
    /// A function of the database is called.
    Sql,
    /// Cutter itself does it.
    Builtin,
}

impl Work {
    /// It as documents show it, with its digest.
    pub fn record(&self) -> WorkRecord {
        let Self { effect, does, task, expects, produces, repeatable } = self;
        let mut record = WorkRecord {
            effect: effect.clone(),
            does: does.clone(),
            expects: expects.clone(),
            produces: produces.iter().map(|(fact, origin)| (fact.clone(), origin.to_string())).collect(),
            repeatable: *repeatable,
            ..WorkRecord::default()
        };
        match task {
            Task::Program(Program { argv, pin, interpreter, env, cwd, timeout_seconds }) => {
                record.argv.clone_from(argv);
                record.pin = Some(pin.words());
                record.interpreter_sha256 = *interpreter;
                record.env = env.iter().cloned().collect();
                record.cwd = Some(cwd.clone());
                record.timeout_seconds = Some(*timeout_seconds);
            }
            Task::Flag(FlagTask { name, place, to }) => {
                record.kind = WorkKind::Flag;
                record.flag = Some(name.clone());
                record.to = Some(to.clone());
                match place {
                    FlagPlace::File(file, pattern) => {
                        record.file = Some(file.display().to_string());
                        record.pattern = Some(pattern.clone());
                    }
                    FlagPlace::Row { query, set, role } => {
                        record.query = Some(query.clone());
                        record.set = Some(set.clone());
                        record.role = Some(role.clone());
                    }
                }
            }
            Task::Sql(SqlTask {
                function,
                arguments,
                role,
                owner,
                definition,
                triggers,
                each,
                answers,
                rolls_back,
            }) => {
                record.kind = WorkKind::Sql;
                record.function = Some(function.clone());
                record.arguments = arguments.iter().map(|(name, value)| (name.clone(), value.shown())).collect();
                record.role = Some(role.clone());
                record.owner = Some(owner.clone());
                record.definition_sha256 = Some(*definition);
                record.triggers.clone_from(triggers);
                record.each = each.as_ref().map(|(file, _)| file.display().to_string());
                record.each_sha256_fact = each.as_ref().map(|(_, fact)| fact.clone());
                record.answers.clone_from(answers);
                record.rolls_back = *rolls_back;
            }
            Task::Backup(settings, folder) => {
                let BackupSettings { role, tables, key_file, pg_dump, gpg, timeout, envelope, .. } = settings.as_ref();
                record.kind = WorkKind::Builtin;
                record.builtin = Some(Builtin::Backup);
                record.folder = Some(folder.clone());
                record.role = Some(role.clone());
                record.tables.clone_from(tables);
                record.fingerprint = Some(settings.fingerprint().unwrap_or_default());
                record.key_file = Some(key_file.display().to_string());
                record.programs = vec![pg_dump.clone(), gpg.clone()];
                record.timeout_seconds = *timeout;
                record.envelope.clone_from(envelope);
            }
            Task::Builtin(builtin, folder) => {
                record.kind = WorkKind::Builtin;
                record.builtin = Some(*builtin);
                record.folder.clone_from(folder);
            }
        }
        record.sha256 = Some(record.digest());
        record
    }
}

impl WorkRecord {
    /// The digest over all that it says, whatever digest it names.
    pub fn digest(&self) -> Digest {
        let bare = Self { sha256: None, ..self.clone() };
        let value = serde_json::to_value(bare).unwrap_or_default();
        Digest::of(json::canonical(&value).as_bytes())
    }

    /// It in one line, exact as far as one line can be: `set live to yes in /srv/app.conf`.
    pub fn line(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match self.kind {
            WorkKind::Program => self.argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
            WorkKind::Flag => {
                let place = match &self.set {
                    Some(set) => format!("by `{set}` as {}", text(&self.role)),
                    None => format!("in {}", text(&self.file)),
                };
                format!("set {} to {} {place}", text(&self.flag), text(&self.to))
            }
            WorkKind::Sql => {
                let function = text(&self.function);
                let name = function.split('(').next().unwrap_or_default();
                let argument = |(name, value): (&String, &Value)| {
                    let part = |kind: &str| value.get(kind).and_then(Value::as_str);
                    match (part("fact"), part("field")) {
                        (Some(fact), _) => format!("{name} => run.facts.{fact}"),
                        (_, Some(field)) => format!("{name} => row.{field}"),
                        _ => format!("{name} => {value}"),
                    }
                };
                let each = self.each.as_ref().map(|file| format!(" for each row of {file}")).unwrap_or_default();
                let arguments: Vec<String> = self.arguments.iter().map(argument).collect();
                format!("{name}({}) as {}{each}", arguments.join(", "), text(&self.role))
            }
            WorkKind::Builtin => {
                let name = self.builtin.map(Builtin::name).unwrap_or_default();
                match &self.folder {
                    Some(folder) => format!("cutter: {name} into {folder}"),
                    None => format!("cutter: {name}, in the journal alone"),
                }
            }
        }
    }
}

impl ProgramPin {
    /// As documents write it.
    fn words(self) -> String {
        match self {
            Self::Sha256(digest) => format!("sha256 {digest}"),
            Self::RootOwned => "root-owned".to_owned(),
            Self::Missing => "missing".to_owned(),
        }
    }
}

impl SqlArgument {
    fn shown(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Null => Value::Null,
            Self::Fact(path) => serde_json::json!({ "fact": path }),
            Self::Field(name) => serde_json::json!({ "field": name }),
        }
    }
}

/// A word that holds anything but plain letters, in quotes, so that the ends of words are seen.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=+@,%".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
