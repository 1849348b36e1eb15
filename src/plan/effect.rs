//! A row and its effect: what the effect fixes is taken from it, what it leaves open is the row's, and all else contradicts.

use super::row::Vocabulary;
use super::work::{FlagPlace, FlagTask, Program, ProgramPin, SqlArgument, SqlTask, Task, Work};
use crate::json;
use crate::settings::Config;
use crate::settings::effects::{Builtin, Effect, OnOff, Pin};
use crate::settings::function::{Argument, SqlSettings};
use cedar_policy::{EntityTypeName, EntityUid};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr as _;

/// What is wrong between a row and its effect: a sentence, and what to do.
pub type Contradiction = (String, String);

/// An effect as a row of a plan meets it.
pub struct Offer<'a> {
    name: &'a str,
    effect: &'a Effect,
    config: &'a Config,
}

/// A parameter that a row itself gives.
type Own = Map<String, Value>;

impl<'a> Offer<'a> {
    /// The effect of this name, if there is one.
    pub fn find(config: &'a Config, name: &'a str) -> Option<Self> {
        Some(Self { name, effect: config.effects.get(name)?, config })
    }

    /// The action that it is; the row may repeat it.
    pub fn action(&self, own: Option<&str>, vocabulary: &Vocabulary<'_>) -> Result<EntityUid, Contradiction> {
        let action = EntityUid::from_str(&self.effect.action).ok().filter(|action| vocabulary.has_action(action));
        let Some(action) = action else {
            let help = format!("correct `action` at {}", self.place());
            return Err((
                format!("its effect `{}` is not an action of the schema: `{}`", self.name, self.effect.action),
                help,
            ));
        };
        match own.filter(|own| EntityUid::from_str(own).ok().as_ref() != Some(&action)) {
            None => Ok(action),
            Some(own) => Err(self.contradicts("the action", own, &action.to_string())),
        }
    }

    /// What it touches: its own resource, which the row may repeat, or one of its type, which the row names.
    pub fn resource(&self, own: Option<&str>) -> Result<EntityUid, Contradiction> {
        let resource = &self.effect.resource;
        let of_row = own.map(|own| EntityUid::from_str(own).map_err(|_| own));
        if let Ok(fixed) = EntityUid::from_str(resource) {
            return match of_row {
                None => Ok(fixed),
                Some(Ok(own)) if own == fixed => Ok(fixed),
                Some(_) => Err(self.contradicts("the resource", own.unwrap_or_default(), resource)),
            };
        }
        let Ok(kind) = EntityTypeName::from_str(resource) else {
            let help = format!("correct `resource` at {}", self.place());
            return Err((
                format!("its effect `{}` touches neither an entity nor a type: `{resource}`", self.name),
                help,
            ));
        };
        match of_row {
            Some(Ok(own)) if *own.type_name() == kind => Ok(own),
            Some(_) => Err(self.contradicts("the resource", own.unwrap_or_default(), resource)),
            None => {
                let message = format!("it names no resource, and its effect `{}` leaves it open", self.name);
                Err((message, format!("name a `{kind}`, as {} asks", self.place())))
            }
        }
    }

    /// All parameters: those that it fixes, and the row's own for those that it leaves open.
    pub fn parameters(&self, own: &Own) -> Result<Own, Vec<Contradiction>> {
        let mut wrong = Vec::new();
        for (name, value) in own.iter().filter(|(name, _)| *name != "run") {
            match self.effect.context.get(name) {
                Some(fixed) if json::canonical(fixed) == json::canonical(value) => {}
                Some(fixed) => {
                    wrong.push(self.contradicts(&format!("`{name}`"), &value.to_string(), &fixed.to_string()));
                }
                None if self.effect.open.contains(name) => {}
                None => {
                    let message = format!("it gives `{name}`, which its effect `{}` does not leave open", self.name);
                    wrong.push((message, format!("remove it, or have {} list it in `open`", self.place())));
                }
            }
        }
        let fixed = self.effect.context.iter().map(|(name, value)| (name.clone(), value.clone()));
        if wrong.is_empty() { Ok(own.clone().into_iter().chain(fixed).collect()) } else { Err(wrong) }
    }

    /// Where it is declared.
    pub fn place(&self) -> String {
        self.config.place_of_effect(self.name)
    }

    /// Exactly what runs, with these parameters.
    pub fn work(&self, resource: &EntityUid, parameters: &Own) -> Result<Work, Contradiction> {
        let effect = self.effect;
        let task = if let Some(sql) = &effect.sql {
            Task::Sql(self.sql(sql, parameters)?)
        } else if let (Some(Builtin::Backup), Some(settings), Some(folder)) =
            (effect.builtin, &self.config.backup, &effect.folder)
        {
            Task::Backup(Box::new(settings.clone()), folder.clone())
        } else if let Some(builtin) = effect.builtin {
            Task::Builtin(builtin, effect.folder.clone())
        } else if let Some(task) = self.flag() {
            Task::Flag(task)
        } else {
            Task::Program(self.program(resource, parameters)?)
        };
        let moves =
            |moves: &BTreeMap<String, _>| moves.iter().map(|(name, by)| (name.clone(), format!("{by}"))).collect();
        Ok(Work {
            effect: Some(self.name.to_owned()),
            does: effect.does.clone(),
            task,
            expects: effect.expects.iter().map(|(id, by)| (id.clone(), moves(by))).collect(),
            produces: effect.produces.clone(),
            repeatable: effect.repeatable || effect.flag.as_ref().is_some_and(|change| change.to == OnOff::Off),
        })
    }

