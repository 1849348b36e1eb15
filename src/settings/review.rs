//! `[review]` of `cutter.toml`: how grave the findings of a rule are in this project, and why.

use crate::problem::{Problem, Problems};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a project reads its review.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReviewSettings {
    /// The least severity that fails: `note`, `warning` or `error`.
    pub fail_on: Option<FailOn>,
    /// Rules that are read otherwise, by their number or name.
    pub rules: BTreeMap<String, RuleSetting>,
}

/// The least severity that fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "internals",
    expect(missing_docs, reason = "they are the severities of findings, which are explained there")
)]
pub enum FailOn {
    Note,
    Warning,
    Error,
}

/// How the findings of one rule are read, and why.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSetting {
    /// How grave they are, or `off`.
    pub severity: RuleSeverity,
    /// Why; a setting without a reason is an error.
    pub reason: String,
}

/// How grave the findings of a rule are in a project.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "internals",
    expect(missing_docs, reason = "they are the severities of findings, which are explained there")
)]
pub enum RuleSeverity {
    Off,
    Note,
    Warning,
    Error,
}

impl ReviewSettings {
    /// Refuses what does not say why.
    pub(super) fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::new();
        for (rule, _) in self.rules.iter().filter(|(_, setting)| setting.reason.trim().is_empty()) {
            let message = format!("`[review.rules.{rule}]` does not say why");
            problems.push(Problem::invalid(message).help("write a `reason`"));
        }
        problems.or(())
    }
}
