//! What the runtime must know of a Cedar schema: its namespace, the type of `context.run`, and parameters by themselves.

mod misfit;

pub use misfit::Misfit;

use crate::cedar::{Statements, depth, diagnostics, unclosed};
use crate::problem::{Problem, Problems, Source};
use cedar_policy::{EntityTypeName, EntityUid, Schema, SchemaFragment};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr as _;

/// A schema whose actions all carry the same `context.run`, the one key that belongs to the runtime.
#[derive(Debug)]
pub struct RunSchema {
    source: Source,
    schema: Schema,
    parameters: Schema,
    namespace: String,
    common_types: BTreeMap<String, Value>,
    enumerations: BTreeMap<String, Vec<String>>,
    attributes: BTreeMap<String, Value>,
    contexts: BTreeMap<String, Value>,
    run: BTreeMap<String, RunFact>,
    run_type: Value,
}

/// One attribute of `context.run`, by what the runtime fills it with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunFact {
    /// `now`: the time of the decision.
    Now,
    /// `mode`: `live` or `dry_run`, an enumerated entity of this type.
    Mode(EntityTypeName),
    /// `stage`: `plan` or `use`, an enumerated entity of this type.
    Stage(EntityTypeName),
    /// `gates`: those opened by approvals, enumerated entities of this type.
    Gates(EntityTypeName),
    /// `id`: the run's id.
    Id,
    /// `parties`: the plan's author and principals, in one set for each type.
    Parties(BTreeMap<String, EntityTypeName>),
    /// `finally_counterpart`: whether a `finally` row undoes this one.
    FinallyCounterpart,
    /// `facts`: what was recorded on the run's own entity.
    Facts,
}

