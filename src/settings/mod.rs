//! `cutter.toml`: what a domain tells the runtime that is neither policy nor fact.

pub mod backup;
pub mod database;
pub mod effects;
pub mod evidence;
pub mod facts;
pub mod function;
pub mod gaps;
pub mod grants;
pub mod ledger;
mod names;
pub mod observation;
pub mod observer;
mod possible;
pub mod review;
pub mod targets;

use self::backup::BackupSettings;
use self::database::DatabaseSettings;
use self::effects::Effect;
use self::evidence::EvidenceSettings;
use self::facts::FactsSettings;
use self::gaps::Gaps;
use self::grants::GrantsSettings;
use self::ledger::LedgerSettings;
use self::observer::ObserverSettings;
use self::review::ReviewSettings;
use self::targets::TargetSettings;
use crate::json::in_backticks;
use crate::problem::{Problem, Problems, Source, nearest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The configuration of one domain.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What a plan's rows can bring about, by the name a row gives in `effect`.
    #[serde(default)]
    pub effects: BTreeMap<String, Effect>,
    /// What is particular about single gates.
    #[serde(default)]
    pub gates: BTreeMap<String, Gate>,
    /// What closes each gap, for the package of a run.
    #[serde(default)]
    pub gaps: Gaps,
    /// Where the parts of the connection to PostgreSQL stand.
    pub database: Option<DatabaseSettings>,
    /// How the roles of effects reach it, by the name of the role.
    #[serde(default)]
    pub connections: BTreeMap<String, DatabaseSettings>,
    /// What a backup is of, and for whom it is encrypted.
    pub backup: Option<BackupSettings>,
    /// Which version of itself the bundle is; a ledger lets no older one decide.
    #[serde(default)]
    pub version: u64,
    /// Where the ledger lies.
    #[serde(default)]
    pub ledger: LedgerSettings,
    /// Which queries give facts.
    #[serde(default)]
    pub facts: FactsSettings,
    /// What is to be observed.
    #[serde(default)]
    pub evidence: EvidenceSettings,
    /// Who observes every run.
    pub observer: Option<ObserverSettings>,
    /// What must not be written anywhere.
    #[serde(default)]
    pub secrets: SecretSettings,
    /// Who may do what in the database.
    #[serde(default)]
    pub grants: GrantsSettings,
    /// What makes a safe target.
    #[serde(default)]
    pub targets: TargetSettings,
    /// How the review is read.
    #[serde(default)]
    pub review: ReviewSettings,
    /// Where each effect is declared, by its name.
    #[serde(skip)]
    places: BTreeMap<String, (Source, Range<usize>)>,
}

/// What is particular about one gate.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What every output says loudly while an approval of this gate is in force.
    pub mark: Option<String>,
}

/// What must not be written anywhere.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretSettings {
    /// Environment variables whose values are secrets, beside those that `[database]` and `[ledger]` name.
    #[serde(default)]
    pub variables: Vec<String>,
}

impl Config {
    /// What every output says loudly while an approval of this gate is in force.
    pub fn mark(&self, gate: &str) -> Option<&str> {
        self.gates.get(gate)?.mark.as_deref()
    }

    /// The environment variables whose values are secrets, sorted: hosts, ports and names of roles and databases are none.
    pub fn secret_variables(&self) -> Vec<String> {
        let databases = self.database.iter().chain(&self.ledger.database).chain(self.connections.values());
        let of_database = databases.flat_map(|database| [&database.url_env, &database.password_env]).flatten();
        let all: BTreeSet<&String> = of_database.chain(&self.secrets.variables).collect();
        all.into_iter().cloned().collect()
    }

    /// Where an effect is declared, as messages say it: `cutter.toml:12`.
    pub fn place_of_effect(&self, name: &str) -> String {
        match self.places.get(name) {
            Some((source, at)) => format!("{}:{}", source.name(), source.position(at.start).0),
            None => "cutter.toml".to_owned(),
        }
    }

    /// The file in which an effect is declared, and where.
    pub fn declared(&self, effect: &str) -> Option<(&Source, Range<usize>)> {
        self.places.get(effect).map(|(source, at)| (source, at.clone()))
    }

