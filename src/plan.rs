//! The plan: what one run intends to do, row by row; parsed once against the schema, and then known to be well-formed.

use crate::config::Config;
use crate::digest::Digest;
use crate::json::{self, ObjectReader};
use crate::policy::diagnostics;
use crate::problem::{Problem, Problems, Source, nearest};
use crate::schema::RunSchema;
use cedar_policy::{Context, EntityTypeName, EntityUid, RestrictedExpression};
use jsonc_parser::ast::Value;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::str::FromStr as _;

/// What one run intends to do.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// The plan's name.
    pub name: String,
    /// The task it belongs to.
    pub macro_name: Option<String>,
    /// The run's id; a run starts once.
    pub run: String,
    /// Whether effects may be reached at all.
    pub mode: Mode,
    /// Who wrote it.
    pub author: EntityUid,
    /// What it is aimed at.
    pub target: Target,
    /// Sha-256 of the files it was made from, by name.
    pub inputs: BTreeMap<String, Digest>,
    /// Free text that reports echo and no policy reads.
    pub labels: BTreeMap<String, String>,
    /// The rows, in the order of the file; at least one.
    pub actions: Vec<IntendedAction>,
    /// Sha-256 over the exact bytes of the file.
    pub digest: Digest,
    /// The file.
    pub source: Source,
}

/// Whether effects may be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// They may, if everything else allows it.
    Live,
    /// They may not, whatever else says.
    DryRun,
}

impl Mode {
    /// The mode as plans and policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::DryRun => "dry_run",
        }
    }
}

/// What a plan is aimed at.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Target {
    /// The system identifier of the PostgreSQL cluster, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The document, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

impl Target {
    /// Reads the object of `target`, which messages call `what`.
    pub fn parse(value: &Value<'_>, source: &Source, what: &str, problems: &mut Problems) -> Self {
        let Some(mut reader) = ObjectReader::new(source, value, what, problems) else {
            return Self::default();
        };
        let mut field = |name| reader.optional_string(name).map(|(text, _)| text.to_owned());
        let target = Self { database: field("database"), document: field("document") };
        reader.finish();
        target
    }
}

/// One intended action; it becomes exactly one Cedar request.
#[derive(Clone, Debug)]
pub struct IntendedAction {
    /// Its name in the plan.
    pub id: String,
    /// Who would do it.
    pub principal: EntityUid,
    /// What would be done.
    pub action: EntityUid,
    /// To what.
    pub resource: EntityUid,
    /// Its own parameters, which conform to the schema; never `run`.
    pub parameters: BTreeMap<String, RestrictedExpression>,
    /// The rows that must come first, as indices into the plan's rows.
    pub after: Vec<usize>,
    /// Whether it runs on every way out, blocked by nothing.
    pub finally: bool,
    /// What it would run.
    pub work: Option<Work>,
    /// Free text that reports echo and no policy reads.
    pub labels: BTreeMap<String, String>,
    /// The bytes of the plan it stands in.
    pub span: Range<usize>,
}

/// What an action would run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Exactly this command.
    Argv(Vec<String>),
    /// The effect of this name in `cutter.toml`.
    Effect(String),
}