impl RunSchema {
    /// Reads a schema in Cedar's own syntax and finds `context.run` in it.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        depth::check(source)?;
        let (fragment, warnings) =
            SchemaFragment::from_cedarschema_str(source.text()).map_err(|error| unreadable(&error, source))?;
        let mut problems = Problems::new();
        for warning in warnings {
            problems.push(Problem::invalid(format!("the schema has a warning: {warning}")).of(source));
        }
        let invalid = |error: &dyn miette::Diagnostic| diagnostics::problems(error, "the schema is not valid", source);
        let json = fragment
            .clone()
            .to_json_value()
            .map_err(|error| Problem::invalid(format!("the schema is not valid: {error}")).of(source))?;
        let schema = Schema::from_schema_fragments([fragment]).map_err(|error| invalid(&error))?;
        let without_run = Schema::from_json_value(without_run(json.clone())).map_err(|error| invalid(&error))?;
        let view = problems.absorb(View::find(&json, source));
        let Some(view) = view else { return Err(problems) };
        problems.or(Self {
            source: source.clone(),
            schema,
            parameters: without_run,
            namespace: view.namespace,
            common_types: view.common_types,
            enumerations: view.enumerations,
            attributes: view.attributes,
            contexts: view.contexts,
            run: view.run,
            run_type: view.run_type,
        })
    }

    /// The file it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Cedar's own schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The same schema without `context.run`: what a plan's own parameters must conform to.
    pub fn parameters(&self) -> &Schema {
        &self.parameters
    }

    /// The attributes of `context.run` by name.
    pub fn run(&self) -> &BTreeMap<String, RunFact> {
        &self.run
    }

    /// An entity type of the schema's namespace.
    pub fn entity_type(&self, name: &str) -> Option<EntityTypeName> {
        EntityTypeName::from_str(&format!("{}::{name}", self.namespace)).ok()
    }

    /// An action of the schema's namespace, for instance `open_gate`.
    pub fn action(&self, name: &str) -> Option<EntityUid> {
        let uid = EntityUid::from_type_name_and_id(self.entity_type("Action")?, cedar_policy::EntityId::new(name));
        self.schema.actions().any(|action| *action == uid).then_some(uid)
    }

    /// The principal types an action applies to.
    pub fn principal_types(&self, action: &EntityUid) -> BTreeSet<EntityTypeName> {
        self.schema.principals_for_action(action).into_iter().flatten().cloned().collect()
    }

    /// The entity of a gate; `None` for a gate that the schema does not know.
    pub fn gate(&self, name: &str) -> Option<EntityUid> {
        let gate = self.gate_type().filter(|_| self.gates().iter().any(|gate| gate == name))?;
        Some(EntityUid::from_type_name_and_id(gate.clone(), cedar_policy::EntityId::new(name)))
    }

    /// The members of `value` that an action's context declares, level by level; all others are left out.
    pub fn declared(&self, action: &str, value: &Value) -> Value {
        let context = self.contexts.get(action).unwrap_or(&Value::Null);
        prune(value, context, &self.common_types)
    }

    /// The names of a record's attributes, found by walking an action's context: `["approval", "votes"]`.
    pub fn context_attributes(&self, action: &str, path: &[&str]) -> Vec<String> {
        let mut shape = self.contexts.get(action).unwrap_or(&Value::Null);
        for step in path {
            let next = attributes(shape).find(|(key, _)| key == step).map(|(_, value)| value);
            shape = next.map_or(&Value::Null, |value| resolve(value, &self.common_types));
        }
        attributes(shape).map(|(key, _)| key.to_owned()).collect()
    }

    /// The gates that approvals can open.
    pub fn gates(&self) -> &[String] {
        self.gate_type().and_then(|name| self.members(name)).unwrap_or_default()
    }

    /// The type of the gates.
    pub fn gate_type(&self) -> Option<&EntityTypeName> {
        self.run.values().find_map(|fact| match fact {
            RunFact::Gates(name) => Some(name),
            _ => None,
        })
    }

    /// The ids of an enumerated type.
    pub fn members(&self, name: &EntityTypeName) -> Option<&[String]> {
        self.enumerations.get(&name.to_string()).map(Vec::as_slice)
    }

    /// Whether all ids of a type are listed in the schema, so that its entities need no facts.
    pub fn is_enumerated(&self, name: &EntityTypeName) -> bool {
        self.enumerations.contains_key(&name.to_string())
    }

    /// The type of `context.run` in Cedar's schema syntax, with its named types written out.
    pub fn run_type(&self) -> String {
        let mut text = String::new();
        self.write_type(&self.run_type, 0, &mut text);
        text
    }

    fn write_type(&self, shape: &Value, depth: usize, text: &mut String) {
        let name = |key: &str| shape.get(key).and_then(Value::as_str).unwrap_or_default();
        match name("type") {
            "Record" => {
                text.push_str("{\n");
                for (key, attribute) in attributes(shape) {
                    let optional = if attribute.get("required") == Some(&Value::Bool(false)) { "?" } else { "" };
                    let _ = write!(text, "{:indent$}{key}{optional}: ", "", indent = 2 * depth + 2);
                    self.write_type(attribute, depth + 1, text);
                    text.push_str(",\n");
                }
                let _ = write!(text, "{:indent$}}}", "", indent = 2 * depth);
            }
            "Set" => {
                text.push_str("Set<");
                self.write_type(shape.get("element").unwrap_or(&Value::Null), depth, text);
                text.push('>');
            }
            "EntityOrCommon" | "Entity" | "Extension" => match self.common_types.get(name("name")) {
                Some(common) => self.write_type(common, depth, text),
                None => text.push_str(name("name")),
            },
            common => match self.common_types.get(common) {
                Some(shape) => self.write_type(shape, depth, text),
                None => text.push_str(common),
            },
        }
    }
}

/// Why a schema cannot be read: what is not closed in it, else what Cedar says.
fn unreadable(error: &dyn miette::Diagnostic, source: &Source) -> Problems {
    let mut problems = Problems::new();
    unclosed(source, Statements::Declarations).into_iter().for_each(|(_, problem)| problems.push(problem));
    if problems.is_empty() {
        return diagnostics::problems(error, "the schema cannot be read", source);
    }
    problems
}

