//! Facts: Cedar entities that conform to the schema and lack nothing they refer to. `Facts::admit` is the one door.

mod layers;
mod provenance;
mod raw;
mod read;

pub use layers::{Key, Layer, OF_LEDGER, Owned, STATED, key};
pub use provenance::Provenance;
pub use raw::RawFacts;
pub use read::{FactRead, Reader, gathered};

use crate::cedar::diagnostics;
use crate::digest::Digest;
use crate::json::{self, ObjectReader};
use crate::policy::PolicyBundle;
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::schema::{FactSource, Misfit, RunSchema};
use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, EvalResult, RestrictedExpression};
use jsonc_parser::ast::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::str::FromStr as _;

use layers::{Merged, merge};
use provenance::Provenances;

/// Where facts come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Files only.
    Entities,
    /// Files, with what signed captures show in their place.
    Evidence,
    /// Files, with what was asked and observed in their place.
    Postgres,
}

impl Origin {
    /// Where facts come from, as the names of their texts say.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let of_name = |name: &str| match name.split_once('/').map(|(kind, _)| kind) {
            Some("query" | "observation" | "bundle") => Self::Postgres,
            Some("capture") => Self::Evidence,
            _ => Self::Entities,
        };
        names.into_iter().map(of_name).max().unwrap_or(Self::Entities)
    }

    /// The origin as records write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entities => "entities",
            Self::Evidence => "evidence",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Entities that conform to the schema, each there once, and every one that any of them refers to.
#[derive(Clone, Debug)]
pub struct Facts {
    entities: Entities,
    people: BTreeMap<EntityUid, String>,
    within: BTreeSet<EntityTypeName>,
    provenances: Provenances,
    /// The file that states an entity, by its index.
    stated: HashMap<EntityUid, usize>,
    files: Vec<String>,
    origin: Origin,
    digest: Digest,
    texts: Vec<(String, String)>,
    as_if_measured: bool,
}

