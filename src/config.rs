//! `cutter.toml`: what a domain tells the runtime that is neither policy nor fact.

use crate::problem::{Problem, Problems, Source};
use serde::Deserialize;
use std::collections::BTreeMap;

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
}

/// What is particular about one gate.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What every output says loudly while an approval of this gate is in force.
    pub mark: Option<String>,
}

/// One thing that a row can bring about.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// What happens, in one sentence for people.
    pub does: String,
    /// Exactly the command that brings it about: program and arguments, run without a shell.
    #[serde(default)]
    pub argv: Vec<String>,
}

impl Config {
    /// Reads `cutter.toml`; an unknown key is an error.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        toml::from_str(source.text()).map_err(|error| {
            let message = format!("`{}` cannot be read: {}", source.name(), error.message().trim());
            let problem = Problem::invalid(message);
            Problems::from(match error.span() {
                Some(span) => problem.at(source, span),
                None => problem.of(source),
            })
        })
    }
}
