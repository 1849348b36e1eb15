//! Which source a fact needs before it may carry an allow: `@source` on entity types, record types and attributes.

use crate::problem::{Problem, Problems, Source, nearest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Where a fact comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactSource {
    /// A file says so, or nobody does.
    Stated,
    /// What effects of this run brought about, as the ledger has it.
    Ledger,
    /// A capture that an observer signed, and that is not too old.
    Capture,
    /// cutter looked at a file, a tree or a function itself.
    Observation,
    /// cutter asked the database itself, as the observer.
    Query,
    /// It is part of the signed bundle.
    Bundle,
}

impl FactSource {
    /// Every source, weakest first.
    const ALL: [Self; 6] = [Self::Stated, Self::Ledger, Self::Capture, Self::Observation, Self::Query, Self::Bundle];

    /// The source as `@source` and records write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Ledger => "ledger",
            Self::Capture => "capture",
            Self::Observation => "observation",
            Self::Query => "query",
            Self::Bundle => "bundle",
        }
    }

    /// Whether a fact from here is good enough where `needed` is asked for.
    pub fn suffices_for(self, needed: Self) -> bool {
        self.strength() >= needed.strength()
    }

    /// A query and an observation are both what cutter saw itself.
    pub fn strength(self) -> u8 {
        match self {
            Self::Stated => 0,
            Self::Ledger => 1,
            Self::Capture => 2,
            Self::Observation | Self::Query => 3,
            Self::Bundle => 4,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

impl fmt::Display for FactSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The path under which an entity's parents are a fact.
pub const PARENTS: &str = "parents";

/// The source that each fact needs, where the schema says so.
///
/// An attribute has what it says itself, else what the record or entity type around it says.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NeededSources(BTreeMap<String, BTreeMap<String, Option<FactSource>>>);

impl NeededSources {
    /// Reads the annotations of a schema in its JSON form; one that names no source is an error.
    pub fn read(json: &Value, source: &Source) -> Result<Self, Problems> {
        let mut reader = Reader { json, source, problems: Problems::new() };
        let mut needs = BTreeMap::new();
        for (namespace, body) in json.as_object().into_iter().flatten() {
            for (name, entity) in body.get("entityTypes").and_then(Value::as_object).into_iter().flatten() {
                let own = reader.annotated(entity, None, name);
                let mut paths = BTreeMap::from([(PARENTS.to_owned(), own)]);
                if let Some(shape) = entity.get("shape") {
                    reader.record(shape, namespace, own, "", &mut paths);
                }
                needs.insert(full(namespace, name), paths);
            }
        }
        reader.problems.or(Self(needs))
    }

    /// What a fact of an entity of this type needs: an attribute by its dotted path, or [`PARENTS`].
    pub fn of(&self, entity: &str, path: &str) -> Option<FactSource> {
        let paths = self.0.get(entity)?;
        let mut path = path;
        loop {
            if let Some(found) = paths.get(path) {
                return *found;
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    /// Whether an attribute or a part of it is declared.
    pub fn knows(&self, entity: &str, path: &str) -> bool {
        self.0.get(entity).is_some_and(|paths| paths.contains_key(path))
    }

    /// Whether the schema says nothing of the sources of attributes.
    pub fn is_empty(&self) -> bool {
        let attributes = |paths: &BTreeMap<String, Option<FactSource>>| {
            paths.iter().all(|(path, needed)| path == PARENTS || needed.is_none())
        };
        self.0.values().all(attributes)
    }

    /// Every fact that the schema knows, with what it needs: entity type, path.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, Option<FactSource>)> {
        self.0.iter().flat_map(|(entity, paths)| {
            paths.iter().map(move |(path, needed)| (entity.as_str(), path.as_str(), *needed))
        })
    }
}

struct Reader<'a> {
    json: &'a Value,
    source: &'a Source,
    problems: Problems,
}

impl Reader<'_> {
    /// What a declaration says of itself, else what holds around it.
    fn annotated(&mut self, declared: &Value, around: Option<FactSource>, name: &str) -> Option<FactSource> {
        let Some(text) = declared.pointer("/annotations/source").and_then(Value::as_str) else { return around };
        let known = FactSource::parse(text);
        if known.is_none() {
            let help = match nearest(text, FactSource::ALL.into_iter().map(FactSource::name)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "a source is `query`, `observation`, `capture`, `ledger`, `stated` or `bundle`".to_owned(),
            };
            let message = format!("`@source` of `{name}` names `{text}`, which is not a known source");
            let at = self.source.text().find(&format!("\"{text}\"")).map(|at| at..at + text.len() + 2);
            let problem = Problem::invalid(message).help(help);
            self.problems.push(match at {
                Some(at) => problem.at(self.source, at),
                None => problem.of(self.source),
            });
        }
        known.or(around)
    }

    /// Every attribute of a record below a path; what a named type says holds for its attributes.
    fn record(
        &mut self,
        shape: &Value,
        namespace: &str,
        around: Option<FactSource>,
        path: &str,
        paths: &mut BTreeMap<String, Option<FactSource>>,
    ) {
        let json = self.json;
        let mut shape = shape;
        let mut namespace = namespace;
        let mut around = around;
        // Cedar refuses types that hold themselves, so that this ends; the bound is for a schema that was not checked.
        for _ in 0..MOST_NAMES {
            let Some((name, inner, declared)) = common_type(json, shape, namespace) else { break };
            around = self.annotated(declared, around, name);
            (shape, namespace) = (declared, inner);
        }
        for (key, attribute) in shape.get("attributes").and_then(Value::as_object).into_iter().flatten() {
            let own = self.annotated(attribute, around, key);
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            paths.insert(path.clone(), own);
            if path.split('.').count() < MOST_NAMES {
                self.record(attribute, namespace, own, &path, paths);
            }
        }
    }
}

/// The common type that a shape names: its name, namespace and declaration.
fn common_type<'a>(json: &'a Value, shape: &'a Value, namespace: &'a str) -> Option<(&'a str, &'a str, &'a Value)> {
    let word = |key: &str| shape.get(key).and_then(Value::as_str);
    let name = word("name").or_else(|| word("type"))?;
    let find = |namespace: &'a str, name: &'a str| {
        let declared = json.get(namespace)?.get("commonTypes")?.get(name)?;
        Some((name, namespace, declared))
    };
    match name.rsplit_once("::") {
        Some((namespace, name)) => find(namespace, name),
        None => find(namespace, name).or_else(|| find("", name)),
    }
}

fn full(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}::{name}") }
}