impl Facts {
    /// Checks every entity against the bundle's schema; all that is wrong is reported together.
    ///
    /// An entity that another refers to, or that a policy names, must be there: Cedar's proofs assume that it is.
    pub fn admit(raw: &RawFacts, bundle: &PolicyBundle) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let schema = bundle.schema();
        let mut people = BTreeMap::new();
        let mut admitted: HashMap<EntityUid, (Entity, Source, Range<usize>)> = HashMap::new();
        let texts: Vec<(&str, &Source)> = raw.names.iter().map(String::as_str).zip(&raw.sources).collect();
        let Merged { sources, files, provenances } = merge(&texts)?;
        let mut stated = HashMap::new();
        let of_bundle = bundle.people().iter().map(|source| (source, None));
        let all = of_bundle.chain(sources.iter().enumerate().map(|(index, source)| (source, Some(index))));
        for (source, file) in all {
            for (entity, span) in problems.absorb(read(source, schema)).unwrap_or_default() {
                let uid = entity.uid();
                if let Some((_, first, at)) = admitted.get(&uid) {
                    let (line, _) = first.position(at.start);
                    problems.push(
                        Problem::invalid(format!("the entity `{uid}` is defined twice"))
                            .at(source, span)
                            .help(format!("first defined at {}:{line}; keep one of the two", first.name())),
                    );
                } else {
                    match file {
                        None => drop(people.insert(uid.clone(), last_part(source.name()))),
                        Some(index) if index < files.len() => {
                            stated.insert(uid.clone(), index);
                        }
                        Some(_) => {}
                    }
                    admitted.insert(uid, (entity, source.clone(), span));
                }
            }
        }
        if raw.sources.is_empty() {
            problems.push(
                Problem::invalid(format!("`{}` has no facts", raw.name))
                    .help("facts are `*.json` files in Cedar's entity format; name the folder with --entities"),
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let missing = |uid: &EntityUid| !schema.is_enumerated(uid.type_name()) && !admitted.contains_key(uid);
        let mut dangling: Vec<(&Source, Range<usize>, Problem)> = Vec::new();
        for (uid, (entity, source, span)) in &admitted {
            for reference in references(entity).into_iter().filter(|reference| missing(reference)) {
                let message = format!("the entity `{uid}` refers to `{reference}`, which is absent");
                dangling.push((
                    source,
                    span.clone(),
                    Problem::invalid(message).help(format!("add it to {}", raw.name)).coded(Code::EntityMissing),
                ));
            }
        }
        dangling.sort_by(|(a, x, p), (b, y, q)| (a.name(), x.start, &p.message).cmp(&(b.name(), y.start, &q.message)));
        for (source, span, problem) in dangling {
            problems.push(problem.at(source, span));
        }
        for name in schema.votes() {
            if schema.prelude_entity("Group", name).is_none_or(|group| !people.contains_key(&group)) {
                problems.push(
                    Problem::invalid(format!("`Cutter::Votes` counts `{name}`, and the bundle has no such group"))
                        .at(schema.source(), schema.place(name))
                        .help(format!(
                            "add `Cutter::Group::\"{name}\"` beside the policies, in a `*.json` file of the bundle"
                        ))
                        .coded(Code::EntityMissing),
                );
            }
        }
        for policy in bundle.policies() {
            let literals: BTreeSet<EntityUid> = policy.policy.entity_literals().into_iter().collect();
            for literal in literals {
                if missing(&literal) && literal.type_name().basename() != "Action" {
                    problems.push(
                        Problem::invalid(format!("policy `{}` names `{literal}`, which is absent", policy.id()))
                            .at(&policy.source, policy.span.clone())
                            .help(format!("add it to {}, or the policy would silently never match it", raw.name))
                            .coded(Code::EntityMissing),
                    );
                }
            }
        }
        let all = admitted.into_values().map(|(entity, _, _)| entity);
        let entities = problems.absorb(Entities::from_entities(all, Some(schema.schema())).map_err(|error| {
            diagnostics::problems(&error, "the facts do not fit together", &Source::new(raw.name.clone(), ""))
        }));
        match entities {
            Some(entities) => {
                let texts = raw.sources.iter().map(|source| source.text().to_owned());
                let texts = raw.names.iter().cloned().zip(texts).collect();
                let within = schema.types_with_parents();
                let (origin, digest) = (Origin::of(raw.names.iter().map(String::as_str)), raw.digest());
                problems.or(Self {
                    entities,
                    people,
                    within,
                    provenances,
                    stated,
                    files,
                    origin,
                    digest,
                    texts,
                    as_if_measured: false,
                })
            }
            None => Err(problems),
        }
    }

    /// The entities, the schema's actions among them.
    pub fn entities(&self) -> &Entities {
        &self.entities
    }

    /// Where they come from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Sha-256 over what was read.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What was read, each text under the name the digest lists it by.
    pub fn texts(&self) -> &[(String, String)] {
        &self.texts
    }

    /// The same as they were read, not admitted.
    pub fn raw(&self) -> RawFacts {
        let source = |(name, text): &(String, String)| Source::new(name.as_str(), text.as_str());
        RawFacts {
            sources: self.texts.iter().map(source).collect(),
            names: self.texts.iter().map(|(name, _)| name.clone()).collect(),
            name: "what was read before".to_owned(),
        }
    }

    /// The same facts, of which nobody asks where they come from: those of a test.
    #[must_use]
    pub fn into_measured(self) -> Self {
        Self { as_if_measured: true, ..self }
    }

    /// Whether the entity belongs to the bundle, so that its group membership is signed with the policies.
    pub fn is_of_bundle(&self, uid: &EntityUid) -> bool {
        self.people.contains_key(uid)
    }

    /// What says a fact of an entity: of an attribute by its dotted path, or of its `parents`.
    pub fn provenance(&self, uid: &EntityUid, path: &str) -> Provenance {
        match self.people.get(uid) {
            Some(file) => Provenance { source: FactSource::Bundle, name: file.clone(), at: None, by: None },
            None => self.provenances.of(uid, path).unwrap_or_else(|| {
                let file = self.stated.get(uid).and_then(|index| self.files.get(*index));
                Provenance::stated(file.map_or(Provenance::NOBODY, String::as_str))
            }),
        }
    }

    /// Whether entities of this type can be in others.
    pub fn can_be_in(&self, name: &EntityTypeName) -> bool {
        self.within.contains(name)
    }

    /// Whether the entity is there.
    pub fn has(&self, uid: &EntityUid) -> bool {
        self.entities.get(uid).is_some()
    }

    /// One attribute of one entity.
    pub fn attribute(&self, uid: &EntityUid, name: &str) -> Option<RestrictedExpression> {
        let value = self.entities.get(uid)?.attr(name)?.ok()?;
        expression(&value)
    }
}

/// The entities of one file, each checked by itself.
fn read(source: &Source, schema: &RunSchema) -> Result<Vec<(Entity, Range<usize>)>, Problems> {
    let value = json::parse(source)?;
    let Value::Array(array) = &value else {
        let message = format!("`{}` is {}, not an array of entities", source.name(), json::kind(&value));
        return Err(Problem::invalid(message).at(source, json::span(&value)).into());
    };
    let mut problems = Problems::new();
    let mut entities = Vec::new();
    for element in &array.elements {
        let Some(mut reader) = ObjectReader::new(source, element, "an entity", &mut problems) else { continue };
        let uid = reader.required("uid");
        let attrs = reader.required("attrs");
        let parents = reader.required("parents");
        let is_whole = uid.is_some() && attrs.is_some() && parents.is_some();
        reader.optional("tags");
        let span = reader.span();
        reader.finish();
        if !is_whole {
            continue;
        }
        match Entity::from_json_value(json::to_serde(element), Some(schema.schema())) {
            Ok(entity) if entity.uid().type_name().basename() == "Action" => problems.push(
                Problem::invalid(format!("`{}` is an action, and no fact", entity.uid()))
                    .at(source, span)
                    .help("actions come from the schema; remove it"),
            ),
            Ok(entity) => entities.push((entity, span)),
            Err(error) => {
                let misfits = misfits(schema, uid, attrs, span.start);
                if !misfits.is_empty() {
                    misfits.into_iter().for_each(|misfit| {
                        let problem = Problem::invalid(misfit.message).at(source, misfit.at);
                        problems.push(misfit.help.map_or_else(|| problem.clone(), |help| problem.clone().help(help)));
                    });
                    continue;
                }
                let found = diagnostics::problem(&error, "an entity does not conform to the schema", source);
                let message = found.message.replace("error during entity deserialization: ", "");
                let problem = Problem::invalid(message).at(source, span);
                problems.push(match found.help {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
        }
    }
    problems.or(entities)
}

/// Where the attributes of an entity are not of their declared types.
fn misfits(schema: &RunSchema, uid: Option<&Value<'_>>, attrs: Option<&Value<'_>>, start: usize) -> Vec<Misfit> {
    let uid = uid.map(|uid| json::member(uid, "__entity").unwrap_or(uid));
    let text = |field| match uid.and_then(|uid| json::member(uid, field)) {
        Some(Value::StringLit(text)) => Some(text.value.as_ref()),
        _ => None,
    };
    match (text("type"), text("id")) {
        (Some(name), _) if schema.unknown_type(name).is_some() => {
            let at = uid.and_then(|uid| json::member(uid, "type")).map_or(start..start + 1, json::span);
            let message = format!("an entity has the unknown type `{name}`");
            vec![Misfit { message, at, help: schema.unknown_type(name) }]
        }
        (Some(name), Some(id)) => {
            schema.attribute_misfits(name, attrs, start, &format!("the entity `{name}::\"{id}\"`"))
        }
        _ => Vec::new(),
    }
}

/// Every entity that this one refers to: parents, attributes and tags.
fn references(entity: &Entity) -> BTreeSet<EntityUid> {
    let mut found = BTreeSet::new();
    let (_, _, parents) = entity.clone().into_inner();
    found.extend(parents);
    for (_, value) in entity.attrs().chain(entity.tags()) {
        if let Ok(value) = value {
            collect(&value, &mut found);
        }
    }
    found
}

/// Adds every entity that a value holds.
pub(crate) fn collect(value: &EvalResult, found: &mut BTreeSet<EntityUid>) {
    match value {
        EvalResult::EntityUid(uid) => drop(found.insert(uid.clone())),
        EvalResult::Set(set) => set.iter().for_each(|element| collect(element, found)),
        EvalResult::Record(record) => record.iter().for_each(|(_, element)| collect(element, found)),
        EvalResult::Bool(_) | EvalResult::Long(_) | EvalResult::String(_) | EvalResult::ExtensionValue(_) => {}
    }
}

/// The expression that makes this value.
fn expression(value: &EvalResult) -> Option<RestrictedExpression> {
    Some(match value {
        EvalResult::Bool(value) => RestrictedExpression::new_bool(*value),
        EvalResult::Long(value) => RestrictedExpression::new_long(*value),
        EvalResult::String(value) => RestrictedExpression::new_string(value.clone()),
        EvalResult::EntityUid(uid) => RestrictedExpression::new_entity_uid(uid.clone()),
        EvalResult::ExtensionValue(text) => RestrictedExpression::from_str(text).ok()?,
        EvalResult::Set(set) => RestrictedExpression::new_set(set.iter().map(expression).collect::<Option<Vec<_>>>()?),
        EvalResult::Record(record) => {
            let pairs: Option<BTreeMap<String, RestrictedExpression>> =
                record.iter().map(|(key, value)| Some((key.clone(), expression(value)?))).collect();
            RestrictedExpression::new_record(pairs?).ok()?
        }
    })
}

/// A file's own name: how the bundle was reached is no part of what it says.
fn last_part(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
