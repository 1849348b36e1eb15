//! Properties as data: policies under `invariants/`, in which a `forbid` is a ceiling and a `permit` a floor.

use super::likeness;
use crate::cedar::scope;
use crate::json::in_backticks;
use crate::policy::{self, PolicyBundle};
use crate::problem::{Problem, Problems, Source, nearest};
use crate::schema::RunSchema;
use cedar_policy::{Effect, EntityUid, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use std::collections::BTreeSet;
use std::ops::Range;

/// One property of the bundle.
#[derive(Clone, Debug)]
pub struct Invariant {
    /// Kebab-case, unique among the invariants.
    pub id: String,
    /// What it says, for people.
    pub title: Option<String>,
    /// How it is asked; each of them is a question of its own.
    pub asked: Vec<Asked>,
    /// The policy itself.
    pub policy: Policy,
    /// The policy with each of its conditions alone, where there are several.
    pub clauses: Vec<Policy>,
    /// The file it stands in.
    pub source: Source,
    /// The bytes of it.
    pub span: Range<usize>,
    /// Whether the prelude promises it of every bundle, and no file of the bundle states it.
    pub is_promise: bool,
}

/// Which policies a property is asked of, from `@of`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Asked {
    /// Never, by the bans alone: whatever this matches, a shipped `forbid` matches, whoever may permit it.
    NeverByBans,
    /// Never, by the permits alone: no shipped `permit` matches what this matches, with every ban gone.
    NeverByPermits,
    /// Never, by the whole bundle.
    Never,
    /// Needed: an approval ban of this gate matches whatever this matches.
    Need(String),
    /// Always: the whole bundle allows what this matches.
    Always,
    /// Never barred: no ban matches what this matches.
    AlwaysByBans,
    /// Lifted: no approval ban of this gate matches what this matches.
    Lift(String),
}

impl Asked {
    /// The kind of property, as the catalogue calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NeverByBans | Self::NeverByPermits | Self::Never => "never",
            Self::Need(_) => "need",
            Self::Always | Self::AlwaysByBans => "always",
            Self::Lift(_) => "lift",
        }
    }

    /// The value of `@of`.
    pub fn of(&self) -> &'static str {
        match self {
            Self::NeverByBans | Self::AlwaysByBans => "bans",
            Self::NeverByPermits => "permits",
            Self::Never | Self::Always => "shipped",
            Self::Need(_) | Self::Lift(_) => "gate",
        }
    }
}

/// Every invariant of a bundle: those of its files, and what the prelude promises of each.
pub fn of_bundle(sources: &[Source], bundle: &PolicyBundle) -> Result<Vec<Invariant>, Problems> {
    let mut problems = Problems::new();
    let mut invariants = parse(sources, bundle.schema())?;
    for own in invariants.iter().filter(|own| policy::is_reserved(&own.id)) {
        let problem = Problem::invalid(format!("invariant `{}` has an id of the prelude's", own.id));
        problems.push(problem.at(&own.source, own.span.clone()).help("rename it"));
    }
    invariants.extend(promises(bundle)?);
    problems.or(invariants)
}

/// What the prelude promises of a bundle, as far as the bundle has actions that it is about.
fn promises(bundle: &PolicyBundle) -> Result<Vec<Invariant>, Problems> {
    let actions = bundle.schema().schema().action_entities();
    let actions = actions.map_err(|error| Problem::invalid(format!("the schema's actions cannot be read: {error}")))?;
    let asked: BTreeSet<EntityUid> = bundle.schema().schema().request_envs().map(|of| of.action().clone()).collect();
    let mut promises = read(&[bundle.prelude().promised()], bundle.schema().gates())?;
    promises.retain(|promise| asked.iter().any(|action| scope::covers_action(&promise.policy, action, &actions)));
    promises.iter_mut().for_each(|promise| promise.is_promise = true);
    let mut problems = Problems::new();
    validate(&promises, bundle.schema(), &mut problems);
    problems.or(promises)
}

/// Reads every invariant of the files; all that is wrong is reported together.
pub fn parse(sources: &[Source], schema: &RunSchema) -> Result<Vec<Invariant>, Problems> {
    let invariants = read(sources, schema.gates())?;
    let mut problems = Problems::new();
    validate(&invariants, schema, &mut problems);
    problems.or(invariants)
}

