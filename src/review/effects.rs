//! Whether what effects say they are is what will be judged: some ban is about it, and no other effect does the same under another name;
//! and whether what the configuration names is there.

use crate::findings::headline::counted;
use crate::findings::{Check, Finding, Outcome, Part, Place, rules};
use crate::lint::{is_observed, unknown_evidence};
use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::problem::{Source, nearest};
use crate::review::changes::settings;
use crate::settings::Config;
use crate::settings::effects::Effect;
use crate::subject::{Subject, groups};
use cedar_policy::{Effect as Answer, EntityUid};
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// Looks at every effect of the configuration.
pub fn effects(config: &Config, source: &Source, subject: &Subject) -> Part {
    let mut part = Part { name: "effects", summary: String::new(), checks: Vec::new(), findings: Vec::new() };
    for (name, effect) in &config.effects {
        let at = settings::place(source, &format!("effects.{name}"));
        let before = part.findings.len();
        let mut found = |rule, message: String, help: String| {
            part.findings.push(Finding::new(rule, name.clone(), message).at(at.clone()).help(help));
        };
        if let Some(action) = unrestricted(effect, subject) {
            let message = format!("it is `{action}`, which changes something, and no policy ever forbids it");
            found(&rules::UNRESTRICTED_EFFECT, message, "add a forbid that says when it must not be".to_owned());
        }
        let other = config.effects.iter().find(|(_, other)| other.action != effect.action && other.runs_what(effect));
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
    part.findings.extend(unknown(config, source, subject));
    part.summary = counted(config.effects.len(), "effect");
    part
}

/// Names of gates, gaps and observations in the configuration that nothing else knows.
fn unknown(config: &Config, source: &Source, subject: &Subject) -> Vec<Finding> {
    let gap = |policy: &BundlePolicy| match &policy.annotations.tier {
        Some(Tier::Precondition(gap)) => Some(gap.clone()),
        _ => None,
    };
    let gaps: BTreeSet<String> = subject.bundle.own().iter().filter_map(gap).collect();
    let gates: BTreeSet<String> = subject.bundle.schema().gates().iter().cloned().collect();
    let mut findings = Vec::new();
    let mut find = |rule, section: String, name: &str, message: String, known: &BTreeSet<String>| {
        let help = match nearest(name, known.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "correct it, or take it out of `cutter.toml`".to_owned(),
        };
        let start = settings::place(source, &section).span.start;
        let named = source.text().get(start..).and_then(|rest| rest.find(name)).map(|at| start + at);
        let at = named.map_or(start..start, |at| at..at + name.len());
        findings.push(Finding::new(rule, format!("[{section}]"), message).at(Place::new(source, at)).help(help));
    };
    for gate in config.gates.keys().filter(|gate| !gates.contains(*gate)) {
        let message = format!("there is no gate `{gate}`: nothing is marked by it");
        find(&rules::INVALID, format!("gates.{gate}"), gate, message, &gates);
    }
    for gap in config.gaps.keys().filter(|gap| !gaps.contains(*gap)) {
        let message = format!("no ban has the gap `{gap}`: nobody is shown its steps");
        find(&rules::INVALID, format!("gaps.{gap}"), gap, message, &gaps);
    }
    let observed = subject.observed.clone().unwrap_or_default();
    for (name, effect) in &config.effects {
        for id in effect.expects.keys().filter(|id| !is_observed(id, &observed)) {
            let message = format!("nothing observes `{id}`, which it is to change");
            find(unknown_evidence(), format!("effects.{name}"), id, message, &observed);
        }
    }
    findings
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