/// What is read from the schema's JSON form.
struct View {
    namespace: String,
    common_types: BTreeMap<String, Value>,
    enumerations: BTreeMap<String, Vec<String>>,
    attributes: BTreeMap<String, Value>,
    contexts: BTreeMap<String, Value>,
    run: BTreeMap<String, RunFact>,
    run_type: Value,
}

impl View {
    fn find(json: &Value, source: &Source) -> Result<Self, Problems> {
        let bad = |message: String| Problem::invalid(message).of(source);
        let namespaces: Vec<(&String, &Value)> = json.as_object().into_iter().flatten().collect();
        let [(namespace, body)] = namespaces.as_slice() else {
            return Err(bad(format!("the schema has {} namespaces, not one", namespaces.len()))
                .help("put every type and action into one `namespace Name { ... }`")
                .into());
        };
        if namespace.is_empty() {
            return Err(bad("the schema has no namespace".to_owned())
                .help("put every type and action into one `namespace Name { ... }`")
                .into());
        }
        let mut problems = Problems::new();
        let common_types: BTreeMap<String, Value> = members(body, "commonTypes").collect();
        let (mut enumerations, mut shapes_of_entities) = (BTreeMap::new(), BTreeMap::new());
        for (name, entity) in members(body, "entityTypes") {
            let shape = entity.get("shape").cloned().unwrap_or_else(|| serde_json::json!({"type": "Record"}));
            shapes_of_entities.insert(format!("{namespace}::{name}"), shape);
            if let Some(ids) = entity.get("enum").and_then(Value::as_array) {
                let ids = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                enumerations.insert(format!("{namespace}::{name}"), ids);
            }
        }
        let (mut shapes, mut contexts) = (BTreeSet::new(), BTreeMap::new());
        let mut run_type = None;
        for (name, action) in members(body, "actions") {
            let Some(applies) = action.get("appliesTo").filter(|applies| applies_to_something(applies)) else {
                continue;
            };
            let context = applies.get("context").map_or(&Value::Null, |context| resolve(context, &common_types));
            contexts.insert(name.clone(), context.clone());
            match attributes(context).find(|(key, _)| *key == "run") {
                Some((_, run)) if run.get("required") != Some(&Value::Bool(false)) => {
                    let run = resolve(run, &common_types);
                    shapes.insert(run.to_string());
                    run_type = Some(run.clone());
                }
                _ => problems.push(
                    bad(format!("the action `{name}` has no `run` in its context"))
                        .help("give it `context: { run: RunFacts }`; parameters stand beside `run`"),
                ),
            }
        }
        if shapes.len() > 1 {
            problems.push(
                bad("the actions of the schema differ in the type of `context.run`".to_owned())
                    .help("declare one `type RunFacts = { ... }` and use it in every action"),
            );
        }
        let Some(run_type) = run_type else {
            problems.push(bad("the schema has no action that applies to anything".to_owned()));
            return Err(problems);
        };
        let mut run = BTreeMap::new();
        for (key, attribute) in attributes(&run_type) {
            match run_fact(key, resolve(attribute, &common_types), namespace, &enumerations) {
                Ok(fact) => drop(run.insert(key.to_owned(), fact)),
                Err(message) => problems.push(bad(message).help(
                    "the runtime fills now: datetime, mode, stage, gates, id, parties, finally_counterpart and facts",
                )),
            }
        }
        for key in ["now", "mode", "stage", "gates"] {
            if !run.contains_key(key) && attributes(&run_type).all(|(name, _)| name != key) {
                problems.push(bad(format!("`context.run` has no `{key}`")).help("declare it in the type of `run`"));
            }
        }
        let (namespace, attributes) = ((*namespace).clone(), shapes_of_entities);
        problems.or(Self { namespace, common_types, enumerations, attributes, contexts, run, run_type })
    }
}

