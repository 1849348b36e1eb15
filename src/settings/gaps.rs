//! `[gaps]` of `cutter.toml`: what closes a gap, by whom, and with which command, for the package of a run.

use serde::Deserialize;
use std::collections::BTreeMap;

/// What closes one gap.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapSettings {
    /// Step by step, in order.
    pub steps: Vec<GapStep>,
}

/// One step of it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapStep {
    /// Who does it.
    pub who: String,
    /// What that is, in one sentence.
    pub does: String,
    /// The command, word by word: `{plan}`, `{run}`, `{package}` and `{target.NAME}` are filled in, `$NAME` is a variable that whoever
    /// does it sets.
    #[serde(default)]
    pub run: Vec<String>,
    /// The codes that it may exit with; 0 where nothing is said.
    #[serde(default = "well")]
    pub exits: Vec<u8>,
}

fn well() -> Vec<u8> {
    vec![0]
}

/// What gaps there are steps for, by their names.
pub type Gaps = BTreeMap<String, GapSettings>;