impl RunPlan {
    /// Reads a plan against the schema; all that is wrong with it is reported together.
    ///
    /// With a configuration, an effect that it does not know is wrong, too.
    pub fn parse(source: &Source, schema: &RunSchema, config: Option<&Config>) -> Result<Self, Problems> {
        let value = json::parse(source)?;
        let mut problems = Problems::new();
        let mut vocabulary = Vocabulary::new(schema, config);
        let Some(mut reader) = ObjectReader::new(source, &value, "the plan", &mut problems) else {
            return Err(problems);
        };
        reader.version_one();
        let name = non_empty(&mut reader, "plan");
        let macro_name = reader.optional_string("macro").map(|(text, _)| text.to_owned());
        let run = non_empty(&mut reader, "run");
        let mode = parse_mode(&mut reader);
        let author = reader.string("author").and_then(|text| principal(&mut reader, "author", text, &vocabulary));
        let default =
            reader.string("principal").and_then(|text| principal(&mut reader, "principal", text, &vocabulary));
        let target = reader.optional("target");
        let inputs = inputs(&mut reader);
        let labels = labels(&mut reader);
        let rows = reader.required("actions");
        reader.finish();
        let target =
            target.map(|value| Target::parse(value, source, "the plan's target", &mut problems)).unwrap_or_default();
        let elements = match rows {
            Some(Value::Array(array)) if !array.elements.is_empty() => array.elements.as_slice(),
            Some(Value::Array(array)) => {
                let at = array.range.start..array.range.end;
                problems.push(
                    Problem::invalid("the plan has no actions")
                        .at(source, at)
                        .help("an empty plan would be a vacuous yes; state what is intended"),
                );
                &[]
            }
            Some(other) => {
                let message = format!("`actions` of the plan is {}, not an array", json::kind(other));
                problems.push(Problem::invalid(message).at(source, json::span(other)));
                &[]
            }
            None => &[],
        };
        let mut rows = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            rows.push(Row::parse(source, element, index, default.as_ref(), &mut vocabulary, &mut problems));
        }
        let actions = connect(source, rows, &mut problems);
        match (name, run, mode, author, default, problems.is_empty()) {
            (Some(name), Some(run), Some(mode), Some(author), Some(_), true) => Ok(Self {
                name,
                macro_name,
                run,
                mode,
                author,
                target,
                inputs,
                labels,
                actions,
                digest: Digest::of(source.text().as_bytes()),
                source: source.clone(),
            }),
            _ => Err(problems),
        }
    }

    /// The row of this name.
    pub fn action(&self, id: &str) -> Option<(usize, &IntendedAction)> {
        self.actions.iter().enumerate().find(|(_, action)| action.id == id)
    }

    /// The row of this name, which somebody asked for.
    pub fn named(&self, id: &str) -> Result<&IntendedAction, Problem> {
        let names = || self.actions.iter().map(|action| action.id.as_str());
        self.action(id).map(|(_, action)| action).ok_or_else(|| {
            let problem = Problem::invalid(format!("the plan has no action `{id}`")).of(&self.source);
            match nearest(id, names()) {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem.help(format!("it has {}", json::in_backticks(&names().take(20).collect::<Vec<_>>()))),
            }
        })
    }

    /// The author and every principal, each once.
    pub fn parties(&self) -> BTreeSet<&EntityUid> {
        std::iter::once(&self.author).chain(self.actions.iter().map(|action| &action.principal)).collect()
    }

    /// What the `finally` rows do: the parameters each is done with, by action and resource.
    pub fn finally_rows(&self) -> HashMap<(&EntityUid, &EntityUid), Vec<String>> {
        let mut rows: HashMap<(&EntityUid, &EntityUid), Vec<String>> = HashMap::new();
        for action in self.actions.iter().filter(|action| action.finally) {
            rows.entry((&action.action, &action.resource)).or_default().push(action.parameters_text());
        }
        rows
    }
}

impl IntendedAction {
    /// The row's own parameters in a form that can be compared.
    pub fn parameters_text(&self) -> String {
        Context::from_pairs(self.parameters.clone())
            .ok()
            .and_then(|context| context.to_json_value().ok())
            .map(|json| json.to_string())
            .unwrap_or_default()
    }
}