/// What the runtime fills an attribute of `context.run` with, or why it cannot.
fn run_fact(
    key: &str,
    shape: &Value,
    namespace: &str,
    enumerations: &BTreeMap<String, Vec<String>>,
) -> Result<RunFact, String> {
    let named = |shape: &Value| {
        let name = shape.get("name").and_then(Value::as_str)?;
        let full = if name.contains("::") { name.to_owned() } else { format!("{namespace}::{name}") };
        EntityTypeName::from_str(&full).ok()
    };
    let is = |name: &str| {
        shape.get("name").and_then(Value::as_str) == Some(name)
            || shape.get("type").and_then(Value::as_str) == Some(name)
    };
    let enumerated = |shape: &Value, must: &[&str]| {
        let name = named(shape)?;
        let ids = enumerations.get(&name.to_string())?;
        must.iter().all(|id| ids.iter().any(|known| known == id)).then_some(name)
    };
    let element = shape.get("element").unwrap_or(&Value::Null);
    if shape.get("required") == Some(&Value::Bool(false)) {
        return Err(format!("`context.run.{key}` is optional; what the runtime establishes is always there"));
    }
    let fact = match key {
        "now" if is("datetime") => Some(RunFact::Now),
        "mode" => enumerated(shape, &["live", "dry_run"]).map(RunFact::Mode),
        "stage" => enumerated(shape, &["plan", "use"]).map(RunFact::Stage),
        "gates" => enumerated(element, &[]).map(RunFact::Gates),
        "id" if is("String") => Some(RunFact::Id),
        "finally_counterpart" if is("Bool") || is("Boolean") => Some(RunFact::FinallyCounterpart),
        "facts" => Some(RunFact::Facts),
        "parties" => attributes(shape)
            .map(|(key, set)| Some((key.to_owned(), named(set.get("element")?)?)))
            .collect::<Option<_>>()
            .map(RunFact::Parties),
        "now" | "id" | "finally_counterpart" => None,
        _ => return Err(format!("`context.run.{key}` is nothing that the runtime could fill")),
    };
    fact.ok_or_else(|| format!("`context.run.{key}` has the wrong type"))
}

fn members(body: &Value, key: &str) -> impl Iterator<Item = (String, Value)> {
    body.get(key).and_then(Value::as_object).cloned().unwrap_or_default().into_iter()
}

fn attributes(record: &Value) -> impl Iterator<Item = (&str, &Value)> {
    record.get("attributes").and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn applies_to_something(applies: &Value) -> bool {
    let some = |key| applies.get(key).and_then(Value::as_array).is_some_and(|types| !types.is_empty());
    some("principalTypes") && some("resourceTypes")
}

fn prune(value: &Value, shape: &Value, common_types: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::Object(members) if shape.get("attributes").is_some() => attributes(shape)
            .filter_map(|(key, attribute)| {
                Some((key.to_owned(), prune(members.get(key)?, resolve(attribute, common_types), common_types)))
            })
            .collect(),
        other => other.clone(),
    }
}

/// Follows the names of common types to what they stand for.
fn resolve<'a>(shape: &'a Value, common_types: &'a BTreeMap<String, Value>) -> &'a Value {
    let mut shape = shape;
    // Cedar refuses cyclic types, so that there are at most as many steps as types.
    for _ in 0..=common_types.len() {
        let name = shape.get("name").or_else(|| shape.get("type")).and_then(Value::as_str).unwrap_or_default();
        match common_types.get(name) {
            Some(next) => shape = next,
            None => break,
        }
    }
    shape
}

/// The schema in which no action's context has `run`.
fn without_run(mut json: Value) -> Value {
    for namespace in json.as_object_mut().into_iter().flat_map(|namespaces| namespaces.values_mut()) {
        let types: BTreeMap<String, Value> = members(namespace, "commonTypes").collect();
        let actions = namespace.get_mut("actions").and_then(Value::as_object_mut);
        for action in actions.into_iter().flat_map(|actions| actions.values_mut()) {
            if let Some(context) = action.pointer_mut("/appliesTo/context") {
                *context = resolve(context, &types).clone();
                if let Some(attributes) = context.get_mut("attributes").and_then(Value::as_object_mut) {
                    attributes.remove("run");
                }
            }
        }
    }
    json
}
