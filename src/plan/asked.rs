//! What a row asks for: by its own words, by its effect, or as the program that it would run.

use super::effect::{DEFAULT_TIMEOUT, Offer};
use super::row::{Parameters, Vocabulary, action, check_types, uid};
use super::work::{Program, ProgramPin, Task, Work};
use super::{PROGRAM, RUN_PROGRAM, argv_digest};
use crate::cedar::diagnostics;
use crate::json::{self, ObjectReader};
use crate::problem::{Source, nearest};
use crate::schema::Misfit;
use crate::settings::Config;
use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use jsonc_parser::ast::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr as _;

/// What a row asks for: a request without its principal, and what it would run.
pub struct Asked {
    pub action: EntityUid,
    pub resource: EntityUid,
    pub parameters: Parameters,
    pub work: Option<Work>,
}

/// What a row names to run.
pub enum Named<'a> {
    Nothing,
    /// Something that is not known, which was said.
    Unknown,
    Argv(Vec<String>),
    Effect(Offer<'a>),
}

pub type At<'a> = Option<(&'a EntityUid, Range<usize>)>;

pub fn named_work<'a>(reader: &mut ObjectReader<'a, '_>, config: Option<&'a Config>) -> Named<'a> {
    let argv = reader.strings("argv");
    let effect = reader.optional_string("effect");
    match (argv.first(), effect) {
        (Some((_, at)), Some(_)) => {
            let message = format!("{} has both `argv` and `effect`", reader.what());
            reader.problem(message, at.clone(), Some("name one of them, so that it is plain what would run"));
            Named::Unknown
        }
        (Some(_), None) => Named::Argv(argv.into_iter().map(|(text, _)| text.to_owned()).collect()),
        (None, Some((name, at))) => match config.and_then(|config| Offer::find(config, name)) {
            Some(offer) => Named::Effect(offer),
            None => {
                let known = config.into_iter().flat_map(|config| config.effects.keys().map(String::as_str));
                let help = match nearest(name, known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "declare it under [effects] in cutter.toml".to_owned(),
                };
                reader.problem(format!("{} has the unknown effect `{name}`", reader.what()), at, Some(&help));
                Named::Unknown
            }
        },
        (None, None) => Named::Nothing,
    }
}

/// A row without work: it is judged by its own words, and an allow of it comes to nothing.
pub fn by_itself(
    reader: &mut ObjectReader<'_, '_>,
    principal: At<'_>,
    vocabulary: &mut Vocabulary<'_>,
) -> Option<Asked> {
    let start = reader.span().start;
    let action = reader.string("action").and_then(|text| action(reader, text, vocabulary));
    let named = reader.string("resource");
    let at_resource = named.as_ref().map_or(start..start + 1, |(_, at)| at.clone());
    let resource = named.and_then(|text| uid(reader, "resource", text));
    let context = reader.optional("context");
    let action = action?;
    if let Some(resource) = &resource {
        check_types(reader, principal, &action, (resource, at_resource), vocabulary);
    }
    let own = own_parameters(reader, context)?;
    let parameters = parameters(reader, context, own, &action, vocabulary)?;
    Some(Asked { action, resource: resource?, parameters, work: None })
}

/// A row with an effect: the effect is what is judged, and the row fills what it leaves open.
pub fn by_effect(
    reader: &mut ObjectReader<'_, '_>,
    offer: &Offer<'_>,
    principal: At<'_>,
    vocabulary: &mut Vocabulary<'_>,
) -> Option<Asked> {
    let start = reader.span().start;
    let (own_action, own_resource) = (reader.optional_string("action"), reader.optional_string("resource"));
    let context = reader.optional("context");
    let what = reader.what().to_owned();
    let place = |own: &Option<(&str, Range<usize>)>| own.as_ref().map_or(start..start + 1, |(_, at)| at.clone());
    let mut told = |result: Result<EntityUid, (String, String)>, at: Range<usize>| match result {
        Ok(uid) => Some(uid),
        Err((message, help)) => {
            reader.problem(format!("{what}: {message}"), at, Some(&help));
            None
        }
    };
    let action = told(offer.action(own_action.as_ref().map(|(text, _)| *text), vocabulary), place(&own_action));
    let resource = told(offer.resource(own_resource.as_ref().map(|(text, _)| *text)), place(&own_resource));
    let own = own_parameters(reader, context)?;
    let at_context = context.map_or(start..start + 1, json::span);
    let all = match offer.parameters(&own) {
        Ok(all) => all,
        Err(wrong) => {
            for (message, help) in wrong {
                reader.problem(format!("{what}: {message}"), at_context.clone(), Some(&help));
            }
            return None;
        }
    };
    let (action, resource) = (action?, resource?);
    check_types(reader, principal, &action, (&resource, place(&own_resource)), vocabulary);
    let parameters = parameters(reader, context, all.clone(), &action, vocabulary)?;
    match offer.work(&resource, &all) {
        Ok(work) => {
            let run = vocabulary.schema.prelude_entity("Run", "").map(|uid| uid.type_name().to_string());
            let is_known = |fact: &str| {
                let needed = vocabulary.schema.needed();
                run.as_ref().is_some_and(|run| needed.knows(run, &format!("facts.{fact}")))
            };
            for fact in work.produces.keys().filter(|fact| !is_known(fact)) {
                let message = format!("{what}: its effect produces `{fact}`, which the facts of a run do not have");
                let help = format!("declare it in `Cutter::Facts`, or correct {}", offer.place());
                reader.problem(message, start..start + 1, Some(&help));
            }
            Some(Asked { action, resource, parameters, work: Some(work) })
        }
        Err((message, help)) => {
            reader.problem(format!("{what}: {message}"), at_context, Some(&help));
            None
        }
    }
}