/// What rows are read against, looked up once.
struct Vocabulary<'a> {
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
    fn new(schema: &'a RunSchema, config: Option<&'a Config>) -> Self {
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
struct Row {
    id: Option<(String, Range<usize>)>,
    after: Vec<(String, Range<usize>)>,
    action: Option<IntendedAction>,
}

impl Row {
    fn parse(
        source: &Source,
        value: &Value<'_>,
        index: usize,
        default: Option<&EntityUid>,
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
        let own = reader.optional_string("principal");
        let principal = match own {
            Some(text) => principal(&mut reader, "principal", text, vocabulary),
            None => default.cloned(),
        };
        let action = reader.string("action").and_then(|text| action(&mut reader, text, vocabulary));
        let resource = reader.string("resource").and_then(|text| uid(&mut reader, "resource", text));
        let after = reader.strings("after").into_iter().map(|(text, at)| (text.to_owned(), at)).collect();
        let finally = reader.flag("finally");
        let labels = labels(&mut reader);
        let work = work(&mut reader, vocabulary.config);
        let context = reader.optional("context");
        let span = reader.span();
        if let Some((action, resource)) = action.as_ref().zip(resource.as_ref()) {
            check_types(&mut reader, principal.as_ref(), action, resource, vocabulary);
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

/// Resolves `after`, refuses an id that stands twice and a cycle.
fn connect(source: &Source, rows: Vec<Row>, problems: &mut Problems) -> Vec<IntendedAction> {
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let Some((id, at)) = &row.id else { continue };
        if let Some(first) = by_id.insert(id, index).filter(|_| !problems.is_full()) {
            let first = rows.get(first).and_then(|row| row.id.as_ref()).map_or(0, |(_, at)| at.start);
            let (line, column) = source.position(first);
            let help = format!("it stands first at line {line}, column {column}; every row needs a name of its own");
            problems.push(
                Problem::invalid(format!("two plan actions have the id `{id}`")).at(source, at.clone()).help(help),
            );
        }
    }
    let mut after = vec![Vec::new(); rows.len()];
    for (row, after) in rows.iter().zip(&mut after) {
        for (name, at) in &row.after {
            match by_id.get(name.as_str()) {
                Some(index) => after.push(*index),
                None => {
                    let own = row.id.as_ref().map_or("?", |(id, _)| id);
                    let mut problem =
                        Problem::invalid(format!("plan action `{own}` comes after the unknown action `{name}`"))
                            .at(source, at.clone());
                    if let Some(meant) = nearest(name, by_id.keys().copied()) {
                        problem = problem.help(format!("did you mean `{meant}`?"));
                    }
                    problems.push(problem);
                }
            }
        }
    }
    if let Some(cycle) = cycle(&after) {
        let names: Vec<&str> =
            cycle.iter().filter_map(|index| rows.get(*index)?.id.as_ref().map(|(id, _)| id.as_str())).collect();
        let at = cycle.first().and_then(|index| rows.get(*index)?.id.as_ref()).map_or(0..0, |(_, at)| at.clone());
        let shown = crate::json::in_backticks(names.get(..names.len().min(8)).unwrap_or(&names));
        problems.push(
            Problem::invalid(format!("the plan actions {shown} come after each other in a circle"))
                .at(source, at)
                .help("remove one `after` of the circle"),
        );
    }
    rows.into_iter()
        .zip(after)
        .filter_map(|(row, after)| row.action.map(|action| IntendedAction { after, ..action }))
        .collect()
}

/// The rows of one circle in `after`, if there is any (Kahn's algorithm, without recursion).
fn cycle(after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut waiting: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut followers = vec![Vec::new(); after.len()];
    for (index, befores) in after.iter().enumerate() {
        for before in befores {
            followers.get_mut(*before)?.push(index);
        }
    }
    let mut ready: Vec<usize> = (0..after.len()).filter(|index| waiting.get(*index) == Some(&0)).collect();
    while let Some(index) = ready.pop() {
        for follower in followers.get(index).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(*follower) {
                *count -= 1;
                if *count == 0 {
                    ready.push(*follower);
                }
            }
        }
    }
    let mut at = (0..after.len()).find(|index| waiting.get(*index).is_some_and(|count| *count > 0))?;
    // Every waiting row has a waiting row before it, so that walking back must come round.
    let (mut walk, mut walked) = (Vec::new(), BTreeSet::new());
    while walked.insert(at) {
        walk.push(at);
        at = *after.get(at)?.iter().find(|before| waiting.get(**before).is_some_and(|count| *count > 0))?;
    }
    let start = walk.iter().position(|index| *index == at)?;
    Some(walk.split_off(start))
}

fn non_empty(reader: &mut ObjectReader<'_, '_>, field: &'static str) -> Option<String> {
    let (text, at) = reader.string(field)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        reader.problem(format!("`{field}` of {} is empty or unprintable", reader.what()), at, None);
        return None;
    }
    Some(text.to_owned())
}

fn parse_mode(reader: &mut ObjectReader<'_, '_>) -> Option<Mode> {
    let (text, at) = reader.string("mode")?;
    let mode = [Mode::Live, Mode::DryRun].into_iter().find(|mode| mode.name() == text);
    if mode.is_none() {
        reader.problem(
            format!("the plan has the unknown mode `{text}`"),
            at,
            Some("the modes are `live` and `dry_run`"),
        );
    }
    mode
}

fn inputs(reader: &mut ObjectReader<'_, '_>) -> BTreeMap<String, Digest> {
    let mut inputs = BTreeMap::new();
    for (name, text) in reader.string_map("inputs") {
        match Digest::parse(text) {
            Some(digest) => drop(inputs.insert(name.to_owned(), digest)),
            None => {
                let message = format!("the input `{name}` of the plan is not given by a sha-256 digest");
                let span = reader.span();
                reader.problem(message, span.start..span.start + 1, Some("write 64 lower-case hexadecimal digits"));
            }
        }
    }
    inputs
}

fn labels(reader: &mut ObjectReader<'_, '_>) -> BTreeMap<String, String> {
    reader.string_map("labels").into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
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
fn principal(
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
    principal: Option<&EntityUid>,
    action: &EntityUid,
    resource: &EntityUid,
    vocabulary: &Vocabulary<'_>,
) {
    let Some((principals, resources)) = vocabulary.applies.get(action) else { return };
    let what = reader.what().to_owned();
    let start = reader.span().start;
    let mut check = |role: &str, uid: &EntityUid, types: &BTreeSet<EntityTypeName>| {
        if !types.contains(uid.type_name()) {
            let message = format!("{what} has {role} `{uid}`, to which `{}` does not apply", action.id().unescaped());
            let names: Vec<String> = types.iter().map(ToString::to_string).collect();
            let help = format!("it takes {}", crate::json::in_backticks(&names));
            reader.problem(message, start..start + 1, Some(&help));
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
            let problem =
                diagnostics::problem(&*error, &format!("the context of {what} is not right"), &Source::new("", ""));
            reader.problem(problem.message, at, problem.help.as_deref());
            None
        }
    }
}
