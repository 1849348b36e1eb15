//! The schema: a bundle's own declarations joined with the prelude's, and what the runtime must know of both.

mod actions;
mod closers;
mod joined;
mod misfit;
mod never;
mod sources;

pub(crate) use joined::join;
pub use misfit::Misfit;
pub use never::NeverAction;
pub use sources::{FactSource, NeededSources, PARENTS};

use crate::cedar::{Statements, depth, diagnostics, slips, unclosed};
use crate::prelude::{NAMESPACE, Prelude};
use crate::problem::{Problem, Problems, Source};
use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema, SchemaFragment};
use joined::{attributes, resolve};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::str::FromStr as _;

/// A schema within the prelude; every action of it carries the runtime's record as `context.run`.
#[derive(Clone, Debug)]
pub struct RunSchema {
    source: Source,
    json: Value,
    schema: Schema,
    parameters: Schema,
    common_types: BTreeMap<String, Value>,
    enumerations: BTreeMap<String, Vec<String>>,
    attributes: BTreeMap<String, Value>,
    contexts: BTreeMap<EntityUid, Value>,
    gates: Vec<String>,
    declares_gates: bool,
    never: Vec<NeverAction>,
    needed: NeededSources,
}

impl RunSchema {
    /// Reads a schema in Cedar's own syntax, joins it with the prelude and checks all that the runtime will look for.
    pub fn parse(source: &Source, prelude: &Prelude) -> Result<Self, Problems> {
        let fragment = Self::fragment(source)?;
        let mut problems = Problems::new();
        let invalid = |error: &dyn miette::Diagnostic| of_schema(error, "the schema is not valid", source);
        let plain =
            |error: &dyn std::fmt::Display| Problem::invalid(format!("the schema is not valid: {error}")).of(source);
        let own = fragment.clone().to_json_value().map_err(|error| plain(&error))?;
        problems.absorb(closers::check_names(&own, source));
        let defaults = closers::defaults(&own);
        let declares_gates = closers::declares(&own, "Gate");
        let mut fragments = vec![fragment];
        for text in [prelude.schema, defaults.as_str()] {
            fragments.push(SchemaFragment::from_cedarschema_str(text).map_err(|error| plain(&error))?.0);
        }
        let mut parts = vec![own];
        for fragment in fragments.iter().skip(1) {
            parts.push(fragment.clone().to_json_value().map_err(|error| plain(&error))?);
        }
        problems = problems.or(()).map(|()| Problems::new())?;
        let json = joined::join(parts);
        check_size(&json, source)?;
        let schema = Schema::from_schema_fragments(fragments).map_err(|error| invalid(&error))?;
        let parameters = Schema::from_json_value(joined::without_run(json.clone())).map_err(|error| invalid(&error))?;
        let mut read = Self {
            source: source.clone(),
            schema,
            parameters,
            common_types: joined::all(&json, "commonTypes").collect(),
            enumerations: BTreeMap::new(),
            attributes: BTreeMap::new(),
            contexts: BTreeMap::new(),
            gates: Vec::new(),
            declares_gates,
            never: Vec::new(),
            needed: NeededSources::default(),
            json,
        };
        for (name, entity) in joined::all(&read.json, "entityTypes") {
            let shape = entity.get("shape").cloned().unwrap_or_else(|| serde_json::json!({"type": "Record"}));
            if let Some(ids) = entity.get("enum").and_then(Value::as_array) {
                let ids = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                read.enumerations.insert(name.clone(), ids);
            }
            read.attributes.insert(name, shape);
        }
        read.gates = read.enumerations.get(&own_name("Gate")).cloned().unwrap_or_default();
        for uid in read.schema.actions() {
            let context = joined::context(&read.json, uid).map(|context| resolve(context, &read.common_types).clone());
            read.contexts.extend(context.map(|context| (uid.clone(), context)));
        }
        read.never = never::find(&read);
        read.needed = problems.absorb(NeededSources::read(&read.json, source)).unwrap_or_default();
        problems.absorb(closers::check_shapes(&read));
        problems.absorb(read.check_actions());
        problems.or(read)
    }

    /// The declarations of one file in Cedar's own syntax.
    pub fn fragment(source: &Source) -> Result<SchemaFragment, Problems> {
        depth::check(source)?;
        let (fragment, warnings) =
            SchemaFragment::from_cedarschema_str(source.text()).map_err(|error| unreadable(&error, source))?;
        let mut problems = Problems::new();
        for warning in warnings {
            problems.push(Problem::invalid(format!("the schema has a warning: {warning}")).of(source));
        }
        problems.or(fragment)
    }

