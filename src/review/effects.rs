//! Whether what effects say they are is what will be judged: some ban is about it, and no other effect does the same under another name.

use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::policy::BundlePolicy;
use crate::problem::Source;
use crate::settings::Config;
use crate::settings::effects::Effect;
use crate::subject::{Subject, groups};
use cedar_policy::{Effect as Answer, EntityUid};
use std::str::FromStr as _;

/// Looks at every effect of the configuration.
pub fn effects(config: &Config, source: &Source, subject: &Subject) -> Part {
    let mut part = Part { name: "effects", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (name, effect) in &config.effects {
        let header = format!("[effects.{name}]");
        let at = source.text().find(&header).map_or(0..0, |at| at..at + header.len());
        let before = part.findings.len();
        let mut found = |rule, message: String, help: String| {
            part.findings.push(Finding::new(rule, name.clone(), message).at(Place::new(source, at.clone())).help(help));
        };
        if let Some(action) = unrestricted(effect, subject) {
            let message =
                format!("it is `{action}`, which changes something, and no policy forbids that to anybody ever");
            found(&rules::UNRESTRICTED_EFFECT, message, "add a forbid that says when it must not be".to_owned());
        }
        let other = config.effects.iter().find(|(_, other)| other.action != effect.action && same_work(other, effect));
        if let Some((other_name, other)) = other {
            let message = format!(
                "it does what `{other_name}` does, and is judged as `{}`, not as `{}`",
                effect.action, other.action
            );
            let help = "declare one of them: else a run has the same done under whichever name is allowed".to_owned();
            found(&rules::WORK_OF_TWO_ACTIONS, message, help);
        }
        let outcome = if part.findings.len() == before { Outcome::Held } else { Outcome::Failed };
        part.checks.push(Check { name: name.clone(), outcome });
    }
    part.summary = format!("{} effects", config.effects.len());
    part
}

/// The action of an effect, where it changes something and none of the bundle's bans covers it.
fn unrestricted<'a>(effect: &'a Effect, subject: &Subject) -> Option<&'a str> {
    let action = EntityUid::from_str(&effect.action).ok()?;
    let bans = |policy: &BundlePolicy| {
        policy.policy.effect() == Answer::Forbid && subject.covers_action(&policy.policy, &action)
    };
    let is_free = subject.in_group(&action, groups::MUTATING) && !subject.bundle.own().iter().any(bans);
    is_free.then_some(effect.action.as_str())
}

/// Whether the same would run, whatever the two are called and say of themselves.
fn same_work(one: &Effect, other: &Effect) -> bool {
    one.argv == other.argv
        && one.sql == other.sql
        && one.flag == other.flag
        && one.builtin == other.builtin
        && one.folder == other.folder
        // A program that the row's own words tell what to do is another one with other words.
        && !one.argv.iter().any(|word| word.contains('{'))
}
