//! Mutants of what an effect of `cutter.toml` is pinned by, and who notices one: no policy is changed, so that no case or proof can.

use super::{Fate, Judges};
use crate::digest::Digest;
use crate::findings::{Check, Finding, Part, Place, rules};
use crate::problem::Source;
use crate::review::effects::effects;
use crate::review::pinned::pinned;
use crate::settings::Config;
use crate::settings::effects::{Effect, FlagChange, OnOff, Pin};
use crate::settings::function::SqlSettings;
use crate::subject::Subject;
use std::collections::BTreeSet;

/// A configuration in which one pin was changed.
#[derive(Clone, Debug)]
pub(super) struct PinMutant {
    /// The name of the effect.
    effect: String,
    /// What was changed: `pin root-owned made sha256`.
    what: String,
    config: Config,
}

/// Every mutant of a pin, and who noticed it.
pub(super) fn judged(
    subject: &Subject,
    config: &Config,
    judges: &Judges<'_>,
    is_over: &dyn Fn() -> bool,
) -> Vec<(PinMutant, Fate)> {
    let fate = |mutant: &PinMutant| match judges.table {
        _ if is_over() => Fate::NotRun,
        _ if is_found_by_review(subject, config, mutant) => Fate::Review,
        Some(table) if is_listed_otherwise(config, mutant, table) => Fate::Table,
        _ => Fate::Survived,
    };
    let with = |mutant: PinMutant| (mutant.clone(), fate(&mutant));
    mutants(config).into_iter().map(with).collect()
}

/// A check for each mutant of a pin, and a finding for each that survived.
pub(super) fn tell(config: Option<&Config>, pins: &[(PinMutant, Fate)], part: &mut Part) {
    for (mutant, fate) in pins {
        let about = format!("[effects.{}]", mutant.effect);
        part.checks.push(Check { outcome: fate.outcome(), name: format!("{about}: {}", mutant.what) });
        if *fate == Fate::Survived {
            let finding = Finding::new(&rules::SURVIVING_MUTANT, about, format!("nothing notices: {}", mutant.what));
            let help = "commit the table that lists pins: `cutter review matrix --output review/matrix.txt`";
            let place = config.and_then(|config| config.declared(&mutant.effect));
            let place = place.map(|(source, at)| Place::new(source, at));
            part.findings.push(place.into_iter().fold(finding, Finding::at).help(help));
        }
    }
}

/// Every mutant of the effects' pins; what is not valid, such as a program without any, is none.
fn mutants(config: &Config) -> Vec<PinMutant> {
    let mut made = Vec::new();
    for (name, effect) in &config.effects {
        let mut take = |what: String, changed: Config| {
            let is_new = changed != *config && made.iter().all(|known: &PinMutant| known.config != changed);
            if is_new && changed.check_effects().is_ok() {
                made.push(PinMutant { effect: name.clone(), what, config: changed });
            }
        };
        let with = |change: &dyn Fn(&mut Effect)| {
            let mut changed = config.clone();
            changed.effects.get_mut(name).into_iter().for_each(change);
            changed
        };
        for (what, change) in of_program(effect) {
            take(what, with(&*change));
        }
        for (what, change) in effect.sql.iter().flat_map(|sql| of_function(sql, config)) {
            take(what, with(&|effect| effect.sql.iter_mut().for_each(&change)));
        }
        if let Some(flag) = &effect.flag {
            let other = if flag.to == OnOff::On { OnOff::Off } else { OnOff::On };
            let to = |flag: &mut FlagChange| flag.to = other;
            take("on and off of its switch exchanged".to_owned(), with(&|effect| effect.flag.iter_mut().for_each(to)));
            for role in others(config.connections.keys(), flag.role.iter()) {
                let by = |flag: &mut FlagChange| flag.role = flag.role.as_ref().map(|_| role.clone());
                take(format!("its switch set as {role}"), with(&|effect| effect.flag.iter_mut().for_each(by)));
            }
            let mut changed = config.clone();
            if let Some(settings) = changed.evidence.flags.get_mut(&flag.name) {
                std::mem::swap(&mut settings.on, &mut settings.off);
            }
            take(format!("the values of on and off of {} exchanged", flag.name), changed);
        }
    }
    made
}

/// A change, and what it is called.
type Change<T> = (String, Box<dyn Fn(&mut T)>);

