//! Whether effects can be done as they are written, apart from the schema and the database.

use super::Config;
use super::effects::{Builtin, Effect, FlagChange, OnOff, Pin};
use super::function::{Argument, SqlSettings};
use crate::problem::{Problem, Problems, nearest};
use crate::text::is_file_name;
use std::path::{Component, Path, PathBuf};

impl Config {
    /// Says of every effect what cannot be done as it is written.
    pub fn check_effects(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        for (name, effect) in &self.effects {
            for (text, help) in effect.faults(self) {
                let problem = Problem::invalid(format!("effect `{name}` in cutter.toml {text}")).help(help);
                problems.push(match self.places.get(name) {
                    Some((source, at)) => problem.at(source, at.clone()),
                    None => problem,
                });
            }
        }
        problems.or(())
    }
}

impl Effect {
    fn faults(&self, config: &Config) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut wrong = |text: String, help: &str| faults.push((text, help.to_owned()));
        let kinds = [self.sql.is_some(), self.flag.is_some(), !self.argv.is_empty(), self.builtin.is_some()];
        match kinds.iter().filter(|kind| **kind).count() {
            1 => {}
            0 => wrong("has no work".to_owned(), "give it one of `sql`, `flag`, `argv` and `builtin`"),
            _ => wrong(
                "has several kinds of work".to_owned(),
                "one effect is one of `sql`, `flag`, `argv` and `builtin`",
            ),
        }
        if let Some(name) = self.open.iter().find(|name| self.context.contains_key(*name)) {
            wrong(format!("both fixes the parameter `{name}` and leaves it open"), "keep one of the two");
        }
        if self.context.contains_key("run") || self.open.contains("run") {
            wrong("names `run` among its parameters, which belongs to the runtime".to_owned(), "remove it");
        }
        let is_backup = self.builtin == Some(Builtin::Backup);
        if !self.produces.is_empty() && self.sql.is_none() && self.argv.is_empty() && !is_backup {
            let help =
                "only what a function or a program answers, or a backup measures, is a fact; use `sql` or `argv`";
            wrong("produces facts".to_owned(), help);
        }
        if !self.produces.is_empty() && self.sql.as_ref().is_some_and(|sql| sql.each.is_some()) {
            let help = "a function that is called once can answer for all";
            wrong("produces facts, and is called for each row of a file".to_owned(), help);
        }
        if is_backup && config.backup.is_none() {
            let help = "add [backup] with `role`, `tables`, `key_file`, `fingerprint`, `pg_dump` and `gpg`";
            wrong("makes a backup, and nothing says of what".to_owned(), help);
        }
        for (file, text) in &self.compensation {
            if !file.ends_with(".sql") || !is_file_name(file) {
                let help = "name a file of SQL, in letters, digits, `-`, `_` and `.`";
                wrong(format!("has the compensation `{file}`"), help);
            }
            let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
            if let Some(word) = words.into_iter().find(|word| TAKES_AWAY.contains(&word.to_lowercase().as_str())) {
                let help =
                    "what was done is made good by what comes after it; to take rows away is a person's own work";
                wrong(format!("proposes `{word}` in its compensation `{file}`"), help);
            }
        }
        self.program_faults(&mut wrong);
        if let Some(flag) = &self.flag {
            flag.faults(config, &mut wrong);
        }
        if let Some(sql) = &self.sql {
            sql.faults(config, &mut wrong);
        }
        if self.builtin.is_some_and(Builtin::writes) != self.folder.is_some() {
            let help = "`grants`, `targets`, `package` and `backup` write into `folder`; nothing else has one";
            wrong("does not say in one way where it writes".to_owned(), help);
        }
        if self.folder.as_ref().is_some_and(|folder| !is_plain_path(folder)) {
            wrong(
                "names a `folder` that is not a plain absolute path".to_owned(),
                "write the whole path, without `..`",
            );
        }
        faults
    }

    fn program_faults(&self, wrong: &mut dyn FnMut(String, &str)) {
        let Some(program) = self.argv.first() else {
            if self.pin.is_some() || !self.env.is_empty() || self.cwd.is_some() || self.timeout.is_some() {
                wrong("has no program to which `pin`, `env`, `cwd` or `timeout` could apply".to_owned(), "remove them");
            }
            return;
        };
        if !is_plain_path(program) {
            let help = "write the whole path of the program itself: nothing is looked up in PATH";
            wrong(format!("names the program `{program}`, which is not a plain absolute path"), help);
        }
        match (self.pin, self.sha256) {
            (None, _) => {
                wrong("does not pin its program".to_owned(), "add `pin = \"sha256\"` or `pin = \"root-owned\"`")
            }
            (Some(Pin::Sha256), None) => {
                wrong("has no pinned digest".to_owned(), "add `sha256 = \"...\"`, as `sha256sum` prints it")
            }
            (Some(Pin::RootOwned), Some(_)) => {
                wrong("has a digest that nothing checks".to_owned(), "write `pin = \"sha256\"`, or leave `sha256` out");
            }
            _ => {}
        }
        if self.argv.iter().any(|argument| argument.contains('\0')) {
            wrong("has an argument with a NUL".to_owned(), "no program can be given one");
        }
        if self.cwd.as_ref().is_some_and(|cwd| !is_plain_path(cwd)) {
            wrong("names a `cwd` that is not a plain absolute path".to_owned(), "write the whole path, without `..`");
        }
        if self.timeout == Some(0) {
            wrong("has no time to run".to_owned(), "`timeout` is in seconds");
        }
        if let Some(name) = self.env.iter().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            wrong(format!("names the environment variable `{name}`, which is none"), "write names only");
        }
        if let Some(name) = self.env.iter().find(|name| is_loader_variable(name)) {
            let help = "it changes which program is run; leave it out";
            wrong(format!("passes the environment variable `{name}` on"), help);
        }
    }
}