    fn flag(&self) -> Option<FlagTask> {
        let change = self.effect.flag.as_ref()?;
        let flag = self.config.evidence.flags.get(&change.name)?;
        let place = match (&flag.file, &flag.pattern) {
            (Some(file), Some(pattern)) => FlagPlace::File(file.clone(), pattern.clone()),
            _ => {
                let (query, set, role) = (flag.query.clone()?, flag.set.clone()?, change.role.clone()?);
                FlagPlace::Row { query, set, role }
            }
        };
        Some(FlagTask { name: change.name.clone(), place, to: flag.value(change.to)?.to_owned() })
    }

    fn program(&self, resource: &EntityUid, parameters: &Own) -> Result<Program, Contradiction> {
        let effect = self.effect;
        let mut argv = Vec::new();
        for argument in &effect.argv {
            argv.push(self.filled(argument, resource, parameters)?);
        }
        let pin = match (effect.pin, effect.sha256) {
            (Some(Pin::RootOwned), _) => ProgramPin::RootOwned,
            (_, Some(digest)) => ProgramPin::Sha256(digest),
            _ => ProgramPin::Missing,
        };
        Ok(Program {
            argv,
            pin,
            interpreter: effect.interpreter_sha256,
            env: effect.env.clone(),
            cwd: effect.cwd.clone().unwrap_or_else(|| "/".to_owned()),
            timeout_seconds: effect.timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }

    /// An argument with its holes filled; what fills them never makes another argument, nor an option of one.
    fn filled(&self, argument: &str, resource: &EntityUid, parameters: &Own) -> Result<String, Contradiction> {
        let mut text = String::new();
        let mut rest = argument;
        while let Some((before, name, after)) = hole(rest) {
            let value = match name {
                "resource" => resource.id().unescaped().to_owned(),
                name => {
                    let value = parameters.get(name).map(json::plain);
                    value.ok_or_else(|| self.unfillable(name, "is not a parameter"))?.unwrap_or_default()
                }
            };
            let starts_option = before.is_empty() && text.is_empty() && value.starts_with('-');
            if value.is_empty() || starts_option || value.contains(char::is_control) {
                return Err(self.unfillable(name, "would be empty, an option or not printable"));
            }
            text.push_str(before);
            text.push_str(&value);
            rest = after;
        }
        Ok(text + rest)
    }

    fn sql(&self, sql: &SqlSettings, parameters: &Own) -> Result<SqlTask, Contradiction> {
        let mut arguments = BTreeMap::new();
        for (name, argument) in &sql.arguments {
            let value = match argument {
                Argument::Value(given) => Some(&given.value),
                Argument::Parameter(given) => {
                    let value = parameters.get(&given.parameter);
                    Some(value.ok_or_else(|| self.unfillable(&given.parameter, "is not a parameter"))?)
                }
                Argument::Fact(_) | Argument::Field(_) => None,
            };
            let argument = match (value, argument) {
                (_, Argument::Fact(given)) => SqlArgument::Fact(given.fact.clone()),
                (_, Argument::Field(given)) => SqlArgument::Field(given.field.clone()),
                (None | Some(Value::Null), _) => SqlArgument::Null,
                (Some(value), _) => match json::plain(value) {
                    Some(text) => SqlArgument::Text(text),
                    None => return Err(self.unfillable(name, "has a value that no argument can be")),
                },
            };
            arguments.insert(name.clone(), argument);
        }
        Ok(SqlTask {
            function: sql.function.clone(),
            arguments,
            role: sql.role.clone(),
            owner: sql.owner.clone(),
            definition: sql.definition_sha256,
            triggers: sql.triggers.clone(),
            each: sql.each.as_ref().map(|each| (PathBuf::from(&each.file), each.sha256_fact.clone())),
            answers: sql.answers.clone(),
            rolls_back: sql.rolls_back,
        })
    }

    fn unfillable(&self, name: &str, why: &str) -> Contradiction {
        let message = format!("the work of its effect `{}` cannot be made: `{name}` {why}", self.name);
        (message, format!("the effect is declared at {}", self.place()))
    }

    fn contradicts(&self, what: &str, own: &str, fixed: &str) -> Contradiction {
        let message = format!("{what} is `{own}`, and its effect `{}` has `{fixed}`", self.name);
        (message, format!("{} fixes it: leave it out of the row, or name another effect", self.place()))
    }
}

/// The first hole of an argument: what stands before it, its name, and what comes after.
fn hole(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find('{')?;
        let inner = text.get(open + 1..)?;
        let end = inner.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        if let Some(end) = end.filter(|end| *end > 0 && inner.get(*end..).is_some_and(|rest| rest.starts_with('}'))) {
            return Some((text.get(..open)?, inner.get(..end)?, inner.get(end + 1..)?));
        }
        from = open + 1;
    }
}

/// For programs of which nothing else is said, in seconds.
pub const DEFAULT_TIMEOUT: u64 = 600;