/// A row with a command of its own: it runs a program, and is judged as that, whatever else it says.
pub fn by_argv(
    reader: &mut ObjectReader<'_, '_>,
    argv: Vec<String>,
    principal: At<'_>,
    vocabulary: &Vocabulary<'_>,
) -> Option<Asked> {
    let start = reader.span().start;
    let action = EntityUid::from_str(RUN_PROGRAM).ok().filter(|action| vocabulary.has_action(action));
    let kind = EntityTypeName::from_str(PROGRAM).ok();
    let (Some(action), Some(kind), Some((program, arguments))) = (action, kind, argv.split_first()) else {
        let message = format!("{} has an `argv` of its own, and the schema has no `{RUN_PROGRAM}`", reader.what());
        reader.problem(message, start..start + 1, Some("name an effect of cutter.toml in place of it"));
        return None;
    };
    let digest = (vocabulary.programs)(program);
    let resource = EntityUid::from_type_name_and_id(kind, EntityId::new(program));
    check_types(reader, principal, &action, (&resource, start..start + 1), vocabulary);
    let text = |text: String| RestrictedExpression::new_string(text);
    let is_input = digest.is_some_and(|digest| vocabulary.inputs.get(program) == Some(&digest));
    let count = i64::try_from(argv.len()).unwrap_or(i64::MAX);
    let parameters = Parameters::from([
        ("sha256".to_owned(), text(digest.map(|digest| digest.to_string()).unwrap_or_default())),
        ("argv_sha256".to_owned(), text(argv_digest(&argv).to_string())),
        ("argc".to_owned(), RestrictedExpression::new_long(count)),
        ("arguments".to_owned(), RestrictedExpression::new_set(arguments.iter().cloned().map(text))),
        ("is_input".to_owned(), RestrictedExpression::new_bool(is_input)),
    ]);
    let task = Task::Program(Program {
        pin: digest.map_or(ProgramPin::Missing, ProgramPin::Sha256),
        argv,
        interpreter: None,
        env: BTreeSet::new(),
        cwd: "/".to_owned(),
        timeout_seconds: DEFAULT_TIMEOUT,
    });
    let (does, expects, produces) = ("runs a command of the plan's own".to_owned(), BTreeMap::new(), BTreeMap::new());
    let work = Some(Work { effect: None, does, task, expects, produces, repeatable: false });
    Some(Asked { action, resource, parameters, work })
}

/// The parameters that the row itself gives; the runtime's key is refused.
fn own_parameters(reader: &mut ObjectReader<'_, '_>, context: Option<&Value<'_>>) -> Option<Own> {
    let span = reader.span();
    let at = context.map_or(span.start..span.start + 1, json::span);
    let what = reader.what().to_owned();
    let own = match context {
        None => Own::new(),
        Some(object @ Value::Object(_)) => match json::to_serde(object) {
            serde_json::Value::Object(own) => own,
            _ => Own::new(),
        },
        Some(other) => {
            reader.problem(format!("`context` of {what} is {}, not an object", json::kind(other)), at, None);
            return None;
        }
    };
    if own.contains_key("run") {
        let help = "the runtime fills it from the clock, the ledger, the approvals and the facts; remove it";
        reader.problem(format!("{what} names `run` in its context, which belongs to the runtime"), at, Some(help));
        return None;
    }
    Some(own)
}

type Own = serde_json::Map<String, serde_json::Value>;

/// The parameters of a row, checked against the schema; `context` is what of them the row itself gives.
fn parameters(
    reader: &mut ObjectReader<'_, '_>,
    context: Option<&Value<'_>>,
    all: Own,
    action: &EntityUid,
    vocabulary: &mut Vocabulary<'_>,
) -> Option<Parameters> {
    let span = reader.span();
    let at = context.map_or(span.start..span.start + 1, json::span);
    let what = reader.what().to_owned();
    let json = serde_json::Value::Object(all);
    let key = (action.clone(), json.to_string());
    if let Some(parameters) = vocabulary.read.get(&key) {
        return Some(parameters.clone());
    }
    let schema = vocabulary.schema.parameters();
    let parsed = Context::from_json_value(json.clone(), Some((schema, action)));
    let checked = parsed.map_err(miette::Report::new).and_then(|context| {
        context.validate(schema, action).map_err(miette::Report::new)?;
        Ok(context)
    });
    match checked {
        Ok(context) => {
            let parameters: Parameters = context.into_iter().collect();
            vocabulary.read.insert(key, parameters.clone());
            Some(parameters)
        }
        Err(error) => {
            let own = context.map_or_else(|| serde_json::Value::Object(Own::new()), json::to_serde);
            // What an effect adds stands nowhere in the plan.
            let merged = Source::new("", json.to_string());
            let merged = (own != json)
                .then(|| json::parse(&merged).map(|all| vocabulary.schema.misfits(action, Some(&all), 0, &what)));
            let misfits = match merged {
                Some(found) => {
                    found.unwrap_or_default().into_iter().map(|misfit| Misfit { at: at.clone(), ..misfit }).collect()
                }
                None => vocabulary.schema.misfits(action, context, span.start, &what),
            };
            if misfits.is_empty() {
                let what = format!("the context of {what} is not valid");
                let problem = diagnostics::problem(&*error, &what, &Source::new("", ""));
                reader.problem(problem.message, at, problem.help.as_deref());
            }
            for misfit in misfits {
                reader.problem(misfit.message, misfit.at, misfit.help.as_deref());
            }
            None
        }
    }
}