/// The same, not yet validated against the schema.
fn read(sources: &[Source], gates: &[String]) -> Result<Vec<Invariant>, Problems> {
    let mut problems = Problems::new();
    let mut invariants: Vec<Invariant> = Vec::new();
    for source in sources {
        for (policy, span) in problems.absorb(policy::in_text_order(source)).unwrap_or_default() {
            let id = policy.annotation("id").unwrap_or_default().to_owned();
            let bad = |message: String, help: &str| {
                let name = if id.is_empty() { "an invariant".to_owned() } else { format!("invariant `{id}`") };
                Problem::invalid(format!("{name} {message}")).at(source, span.clone()).help(help)
            };
            if id.is_empty() {
                problems.push(bad("has no `@id`".to_owned(), "begin it with @id(\"a-name-in-kebab-case\")"));
            } else if invariants.iter().any(|known| known.id == id) {
                problems.push(bad("has an id that another has".to_owned(), "rename one"));
            }
            for (key, _) in policy.annotations().filter(|(key, _)| !KEYS.contains(key)) {
                let help = nearest(key, KEYS).map_or_else(
                    || format!("the annotations of invariants are {}", in_backticks(&KEYS)),
                    |meant| format!("did you mean `@{meant}`?"),
                );
                problems.push(bad(format!("has an unknown annotation `@{key}`"), &help));
            }
            let asked = match asked(&policy, gates) {
                Ok(asked) => asked,
                Err((message, help)) => {
                    problems.push(bad(message, &help));
                    continue;
                }
            };
            invariants.push(Invariant {
                clauses: likeness::clauses(&policy),
                policy: policy.new_id(PolicyId::new(&id)),
                title: policy.annotation("title").map(str::to_owned),
                id,
                asked,
                source: source.clone(),
                span,
                is_promise: false,
            });
        }
    }
    problems.or(invariants)
}

/// How a policy is asked, or what is wrong and what to do.
fn asked(policy: &Policy, gates: &[String]) -> Result<Vec<Asked>, (String, String)> {
    let forbid = policy.effect() == Effect::Forbid;
    let of = policy.annotation("of").unwrap_or_default();
    let mut asked = Vec::new();
    for word in of.split_whitespace() {
        let gate = || match policy.annotation("gate") {
            Some(gate) if gates.iter().any(|known| known == gate) => Ok(gate.to_owned()),
            Some(gate) => {
                Err((format!("names the unknown gate `{gate}`"), format!("the schema knows {}", in_backticks(gates))))
            }
            None => {
                Err(("is asked of a gate and has no `@gate`".to_owned(), "add @gate(\"...\") with its name".to_owned()))
            }
        };
        asked.push(match (word, forbid) {
            ("bans", true) => Asked::NeverByBans,
            ("bans", false) => Asked::AlwaysByBans,
            ("permits", true) => Asked::NeverByPermits,
            ("shipped", true) => Asked::Never,
            ("shipped", false) => Asked::Always,
            ("gate", true) => Asked::Need(gate()?),
            ("gate", false) => Asked::Lift(gate()?),
            _ => {
                let known: &[&str] =
                    if forbid { &["bans", "permits", "shipped", "gate"] } else { &["bans", "shipped", "gate"] };
                let effect = if forbid { "forbid" } else { "permit" };
                let help = format!("a {effect} can be asked of {}", in_backticks(known));
                return Err((format!("is asked of `{word}`"), help));
            }
        });
    }
    if asked.is_empty() {
        let help = "add @of(\"bans\"), or `permits`, `shipped`, `gate`: which policies must keep it".to_owned();
        return Err(("does not say what it is asked of".to_owned(), help));
    }
    Ok(asked)
}

/// Strict validation; a warning is as bad as an error.
fn validate(invariants: &[Invariant], schema: &RunSchema, problems: &mut Problems) {
    let set = match PolicySet::from_policies(invariants.iter().map(|invariant| invariant.policy.clone())) {
        Ok(set) => set,
        Err(error) => return problems.push(Problem::invalid(format!("the invariants cannot be joined: {error}"))),
    };
    let result = Validator::new(schema.schema().clone()).validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| (error.policy_id().clone(), error.to_string()));
    let warnings = result.validation_warnings().map(|warning| (warning.policy_id().clone(), warning.to_string()));
    let mut found: Vec<(PolicyId, String)> = errors.chain(warnings).collect();
    found.sort();
    for (id, message) in found {
        let cause = message.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(&message).to_owned();
        let problem = Problem::invalid(format!("invariant `{id}` is not valid: {cause}"));
        let stands = invariants.iter().find(|invariant| *invariant.policy.id() == id);
        problems.push(match stands {
            Some(invariant) => problem.at(&invariant.source, invariant.span.clone()),
            None => problem,
        });
    }
}

const KEYS: [&str; 4] = ["id", "title", "of", "gate"];
