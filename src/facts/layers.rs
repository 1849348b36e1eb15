//! Facts lie in layers: what was asked and observed, what the ledger has, what files state, and what holds where nothing
//! says anything. The strongest that says a value gives it; what one alone may say, no weaker one adds.

use super::provenance::{Provenance, Provenances, Told};
use crate::json;
use crate::problem::{Problem, Problems, Source};
use crate::schema::{FactSource, PARENTS};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Type and id of an entity.
pub type Key = (String, String);

/// What one source says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Layer {
    /// What kind of source it is.
    pub source: FactSource,
    /// Which of them.
    pub name: String,
    /// When it was asked or looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who asked or looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What it alone says, also by its silence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owns: Vec<Owned>,
    /// Whether it speaks only where nothing else does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
    /// Entities in Cedar's JSON form; attributes may be left out.
    pub entities: Vec<Value>,
}

/// Facts that one source alone says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Owned {
    /// The entity type, whole.
    pub of: String,
    /// One entity of it; all where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Attributes by their dotted paths, or `parents`.
    pub paths: Vec<String>,
}

impl Layer {
    /// The name under which a digest lists it: `query/grants`.
    pub fn listed(&self) -> String {
        format!("{}/{}", self.source, self.name)
    }

    /// What messages call it.
    pub fn label(&self) -> String {
        format!("{} `{}`", self.source, self.name)
    }

    /// Its exact text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a layer that is listed under this name.
    fn read(listed: &str, source: &Source) -> Result<Self, Problem> {
        let bad = |what: &str| Problem::invalid(format!("`{listed}` is not a layer of facts: {what}")).of(source);
        let layer: Self = serde_json::from_str(source.text()).map_err(|error| bad(&error.to_string()))?;
        if layer.listed() == listed { Ok(layer) } else { Err(bad("it is stored under another name")) }
    }

    /// What an effect brought about, as the ledger has it: values of the run's facts by their dotted paths.
    pub fn produced(
        run: (&str, &str),
        effect: &str,
        at: Timestamp,
        by: &str,
        values: &BTreeMap<String, Value>,
    ) -> Self {
        let mut attrs = Map::new();
        for (path, value) in values {
            let mut inner = value.clone();
            for step in path.rsplit('.') {
                inner = json!({ step: inner });
            }
            deepen(&mut attrs, inner);
        }
        let (of, id) = run;
        let paths = values.keys().cloned().collect();
        Self {
            source: FactSource::Ledger,
            name: effect.to_owned(),
            at: Some(at),
            by: Some(by.to_owned()),
            owns: vec![Owned { of: of.to_owned(), id: Some(id.to_owned()), paths }],
            last: false,
            entities: vec![json!({"uid": {"type": of, "id": id}, "attrs": attrs})],
        }
    }

    fn provenance(&self) -> Provenance {
        Provenance { source: self.source, name: self.name.clone(), at: self.at, by: self.by.clone() }
    }
}

/// Whether a text of this name is a file of entities that states facts.
pub(super) fn is_stated(name: &str) -> bool {
    name.starts_with(STATED)
}

/// How names of layers begin that the ledger says.
pub const OF_LEDGER: &str = "ledger/";

/// How names of stated files begin.
pub const STATED: &str = "entities/";

/// Facts of which every value has one source.
pub(super) struct Merged {
    /// Arrays of entities: what is left of each file, then what others say.
    pub sources: Vec<Source>,
    /// The names of the files.
    pub files: Vec<String>,
    /// What said each value.
    pub provenances: Provenances,
}

/// An entity of which some layer says something.
struct Entity {
    attributes: Map<String, Value>,
    parents: Option<Value>,
    others: Map<String, Value>,
    told: Told,
    /// What messages call the strongest layer that speaks of it.
    home: String,
}

