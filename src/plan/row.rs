//! Reading one row of a plan against the schema: who, what, to what, with which parameters, and what it would run.

use super::{IntendedAction, Work};
use crate::cedar::diagnostics;
use crate::json::{self, ObjectReader};
use crate::problem::{Problems, Source, nearest};
use crate::schema::RunSchema;
use crate::settings::Config;
use cedar_policy::{Context, EntityTypeName, EntityUid, RestrictedExpression};
use jsonc_parser::ast::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::str::FromStr as _;

/// What rows are read against, looked up once.
pub struct Vocabulary<'a> {
    schema: &'a RunSchema,
    config: Option<&'a Config>,
    principals: BTreeSet<EntityTypeName>,
    /// The types each action applies to: principals, then resources.
    applies: HashMap<EntityUid, (BTreeSet<EntityTypeName>, BTreeSet<EntityTypeName>)>,
    action_ids: BTreeSet<String>,
    /// Parameters read before, by action and text: plans repeat themselves.
    read: HashMap<(EntityUid, String), Parameters>,
}

type Parameters = BTreeMap<String, RestrictedExpression>;

impl<'a> Vocabulary<'a> {
    pub fn new(schema: &'a RunSchema, config: Option<&'a Config>) -> Self {
        let mut applies: HashMap<EntityUid, (BTreeSet<_>, BTreeSet<_>)> = HashMap::new();
        for environment in schema.schema().request_envs() {
            let types = applies.entry(environment.action().clone()).or_default();
            types.0.insert(environment.principal().clone());
            types.1.insert(environment.resource().clone());
        }
        let principals = schema.schema().principals().cloned().collect();
        let action_ids = applies.keys().map(|uid| uid.id().unescaped().to_owned()).collect();
        Self { schema, config, principals, applies, action_ids, read: HashMap::new() }
    }
}

/// A row whose `after` still holds names.
pub struct PlanRow {
    /// Its name, and where that stands.
    pub id: Option<(String, Range<usize>)>,
    /// The names of the rows that must come first.
    pub after: Vec<(String, Range<usize>)>,
    /// All else of it, where nothing is wrong.
    pub action: Option<IntendedAction>,
}

impl PlanRow {
    pub fn parse(
        source: &Source,
        value: &Value<'_>,
        index: usize,
        default: Option<&(EntityUid, Range<usize>)>,
        vocabulary: &mut Vocabulary<'_>,
        problems: &mut Problems,
    ) -> Self {
        let what = format!("plan action number {}", index + 1);
        let Some(mut reader) = ObjectReader::new(source, value, what, problems) else {
            return Self { id: None, after: Vec::new(), action: None };
        };
        let id = reader.string("id").map(|(text, at)| (text.to_owned(), at));
        if let Some((id, at)) = &id {
            if id.is_empty() || id.chars().any(char::is_control) {
                reader.problem(format!("{} has an empty or unprintable `id`", reader.what()), at.clone(), None);
            }
            reader.rename(format!("plan action `{id}`"));
        }
        let start = reader.span().start;
        let own = reader.optional_string("principal");
        let at_principal = own.as_ref().map(|(_, at)| at).or(default.map(|(_, at)| at)).cloned();
        let at_principal = at_principal.unwrap_or(start..start + 1);
        let principal = match own {
            Some(text) => principal(&mut reader, "principal", text, vocabulary),
            None => default.map(|(uid, _)| uid.clone()),
        };
        let action = reader.string("action").and_then(|text| action(&mut reader, text, vocabulary));
        let named = reader.string("resource");
        let at_resource = named.as_ref().map_or(start..start + 1, |(_, at)| at.clone());
        let resource = named.and_then(|text| uid(&mut reader, "resource", text));
        let after = reader.strings("after").into_iter().map(|(text, at)| (text.to_owned(), at)).collect();
        let finally = reader.flag("finally");
        let labels = labels(&mut reader);
        let work = work(&mut reader, vocabulary.config);
        let context = reader.optional("context");
        let span = reader.span();
        if let Some((action, resource)) = action.as_ref().zip(resource.as_ref()) {
            let principal = principal.as_ref().map(|principal| (principal, at_principal));
            check_types(&mut reader, principal, action, (resource, at_resource), vocabulary);
        }
        let parameters = action.as_ref().and_then(|action| parameters(&mut reader, context, action, vocabulary));
        reader.finish();
        let built = match (&id, principal, action, resource, parameters) {
            (Some((id, _)), Some(principal), Some(action), Some(resource), Some(parameters)) => Some(IntendedAction {
                id: id.clone(),
                principal,
                action,
                resource,
                parameters,
                after: Vec::new(),
                finally,
                work,
                labels,
                span,
            }),
            _ => None,
        };
        Self { id, after, action: built }
    }
}

pub fn labels(reader: &mut ObjectReader<'_, '_>) -> BTreeMap<String, String> {
    reader.string_map("labels").into_iter().map(|(name, (text, _))| (name.to_owned(), text.to_owned())).collect()
}

fn uid(reader: &mut ObjectReader<'_, '_>, field: &str, (text, at): (&str, Range<usize>)) -> Option<EntityUid> {
    match EntityUid::from_str(text) {
        Ok(uid) => Some(uid),
        Err(_) => {
            let message = format!("`{field}` of {} is not an entity: `{text}`", reader.what());
            reader.problem(message, at, Some("write it as Cedar does: Namespace::Type::\"id\""));
            None
        }
    }
}