    /// A schema that was not written for the runtime and stands by itself, with its JSON form and its first file.
    pub fn plain(schema: Schema, json: Value, source: Source) -> Self {
        let ids = |entity: &Value| -> Option<Vec<String>> {
            Some(entity.get("enum")?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        Self {
            source,
            parameters: schema.clone(),
            schema,
            common_types: BTreeMap::new(),
            enumerations: joined::all(&json, "entityTypes").filter_map(|(name, of)| Some((name, ids(&of)?))).collect(),
            attributes: joined::all(&json, "entityTypes").collect(),
            json,
            contexts: BTreeMap::new(),
            gates: Vec::new(),
            declares_gates: false,
            never: Vec::new(),
            needed: NeededSources::default(),
        }
    }

    /// The declarations in Cedar's JSON form, the prelude's among them where there is one.
    pub fn json(&self) -> &Value {
        &self.json
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

    /// Which source each fact needs.
    pub fn needed(&self) -> &NeededSources {
        &self.needed
    }

    /// The entity types whose entities can be in others.
    pub fn types_with_parents(&self) -> BTreeSet<EntityTypeName> {
        let types = self.schema.entity_types();
        types
            .filter(|name| self.schema.ancestors(name).is_some_and(|mut above| above.next().is_some()))
            .cloned()
            .collect()
    }

    /// Prelude, bundle and defaults as one schema in Cedar's own syntax.
    pub fn merged(&self) -> Result<String, Problem> {
        let wrong = |error: &dyn std::fmt::Display| Problem::invalid(format!("the schema cannot be joined: {error}"));
        let fragment = SchemaFragment::from_json_value(self.json.clone()).map_err(|error| wrong(&error))?;
        fragment.to_cedarschema().map_err(|error| wrong(&error))
    }

    /// An entity type by its whole name, or by its last part where only one type has it.
    pub fn entity_type(&self, name: &str) -> Option<EntityTypeName> {
        let mut known = self.attributes.keys().filter(|known| *known == name || base(known) == name);
        let found = known.next().filter(|_| known.next().is_none())?;
        EntityTypeName::from_str(found).ok()
    }

    /// An entity of a type that the prelude declares.
    pub fn prelude_entity(&self, type_name: &str, id: &str) -> Option<EntityUid> {
        let name = EntityTypeName::from_str(&own_name(type_name)).ok()?;
        Some(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
    }

    /// An action or group of actions that the prelude declares, for instance `open_gate`.
    pub fn prelude_action(&self, name: &str) -> Option<EntityUid> {
        self.prelude_entity("Action", name)
    }

    /// An action that can be asked for, by its whole name, or by its id where only one has it.
    pub fn action(&self, name: &str) -> Option<EntityUid> {
        let is = |action: &&EntityUid| action.id().unescaped() == name || action.to_string() == name;
        let mut known = self.contexts.keys().filter(is);
        known.next().filter(|_| known.next().is_none()).cloned()
    }

    /// The principal types an action applies to.
    pub fn principal_types(&self, action: &EntityUid) -> BTreeSet<EntityTypeName> {
        self.schema.principals_for_action(action).into_iter().flatten().cloned().collect()
    }

    /// The entity of a gate; `None` for a gate that the schema does not know.
    pub fn gate(&self, name: &str) -> Option<EntityUid> {
        self.gates.iter().any(|gate| gate == name).then(|| self.prelude_entity("Gate", name))?
    }

    /// The gates that approvals can open.
    pub fn gates(&self) -> &[String] {
        &self.gates
    }

    /// Whether the bundle says which gates there are; else there is one that it need not use.
    pub fn declares_gates(&self) -> bool {
        self.declares_gates
    }

    /// The groups in which the voters of an approval are counted.
    pub fn votes(&self) -> Vec<&str> {
        self.closer("Votes").map(|(name, _)| name).collect()
    }

    /// The fields of the target of plans and approvals, and whether each must be there.
    pub fn target(&self) -> Vec<(&str, bool)> {
        self.closer("Target").map(|(name, shape)| (name, closers::required(shape))).collect()
    }

    /// Whether anything is to be recorded of a run.
    pub fn has_facts(&self) -> bool {
        self.closer("Facts").next().is_some()
    }

    /// The attributes of a type that the prelude leaves to the bundle.
    fn closer(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        let shape = self.common_types.get(&own_name(name)).unwrap_or(&Value::Null);
        attributes(resolve(shape, &self.common_types))
    }

    /// The whole context of an action.
    pub fn context(&self, action: &EntityUid) -> &Value {
        self.contexts.get(action).unwrap_or(&Value::Null)
    }

    /// The attributes of an entity type.
    pub fn attributes(&self, kind: &EntityTypeName) -> &Value {
        self.attributes.get(&kind.to_string()).unwrap_or(&Value::Null)
    }

    /// What the name of a common type stands for.
    pub fn resolved<'a>(&'a self, shape: &'a Value) -> &'a Value {
        resolve(shape, &self.common_types)
    }

    /// The ids of an enumerated type.
    pub fn members(&self, name: &EntityTypeName) -> Option<&[String]> {
        self.enumerations.get(&name.to_string()).map(Vec::as_slice)
    }

    /// Whether the entities of a type need no facts: all its ids are listed in the schema, or it is that of programs.
    pub fn is_enumerated(&self, name: &EntityTypeName) -> bool {
        let name = name.to_string();
        name == PROGRAM || self.enumerations.contains_key(&name)
    }

    /// Where the bundle's schema first names something, outside comments.
    pub fn place(&self, word: &str) -> Range<usize> {
        place(&self.source, word)
    }

    /// The type of `context.run` in Cedar's schema syntax, with its named types written out.
    pub fn run_type(&self) -> String {
        let mut text = String::new();
        self.write_type(self.common_types.get(&own_name("RunFacts")).unwrap_or(&Value::Null), 0, &mut text);
        text
    }

    fn write_type(&self, shape: &Value, depth: usize, text: &mut String) {
        let name = |key: &str| shape.get(key).and_then(Value::as_str).unwrap_or_default();
        match name("type") {
            "Record" => {
                text.push_str("{\n");
                for (key, attribute) in attributes(shape) {
                    let optional = if closers::required(attribute) { "" } else { "?" };
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

/// The whole name of what the prelude declares.
fn own_name(name: &str) -> String {
    format!("{NAMESPACE}::{name}")
}

/// The last part of a name.
fn base(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or_default()
}

/// Where a schema first names something, outside comments.
/// Refuses types that Cedar would write out whole, wherever they are named, to more than anybody could look at.
pub(crate) fn check_size(json: &Value, source: &Source) -> Result<(), Problem> {
    let Some(name) = joined::too_large(json) else { return Ok(()) };
    let name = name.trim_start_matches("::");
    let message = format!("the type `{name}` comes to more than {} parts, with all that it names", joined::MOST_PARTS);
    let help = "name fewer records in records; an entity may hold what several types share";
    Err(Problem::invalid(message).at(source, place(source, base(name))).help(help))
}

fn place(source: &Source, word: &str) -> Range<usize> {
    let mut start = 0;
    for line in source.text().split_inclusive('\n') {
        let code = line.split("//").next().unwrap_or_default();
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let found = code.match_indices(word).map(|(at, _)| at).find(|at| {
            let (before, after) = (code.get(..*at), code.get(at + word.len()..));
            !before.is_some_and(|text| text.ends_with(is_word)) && !after.is_some_and(|text| text.starts_with(is_word))
        });
        if let Some(at) = found {
            return start + at..start + at + word.len();
        }
        start += line.len();
    }
    0..0
}

/// The type of the programs that rows run; it has neither attributes nor parents.
pub const PROGRAM: &str = "Cutter::Program";

/// Why a schema cannot be read: what is not closed in it, else what Cedar says.
fn unreadable(error: &dyn miette::Diagnostic, source: &Source) -> Problems {
    let mut problems = Problems::new();
    unclosed(source, Statements::Declarations).into_iter().for_each(|(_, problem)| problems.push(problem));
    if problems.is_empty() {
        return of_schema(error, "the schema cannot be read", source);
    }
    problems
}

/// What Cedar says of a schema, in the words of the slip that it is.
pub(crate) fn of_schema(error: &dyn miette::Diagnostic, what: &str, source: &Source) -> Problems {
    let mut problems = Problems::new();
    let said = diagnostics::problems(error, what, source);
    said.iter().for_each(|problem| problems.push(slips::of_schema(problem.clone(), source)));
    problems
}