    /// Reads `cutter.toml` and everything that its sections say of themselves; an unknown key is an error.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        let mut config = Self::read(source)?;
        config.places = places_of_effects(source);
        let mut problems = Problems::new();
        problems.absorb(config.evidence.check());
        problems.absorb(config.review.check());
        problems.absorb(config.check_effects());
        for (text, help) in config.backup.iter().flat_map(|backup| backup.faults(&config)) {
            problems.push(Problem::invalid(format!("[backup] in cutter.toml {text}")).help(help));
        }
        for (text, help) in config.observer.iter().flat_map(ObserverSettings::faults) {
            problems.push(Problem::invalid(format!("[observer] in cutter.toml {text}")).help(help));
        }
        if config.grants != GrantsSettings::default() {
            problems.absorb(config.grants.check());
        }
        problems.of(source).or(config)
    }

    fn read(source: &Source) -> Result<Self, Problems> {
        if let Err(error) = toml::from_str::<Self>(source.text())
            && let Some(line) = error.span().and_then(|span| connection_line(source, span.start))
        {
            // Somebody may have written a password there; nothing of it is repeated.
            let message = format!("`{}` cannot be read: line {line}, where a connection is described", source.name());
            return Err(Problem::invalid(message).help(
                "it may have `url_env`, or `host`, `port`, `user`, `dbname` (each also with `_env`), `password_env`, `passfile`, `service`, `service_file`, and `ca_file`, `statement_timeout_seconds`, `lock_timeout_seconds`; a password never stands here",
            ).into());
        }
        read_toml(source)
    }
}

/// Reads a file of TOML; what does not fit is said in words that people who write TOML know, at its place.
pub fn read_toml<T: DeserializeOwned>(source: &Source) -> Result<T, Problems> {
    toml::from_str(source.text()).map_err(|error| {
        let (message, help) = told(error.message().trim());
        let mut problem = Problem::invalid(format!("`{}` cannot be read: {message}", source.name()));
        problem.help = help;
        Problems::from(match error.span() {
            Some(span) => problem.at(source, span),
            None => problem.of(source),
        })
    })
}

/// Where each effect is declared, in a configuration that was read before.
fn places_of_effects(source: &Source) -> BTreeMap<String, (Source, Range<usize>)> {
    #[derive(Deserialize)]
    struct Names {
        #[serde(default)]
        effects: BTreeMap<toml::Spanned<String>, toml::Value>,
    }
    let names: Option<Names> = toml::from_str(source.text()).ok();
    let names = names.into_iter().flat_map(|names| names.effects.into_keys());
    names.map(|key| (key.get_ref().clone(), (source.clone(), key.span()))).collect()
}

/// What the reader of TOML says, in our words, and what to do.
fn told(message: &str) -> (String, Option<String>) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [unknown, known @ ..] if message.starts_with("unknown field") || message.starts_with("unknown variant") => {
            let help = match nearest(unknown, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there may be {}", in_backticks(known)),
            };
            let what = if message.starts_with("unknown field") { "key" } else { "value" };
            (format!("it has the unknown {what} `{unknown}`"), Some(help))
        }
        [missing, ..] if message.starts_with("missing field") => (format!("it lacks `{missing}`"), None),
        _ => match message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
            Some((found, wanted)) => (format!("it has {} where {} belongs", article(found), plain_type(wanted)), None),
            None => (message.replace('\n', " "), None),
        },
    }
}

fn article(found: &str) -> String {
    let first = found.split(' ').next().unwrap_or_default();
    if first == "map" || first == "sequence" {
        return if first == "map" { "a table".to_owned() } else { "an array".to_owned() };
    }
    format!("the {found}")
}

/// A type as people who write TOML know it.
fn plain_type(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => "a whole number",
        "a sequence" => "an array",
        "a boolean" => "true or false",
        "path string" => "a path",
        "a map" => "a table",
        _ if wanted.starts_with("struct ") => "a table",
        other => other,
    }
}

/// The line of an offset, if it belongs to what describes a connection.
fn connection_line(source: &Source, offset: usize) -> Option<usize> {
    let (line, _) = source.position(offset);
    let lines: Vec<&str> = source.text().lines().take(line).map(str::trim).collect();
    let own = lines.last().is_some_and(|own| own.contains("database") || own.contains("password"));
    let header = lines.iter().rev().find(|line| line.starts_with('['));
    (own || header.is_some_and(|header| ["database", "ledger", "connections"].iter().any(|word| header.contains(word))))
        .then_some(line)
}