/// Reads a principal, whose type must be one that some action of the schema takes as principal.
pub fn principal(
    reader: &mut ObjectReader<'_, '_>,
    field: &str,
    (text, at): (&str, Range<usize>),
    vocabulary: &Vocabulary<'_>,
) -> Option<EntityUid> {
    let uid = uid(reader, field, (text, at.clone()))?;
    if !vocabulary.principals.contains(uid.type_name()) {
        let message =
            format!("`{field}` of {} has the type `{}`, which no action takes", reader.what(), uid.type_name());
        let names: Vec<String> = vocabulary.principals.iter().map(ToString::to_string).collect();
        let help = format!("the schema's principals are {}", crate::json::in_backticks(&names));
        reader.problem(message, at, Some(&help));
        return None;
    }
    Some(uid)
}

fn action(
    reader: &mut ObjectReader<'_, '_>,
    (text, at): (&str, Range<usize>),
    vocabulary: &Vocabulary<'_>,
) -> Option<EntityUid> {
    let uid = uid(reader, "action", (text, at.clone()))?;
    if vocabulary.applies.contains_key(&uid) {
        return Some(uid);
    }
    let id = uid.id().unescaped();
    let help = match nearest(id, vocabulary.action_ids.iter().map(String::as_str)) {
        Some(meant) => {
            let meant = vocabulary.applies.keys().find(|uid| uid.id().unescaped() == meant);
            format!("did you mean `{}`?", meant.map(ToString::to_string).unwrap_or_default())
        }
        None => {
            let ids: Vec<&str> = vocabulary.action_ids.iter().map(String::as_str).collect();
            format!("the schema knows {}", ids.join(", "))
        }
    };
    let what = reader.what().to_owned();
    reader.problem(format!("{what} names unknown action `{}`", uid.id().unescaped()), at, Some(&help));
    None
}

fn check_types(
    reader: &mut ObjectReader<'_, '_>,
    principal: Option<(&EntityUid, Range<usize>)>,
    action: &EntityUid,
    resource: (&EntityUid, Range<usize>),
    vocabulary: &Vocabulary<'_>,
) {
    let Some((principals, resources)) = vocabulary.applies.get(action) else { return };
    let what = reader.what().to_owned();
    let mut check = |role: &str, (uid, at): (&EntityUid, Range<usize>), types: &BTreeSet<EntityTypeName>| {
        if !types.contains(uid.type_name()) {
            let message = format!("{what} has {role} `{uid}`, to which `{}` does not apply", action.id().unescaped());
            let names: Vec<String> = types.iter().map(ToString::to_string).collect();
            let meant = nearest(uid.type_name().basename(), types.iter().map(EntityTypeName::basename));
            let help = match names.iter().find(|name| meant.is_some_and(|meant| name.ends_with(meant))) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it takes {}", json::in_backticks(&names)),
            };
            reader.problem(message, at, Some(&help));
        }
    };
    if let Some(principal) = principal {
        check("the principal", principal, principals);
    }
    check("the resource", resource, resources);
}

fn work(reader: &mut ObjectReader<'_, '_>, config: Option<&Config>) -> Option<Work> {
    let argv = reader.strings("argv");
    let effect = reader.optional_string("effect");
    match (argv.first(), effect) {
        (Some((_, at)), Some(_)) => {
            let message = format!("{} has both `argv` and `effect`", reader.what());
            reader.problem(message, at.clone(), Some("name one of them, so that it is plain what would run"));
            None
        }
        (Some(_), None) => Some(Work::Argv(argv.into_iter().map(|(text, _)| text.to_owned()).collect())),
        (None, Some((name, at))) => {
            if let Some(config) = config.filter(|config| !config.effects.contains_key(name)) {
                let help = match nearest(name, config.effects.keys().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "declare it under [effects] in cutter.toml".to_owned(),
                };
                let message = format!("{} has the unknown effect `{name}`", reader.what());
                reader.problem(message, at, Some(&help));
            }
            Some(Work::Effect(name.to_owned()))
        }
        (None, None) => None,
    }
}

/// The row's own parameters, checked against the schema; the runtime's key is refused.
fn parameters(
    reader: &mut ObjectReader<'_, '_>,
    context: Option<&Value<'_>>,
    action: &EntityUid,
    vocabulary: &mut Vocabulary<'_>,
) -> Option<Parameters> {
    let span = reader.span();
    let at = context.map_or(span.start..span.start + 1, json::span);
    let what = reader.what().to_owned();
    let json = match context {
        None => serde_json::Value::Object(serde_json::Map::new()),
        Some(object @ Value::Object(_)) => json::to_serde(object),
        Some(other) => {
            reader.problem(format!("`context` of {what} is {}, not an object", json::kind(other)), at, None);
            return None;
        }
    };
    if json.get("run").is_some() {
        let help = "the runtime fills it from the clock, the ledger, the approvals and the facts; remove it";
        reader.problem(format!("{what} names `run` in its context, which belongs to the runtime"), at, Some(help));
        return None;
    }
    let key = (action.clone(), json.to_string());
    if let Some(parameters) = vocabulary.read.get(&key) {
        return Some(parameters.clone());
    }
    let schema = vocabulary.schema.parameters();
    let parsed = Context::from_json_value(json, Some((schema, action)));
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
            let misfits = vocabulary.schema.misfits(action, context, span.start, &what);
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