impl FlagChange {
    fn faults(&self, config: &Config, wrong: &mut dyn FnMut(String, &str)) {
        let flags = &config.evidence.flags;
        let Some(flag) = flags.get(&self.name) else {
            let help = match nearest(&self.name, flags.keys().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "declare it under [evidence.flags]".to_owned(),
            };
            return wrong(format!("sets the flag `{}`, which is not declared", self.name), &help);
        };
        match (&flag.file, &flag.set, &self.role) {
            (Some(_), _, None) => {}
            (Some(_), ..) => {
                wrong(format!("sets the flag `{}` as a role, and it is in a file", self.name), "remove `role`")
            }
            (None, None, _) => {
                let help = format!("add `set = \"UPDATE ... SET ... = $1 ...\"` to [evidence.flags.{}]", self.name);
                wrong(format!("sets the flag `{}`, of which nothing says how it is set", self.name), &help);
            }
            (None, Some(_), None) => {
                wrong(
                    format!("sets the flag `{}` in a table as nobody", self.name),
                    "add `role`, one of [connections]",
                );
            }
            (None, Some(_), Some(role)) if !config.connections.contains_key(role) => {
                let help = format!("declare [connections.{role}]: how that role reaches the database");
                wrong(format!("sets the flag `{}` as `{role}`, for which there is no connection", self.name), &help);
            }
            (None, Some(_), Some(_)) => {}
        }
        if flag.value(self.to).is_none() {
            let which = if self.to == OnOff::On { "on" } else { "off" };
            let help = format!("add `{which} = \"...\"` to [evidence.flags.{}]", self.name);
            wrong(format!("sets the flag `{}` {which}, and no value is declared for that", self.name), &help);
        }
    }
}

impl SqlSettings {
    fn faults(&self, config: &Config, wrong: &mut dyn FnMut(String, &str)) {
        if self.name_and_types().is_none() {
            let help = "write `schema.name(type, type)`, as `\\df` prints the types";
            wrong(format!("calls `{}`, which is not a function with its schema and types", self.function), help);
        }
        if !config.connections.contains_key(&self.role) {
            let help = format!("declare [connections.{}]: how that role reaches the database", self.role);
            wrong(format!("calls its function as `{}`, for which there is no connection", self.role), &help);
        }
        if self.each.is_none() && self.arguments.values().any(|it| matches!(it, Argument::Field(_))) {
            wrong("has an argument from a row, and no `each`".to_owned(), "name the file of the rows in `each`");
        }
        if self.each.as_ref().is_some_and(|each| !is_plain_path(&each.file)) {
            wrong(
                "names a file of rows by something other than a plain absolute path".to_owned(),
                "write the whole path, without `..`",
            );
        }
        if let Some(name) = self.triggers.keys().find(|name| !name.contains('.')) {
            wrong(format!("names the relation `{name}` without its schema"), "write `schema.name`");
        }
    }

    /// Schema, name and argument types.
    pub fn name_and_types(&self) -> Option<(&str, &str, &str)> {
        let (name, types) = self.function.strip_suffix(')')?.split_once('(')?;
        let (schema, name) = name.split_once('.')?;
        (!schema.is_empty() && !name.is_empty()).then_some((schema, name, types))
    }
}

/// An absolute path in which no part means another.
pub(super) fn is_plain_path(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let whole: PathBuf = Path::new(path).components().collect();
    parts.next() == Some(Component::RootDir)
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && whole.as_os_str() == path
        && !path.contains(char::is_control)
}

/// Whether the loader of programs, or a shell, runs what this variable names.
fn is_loader_variable(name: &str) -> bool {
    name.starts_with("LD_") || ["BASH_ENV", "ENV", "GCONV_PATH", "PATH", "IFS", "SHELLOPTS"].contains(&name)
}

/// Words of SQL that take away what was done.
const TAKES_AWAY: [&str; 3] = ["delete", "drop", "truncate"];
