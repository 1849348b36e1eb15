//! Reading one row of a plan against the schema: who, what, to what, with which parameters, and what it would run.

use super::IntendedAction;
use super::asked::{Asked, Named, by_argv, by_effect, by_itself, named_work};
use crate::digest::Digest;
use crate::json::{self, ObjectReader};
use crate::problem::{Problems, Source, nearest};
use crate::schema::RunSchema;
use crate::settings::Config;
use cedar_policy::{EntityTypeName, EntityUid, RestrictedExpression};
use jsonc_parser::ast::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::str::FromStr as _;

/// What rows are read against, looked up once.
pub struct Vocabulary<'a> {
    pub schema: &'a RunSchema,
    pub config: Option<&'a Config>,
    /// The digest of the program of this path; `None` where there is none.
    pub programs: &'a dyn Fn(&str) -> Option<Digest>,
    /// The digests of the files that the plan was made from, by name.
    pub inputs: BTreeMap<String, Digest>,
    principals: BTreeSet<EntityTypeName>,
    /// The types each action applies to: principals, then resources.
    applies: HashMap<EntityUid, (BTreeSet<EntityTypeName>, BTreeSet<EntityTypeName>)>,
    action_ids: BTreeSet<String>,
    /// Parameters read before, by action and text: plans repeat themselves.
    pub read: HashMap<(EntityUid, String), Parameters>,
}

pub type Parameters = BTreeMap<String, RestrictedExpression>;

impl<'a> Vocabulary<'a> {
    pub fn new(
        schema: &'a RunSchema,
        config: Option<&'a Config>,
        programs: &'a dyn Fn(&str) -> Option<Digest>,
    ) -> Self {
        let mut applies: HashMap<EntityUid, (BTreeSet<_>, BTreeSet<_>)> = HashMap::new();
        for environment in schema.schema().request_envs() {
            let types = applies.entry(environment.action().clone()).or_default();
            types.0.insert(environment.principal().clone());
            types.1.insert(environment.resource().clone());
        }
        let principals = schema.schema().principals().cloned().collect();
        let action_ids = applies.keys().map(|uid| uid.id().unescaped().to_owned()).collect();
        let (inputs, read) = (BTreeMap::new(), HashMap::new());
        Self { schema, config, programs, inputs, principals, applies, action_ids, read }
    }

    /// Whether the schema has this action, and it applies to something.
    pub fn has_action(&self, action: &EntityUid) -> bool {
        self.applies.contains_key(action)
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
        let after = reader.strings("after").into_iter().map(|(text, at)| (text.to_owned(), at)).collect();
        let finally = reader.flag("finally");
        let labels = labels(&mut reader);
        let span = reader.span();
        // Whatever becomes of the work, these are fields of a row.
        for field in ["action", "resource", "context"] {
            reader.optional(field);
        }
        let principal_at = principal.as_ref().map(|principal| (principal, at_principal));
        let asked = match named_work(&mut reader, vocabulary.config) {
            Named::Nothing => by_itself(&mut reader, principal_at, vocabulary),
            Named::Unknown => None,
            Named::Argv(argv) => by_argv(&mut reader, argv, principal_at, vocabulary),
            Named::Effect(offer) => by_effect(&mut reader, &offer, principal_at, vocabulary),
        };
        reader.finish();
        let built = match (&id, principal, asked) {
            (Some((id, _)), Some(principal), Some(Asked { action, resource, parameters, work })) => {
                Some(IntendedAction {
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
                })
            }
            _ => None,
        };
        Self { id, after, action: built }
    }
}

pub fn labels(reader: &mut ObjectReader<'_, '_>) -> BTreeMap<String, String> {
    reader.string_map("labels").into_iter().map(|(name, (text, _))| (name.to_owned(), text.to_owned())).collect()
}

pub fn uid(reader: &mut ObjectReader<'_, '_>, field: &str, (text, at): (&str, Range<usize>)) -> Option<EntityUid> {
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

pub fn action(
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

pub fn check_types(
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