/// Lays the texts of some facts, given with their names, over each other.
pub(super) fn merge(texts: &[(&str, &Source)]) -> Result<Merged, Problems> {
    let mut problems = Problems::new();
    let (stated, others): (Vec<_>, Vec<_>) = texts.iter().partition(|(name, _)| is_stated(name));
    let read =
        others.iter().filter_map(|(name, source)| problems.absorb(Layer::read(name, source).map_err(Into::into)));
    let (last, mut first): (Vec<Layer>, Vec<Layer>) =
        read.collect::<Vec<_>>().into_iter().partition(|layer| layer.last);
    if !problems.is_empty() {
        return Err(problems);
    }
    let file = |(name, _): &(&str, &Source)| name.strip_prefix(STATED).unwrap_or(name).to_owned();
    let files: Vec<String> = stated.iter().map(file).collect();
    if first.is_empty() && last.is_empty() {
        let sources = stated.iter().map(|(_, source)| (*source).clone()).collect();
        return Ok(Merged { sources, files, provenances: Provenances::default() });
    }
    first.sort_by_key(|layer| std::cmp::Reverse(layer.source.strength()));
    let mut found = Found::default();
    for layer in &first {
        found.take(layer, &mut problems);
    }
    let mut sources = Vec::new();
    for ((_, source), file) in stated.iter().zip(&files) {
        sources.push(found.take_file(file, source));
    }
    for layer in &last {
        for entity in &layer.entities {
            if let Some(known) = found.entities.get_mut(&key(entity)) {
                fill(known, entity, &layer.provenance(), &|_| true, &mut |_, _| {});
            }
        }
    }
    sources.extend(found.written());
    let Found { entities, mut provenances, .. } = found;
    provenances.entities.extend(entities.into_iter().map(|(key, entity)| (key, entity.told)));
    problems.or(Merged { sources, files, provenances })
}

#[derive(Default)]
struct Found {
    entities: BTreeMap<Key, Entity>,
    provenances: Provenances,
    /// What is owned of single entities.
    of_one: BTreeMap<Key, BTreeMap<String, Provenance>>,
}

impl Found {
    /// Takes what a layer says that no stronger one does; two of one strength must not both say a value.
    fn take(&mut self, layer: &Layer, problems: &mut Problems) {
        let by = layer.provenance();
        for entity in &layer.entities {
            let key = key(entity);
            let owned = self.owned(&key, layer.source);
            let home = layer.label();
            let known = self.entities.entry(key.clone()).or_insert_with(|| Entity {
                attributes: Map::new(),
                parents: None,
                others: Map::new(),
                told: Told::default(),
                home,
            });
            fill(known, entity, &by, &|path| !owned.iter().any(|own| covers(own, path)), &mut |path, other| {
                if other.source.strength() == by.source.strength() {
                    let what = format!("`{}::\"{}\"`: `{path}`", key.0, key.1);
                    let (kind, name) = (by.source, &by.name);
                    let message = if (other.source, &other.name) == (kind, name) {
                        format!("the {kind} `{name}` gives {what} a second time")
                    } else {
                        format!(
                            "the {kind} `{name}` gives {what}, which the {} `{}` gives, too",
                            other.source, other.name
                        )
                    };
                    problems.push(Problem::invalid(message).help("one fact has one source: leave it out of the other"));
                }
            });
        }
        for Owned { of, id, paths } in &layer.owns {
            let silence = match id {
                None => self.provenances.types.entry(of.clone()).or_default(),
                Some(id) => self.of_one.entry((of.clone(), id.clone())).or_default(),
            };
            for path in paths {
                silence.entry(path.clone()).or_insert_with(|| by.clone());
            }
        }
    }

    /// What of an entity only stronger sources may say.
    fn owned(&self, key: &Key, than: FactSource) -> Vec<String> {
        let of_type = self.provenances.types.get(&key.0).into_iter().flatten();
        let own = of_type.chain(self.of_one.get(key).into_iter().flatten());
        own.filter(|(_, by)| by.source.strength() > than.strength()).map(|(path, _)| path.clone()).collect()
    }

    /// A stated file without what others say better; one that none of them touches keeps its own text, so that errors
    /// point into it.
    fn take_file(&mut self, name: &str, source: &Source) -> Source {
        let by = Provenance::stated(name);
        let Ok(Value::Array(entities)) = json::parse(source).map(|value| json::to_serde(&value)) else {
            return source.clone();
        };
        let (mut untouched, mut kept) = (true, Vec::new());
        for mut entity in entities {
            let key = key(&entity);
            let owned = self.owned(&key, FactSource::Stated);
            let is_free = |path: &str| !owned.iter().any(|own| covers(own, path));
            if let Some(known) = self.entities.get_mut(&key) {
                untouched = false;
                fill(known, &entity, &by, &is_free, &mut |_, _| {});
                continue;
            }
            if let Some(silence) = self.of_one.get(&key) {
                let told = Told { silence: silence.clone(), ..Told::default() };
                self.provenances.entities.entry(key).or_insert(told);
            }
            for path in &owned {
                untouched &= !silenced(&mut entity, path);
            }
            kept.push(entity);
        }
        match untouched {
            true => source.clone(),
            false => Source::new(source.name(), format!("{:#}\n", Value::Array(kept))),
        }
    }