fn of_program(effect: &Effect) -> Vec<Change<Effect>> {
    let mut made: Vec<Change<Effect>> = Vec::new();
    match (effect.pin, effect.sha256) {
        (Some(Pin::RootOwned), _) => made.push((
            "pin root-owned made sha256".to_owned(),
            Box::new(|effect| (effect.pin, effect.sha256) = (Some(Pin::Sha256), Some(other(None)))),
        )),
        (Some(Pin::Sha256), digest) => {
            made.push((
                "pin sha256 made root-owned".to_owned(),
                Box::new(|effect| (effect.pin, effect.sha256) = (Some(Pin::RootOwned), None)),
            ));
            made.push(("sha256 another".to_owned(), Box::new(move |effect| effect.sha256 = Some(other(digest)))));
        }
        (None, _) => {}
    }
    if let Some(digest) = effect.interpreter_sha256 {
        made.push(("interpreter_sha256 dropped".to_owned(), Box::new(|effect| effect.interpreter_sha256 = None)));
        let change = move |effect: &mut Effect| effect.interpreter_sha256 = Some(other(Some(digest)));
        made.push(("interpreter_sha256 another".to_owned(), Box::new(change)));
    }
    made
}

fn of_function(sql: &SqlSettings, config: &Config) -> Vec<Change<SqlSettings>> {
    let mut made: Vec<Change<SqlSettings>> = Vec::new();
    let digest = other(Some(sql.definition_sha256));
    made.push(("definition_sha256 another".to_owned(), Box::new(move |sql| sql.definition_sha256 = digest)));
    for role in others(config.connections.keys(), [&sql.role].into_iter()) {
        made.push((format!("role made {role}"), Box::new(move |sql| sql.role.clone_from(&role))));
    }
    let role = sql.role.clone();
    made.push((format!("owner made {role}"), Box::new(move |sql| sql.owner.clone_from(&role))));
    if sql.rolls_back {
        made.push(("rolls_back dropped".to_owned(), Box::new(|sql| sql.rolls_back = false)));
    }
    for (relation, triggers) in &sql.triggers {
        for (trigger, digest) in triggers {
            let (of, name, digest) = (relation.clone(), trigger.clone(), other(Some(*digest)));
            let change = move |sql: &mut SqlSettings| {
                sql.triggers.get_mut(&of).and_then(|all| all.insert(name.clone(), digest));
            };
            made.push((format!("trigger {trigger} of {relation} another"), Box::new(change)));
            let (of, name) = (relation.clone(), trigger.clone());
            let change = move |sql: &mut SqlSettings| {
                sql.triggers.get_mut(&of).and_then(|all| all.remove(&name));
            };
            made.push((format!("trigger {trigger} of {relation} dropped"), Box::new(change)));
        }
        let of = relation.clone();
        let change = move |sql: &mut SqlSettings| drop(sql.triggers.remove(&of));
        made.push((format!("all triggers of {relation} dropped"), Box::new(change)));
    }
    if let Some(each) = &sql.each {
        let produced = config.effects.values().flat_map(|effect| effect.produces.keys());
        for fact in others(produced, [&each.sha256_fact].into_iter()) {
            let change = {
                let fact = fact.clone();
                move |sql: &mut SqlSettings| sql.each.iter_mut().for_each(|each| each.sha256_fact.clone_from(&fact))
            };
            made.push((format!("sha256_fact made {fact}"), Box::new(change)));
        }
    }
    made
}

/// Another digest than this one.
fn other(digest: Option<Digest>) -> Digest {
    Digest::of(digest.map(|digest| digest.to_string()).unwrap_or_default().as_bytes())
}

/// Some of the names that are none of these.
fn others<'a>(all: impl Iterator<Item = &'a String>, not: impl Iterator<Item = &'a String>) -> Vec<String> {
    let not: BTreeSet<&String> = not.collect();
    all.filter(|name| !not.contains(name)).take(OTHERS).cloned().collect()
}

/// Whether the review says of the mutant's effects what it does not say of those that are.
fn is_found_by_review(subject: &Subject, config: &Config, mutant: &PinMutant) -> bool {
    let nowhere = Source::new("cutter.toml", "");
    let said = |config: &Config| -> BTreeSet<(&'static str, String, String)> {
        let found = effects(config, &nowhere, subject).findings;
        found.into_iter().map(|finding| (finding.rule.number, finding.about, finding.message)).collect()
    };
    !said(&mutant.config).is_subset(&said(config))
}

/// Whether the committed table lists the pins otherwise than the mutant has them.
fn is_listed_otherwise(config: &Config, mutant: &PinMutant, table: &str) -> bool {
    let (old, new) = (pinned(config), pinned(&mutant.config));
    old.iter().any(|line| !new.contains(line) && table.lines().any(|listed| listed == line))
}

/// How many other names are tried in one place.
const OTHERS: usize = 2;