const MOST_NAMES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::SchemaFragment;

    fn read(text: &str) -> Result<NeededSources, Problems> {
        let json = SchemaFragment::from_cedarschema_str(text).unwrap().0.to_json_value().unwrap();
        NeededSources::read(&json, &Source::new("schema", text))
    }

    #[test]
    fn an_attribute_needs_what_it_says_itself_else_what_the_types_around_it_say() {
        let needs = read(
            r#"namespace A {
                @source("capture") type Facts = {
                    switch: { @source("observation") enabled: Bool, since: Long },
                    @source("query") grants: { may: Bool },
                    plain: Inner,
                    other: B::Outer,
                };
                type Inner = { @source("ledger") made: Bool, more: Bool };
                entity Run = { facts: Facts };
                @source("bundle") entity Group;
                entity Agent in [Group] = { name: String };
            }
            namespace B { type Outer = { deep: Bool }; }"#,
        )
        .unwrap();
        let of = |entity: &str, path: &str| needs.of(entity, path).map(FactSource::name);
        assert_eq!(of("A::Run", "facts.switch.enabled"), Some("observation"));
        assert_eq!(of("A::Run", "facts.switch.since"), Some("capture"));
        assert_eq!(of("A::Run", "facts.grants.may"), Some("query"));
        assert_eq!(of("A::Run", "facts.plain.made"), Some("ledger"));
        assert_eq!(of("A::Run", "facts.plain.more"), Some("capture"));
        assert_eq!(of("A::Run", "facts.other.deep"), Some("capture"));
        assert_eq!(of("A::Run", "facts.nothing.of.it"), None);
        assert_eq!((of("A::Group", PARENTS), of("A::Agent", PARENTS)), (Some("bundle"), None));
        assert!(!needs.is_empty());
    }

    #[test]
    fn a_source_that_is_none_is_an_error() {
        let text = r#"namespace A { entity Run = { @source("qery") facts: Bool }; }"#;
        let problems = read(text).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert!(problem.message.contains("`qery`") && problem.help.as_deref() == Some("did you mean `query`?"));
    }
}