    /// The entities of layers, those of one home together.
    fn written(&mut self) -> Vec<Source> {
        let mut homes: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for ((of, id), entity) in &mut self.entities {
            if let Some(silence) = self.of_one.get(&(of.clone(), id.clone())) {
                entity.told.silence.clone_from(silence);
            }
            let parents = entity.parents.clone().unwrap_or_else(|| json!([]));
            let mut value = entity.others.clone();
            value.insert("uid".to_owned(), json!({"type": of, "id": id}));
            value.insert("attrs".to_owned(), Value::Object(entity.attributes.clone()));
            value.insert("parents".to_owned(), parents);
            homes.entry(&entity.home).or_default().push(Value::Object(value));
        }
        let written =
            |(home, entities): (&str, Vec<Value>)| Source::new(home, format!("{:#}\n", Value::Array(entities)));
        homes.into_iter().map(written).collect()
    }
}

/// Adds to an entity what is said of it, is not owned by others and is not there; `twice` hears of what is there.
fn fill(
    known: &mut Entity,
    said: &Value,
    by: &Provenance,
    is_free: &dyn Fn(&str) -> bool,
    twice: &mut dyn FnMut(&str, &Provenance),
) {
    if let Some(Value::Object(attributes)) = said.get("attrs") {
        lay(&mut known.attributes, attributes, "", by, &mut known.told, is_free, twice);
    }
    match said.get(PARENTS) {
        Some(parents) if parents.as_array().is_some_and(|parents| !parents.is_empty()) && is_free(PARENTS) => {
            match known.told.values.get(PARENTS) {
                Some(other) => twice(PARENTS, other),
                None => {
                    known.parents = Some(parents.clone());
                    known.told.values.insert(PARENTS.to_owned(), by.clone());
                }
            }
        }
        _ => {}
    }
    for (name, value) in said.as_object().into_iter().flatten() {
        if !["uid", "attrs", PARENTS].contains(&name.as_str()) && !known.others.contains_key(name) {
            known.others.insert(name.clone(), value.clone());
            known.told.values.insert(name.clone(), by.clone());
        }
    }
}

fn lay(
    known: &mut Map<String, Value>,
    said: &Map<String, Value>,
    above: &str,
    by: &Provenance,
    told: &mut Told,
    is_free: &dyn Fn(&str) -> bool,
    twice: &mut dyn FnMut(&str, &Provenance),
) {
    for (name, value) in said {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        if !is_free(&path) {
            continue;
        }
        match (known.get_mut(name), record(value)) {
            (Some(Value::Object(inner)), Some(said)) if !is_single(inner) => {
                lay(inner, said, &path, by, told, is_free, twice);
            }
            (Some(_), _) => {
                let other = told.values.iter().find(|(known, _)| covers(&path, known) || covers(known, &path));
                other.into_iter().for_each(|(known, other)| twice(known, other));
            }
            (None, Some(said)) => {
                let mut inner = Map::new();
                lay(&mut inner, said, &path, by, told, is_free, twice);
                known.insert(name.clone(), Value::Object(inner));
            }
            (None, None) => {
                known.insert(name.clone(), value.clone());
                told.values.insert(path, by.clone());
            }
        }
    }
}

/// Joins records into one.
fn deepen(known: &mut Map<String, Value>, more: Value) {
    let Value::Object(more) = more else { return };
    for (name, value) in more {
        match known.get_mut(&name) {
            Some(Value::Object(inner)) => deepen(inner, value),
            _ => drop(known.insert(name, value)),
        }
    }
}

/// The members of a record; a reference, a datetime or an empty record is one value.
fn record(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object().filter(|members| !members.is_empty() && !is_single(members))
}

fn is_single(members: &Map<String, Value>) -> bool {
    members.keys().any(|key| key.starts_with("__"))
}

/// Whether a path is this one or lies below it.
fn covers(own: &str, path: &str) -> bool {
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Takes an owned fact out of a stated entity; says whether there was anything to take.
fn silenced(entity: &mut Value, path: &str) -> bool {
    if path == PARENTS {
        let parents = entity.get_mut(PARENTS).and_then(Value::as_array_mut);
        return parents.is_some_and(|parents| !std::mem::take(parents).is_empty());
    }
    let mut at = entity.get_mut("attrs");
    let (above, name) = path.rsplit_once('.').map_or((None, path), |(above, name)| (Some(above), name));
    for step in above.into_iter().flat_map(|above| above.split('.')) {
        at = at.and_then(|at| at.get_mut(step));
    }
    at.and_then(Value::as_object_mut).is_some_and(|members| members.remove(name).is_some())
}

/// Type and id, in whichever of Cedar's two forms they stand.
pub fn key(entity: &Value) -> Key {
    let part = |name: &str| {
        let uid = entity.get("uid").map(|uid| uid.get("__entity").unwrap_or(uid));
        uid.and_then(|uid| uid.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    (part("type"), part("id"))
}
