//! Facts that are asked and observed: queries and observations of `cutter.toml` become layers over what files state.

mod bound;
mod cell;
mod observed;
mod shape;

use crate::db::{Access, DatabaseError, Session, Snapshot};
use crate::digest::Digest;
use crate::evidence::{Capture, Observation};
use crate::facts::{Key, Layer, Owned, Provenance, RawFacts, STATED, key};
use crate::observe::{catalog, flag, this_host, tree};
use crate::problem::{Problem, Problems};
use crate::schema::{FactSource, RunSchema};
use crate::settings::evidence::{EvidenceSettings, FlagSettings};
use crate::settings::facts::{FactQuery, FactsSettings, ObservedFact};
use crate::time::Timestamp;
use bound::{Parameter, bound};
use postgres::types::ToSql;
use serde_json::{Map, Value, json};
use shape::{Shape, put, types};
use std::collections::BTreeSet;

/// What facts are fetched for, and how.
pub struct Asking<'a> {
    /// What to ask and observe.
    pub settings: &'a FactsSettings,
    /// Where what is observed lies.
    pub evidence: &'a EvidenceSettings,
    /// The types of entities.
    pub schema: &'a RunSchema,
    /// The run's id.
    pub run: &'a str,
    /// The plan's target.
    pub target: &'a Value,
    /// When.
    pub now: Timestamp,
    /// Who looks at files.
    pub observer: &'a str,
}

/// Asks every query in one snapshot, looks at everything that is observed, and lays the answers over what is stated.
///
/// The database is only reached where something needs it.
pub fn fetch(
    asking: &Asking<'_>,
    access: &dyn Fn() -> Result<Access, Problem>,
    mut raw: RawFacts,
) -> Result<RawFacts, Problems> {
    let settings = asking.settings;
    if settings.is_empty() {
        return Err(Problem::invalid("`cutter.toml` has no query for facts, and no observation")
            .help("add `[facts.queries.NAME]` with `query`, `entity`, `id` and `attributes`, or `[facts.flags.NAME]`")
            .into());
    }
    let needs_database = !settings.queries.is_empty() || settings.observed().any(|(id, _)| asking.asks_for(&id));
    let mut session = match needs_database {
        true => Some(access()?.open()?),
        false => None,
    };
    let mut snapshot = session.as_mut().map(Session::begin).transpose().map_err(|error| unread(&error))?;
    let mut layers = Vec::new();
    let mut problems = Problems::new();
    if let Some(snapshot) = &mut snapshot {
        let by = identify(settings, snapshot)?;
        layers.extend(problems.absorb(asking.queries(snapshot, &by, &raw)).unwrap_or_default());
    }
    for (id, fact) in settings.observed() {
        layers.extend(problems.absorb(asking.observation(&id, fact, snapshot.as_mut())));
    }
    layers.iter().for_each(|layer| raw.push(layer));
    raw.name = "the database and the host".to_owned();
    problems.or(raw)
}

/// Asks the database once more, in one snapshot of its primary; the answers take the place of those before.
pub fn ask_again(asking: &Asking<'_>, session: &mut Session, mut raw: RawFacts) -> Result<RawFacts, Problems> {
    let mut snapshot = session.begin().map_err(|error| unread(&error))?;
    let by = identify(asking.settings, &mut snapshot)?;
    if snapshot.text("SELECT pg_is_in_recovery()::text").map_err(|error| unread(&error))?.as_deref() != Some("false") {
        return Err(Problem::failure("the facts are asked of a server in recovery, which may say what was so before")
            .help("let `[database]` lead to the primary")
            .into());
    }
    let mut layers = asking.queries(&mut snapshot, &by, &raw)?;
    for (id, fact) in asking.settings.observed() {
        if asking.asks_for(&id) {
            layers.push(asking.observation(&id, fact, Some(&mut snapshot))?);
        }
    }
    layers.iter().for_each(|layer| raw.replace(layer));
    Ok(raw)
}

fn unread(error: &DatabaseError) -> Problem {
    error.problem("the facts cannot be read")
}

/// Who is asking whom; another role than the configured one gives no facts.
fn identify(settings: &FactsSettings, snapshot: &mut Snapshot<'_>) -> Result<String, Problem> {
    let mut text = |sql: &str| snapshot.text(sql).map(Option::unwrap_or_default).map_err(|error| unread(&error));
    let role = text("SELECT current_user::text")?;
    if let Some(wanted) = settings.role.as_ref().filter(|wanted| **wanted != role) {
        return Err(Problem::failure(format!("the facts would be asked as `{role}`, not as `{wanted}`"))
            .help("`role` of `[facts]` says who asks; connect as that role"));
    }
    let system = text("SELECT system_identifier::text FROM pg_control_system()").unwrap_or_default();
    Ok(if system.is_empty() { role } else { format!("{role}@{system}") })
}

impl Asking<'_> {
    /// Whether the database is asked for what this says.
    pub fn asks(&self, by: &Provenance) -> bool {
        by.source == FactSource::Query || by.source == FactSource::Observation && self.asks_for(&by.name)
    }

    /// Whether the database is asked for this observation.
    fn asks_for(&self, id: &str) -> bool {
        match id.split_once(':') {
            Some(("flag", name)) => self.evidence.flags.get(name).is_some_and(|flag| flag.query.is_some()),
            Some((kind, _)) => kind == "function",
            None => false,
        }
    }

    fn layer(&self, source: FactSource, name: &str, by: &str, owns: Vec<Owned>, entities: Vec<Value>) -> Layer {
        let (name, by) = (name.to_owned(), Some(by.to_owned()));
        Layer { source, name, at: Some(self.now), by, owns, last: false, entities }
    }

    /// One layer a query, and one for what holds where neither a query nor a file says anything.
    fn queries(&self, snapshot: &mut Snapshot<'_>, by: &str, raw: &RawFacts) -> Result<Vec<Layer>, Problems> {
        let mut problems = Problems::new();
        let mut answers: Vec<(&String, &FactQuery, String, Vec<Value>)> = Vec::new();
        for (name, query) in &self.settings.queries {
            let Some((of, entities)) = problems.absorb(self.ask(name, query, snapshot)) else { continue };
            let mut seen = BTreeSet::new();
            for (of, id) in entities.iter().map(key).filter(|key| !seen.insert(key.clone())) {
                let message = format!("the query `{name}` gives `{of}::\"{id}\"` a second time");
                problems.push(Problem::invalid(message).help("one row makes one entity"));
            }
            answers.push((name, query, of, entities));
        }
        let stated = raw.names.iter().zip(&raw.sources).filter(|(name, _)| name.starts_with(STATED));
        let stated =
            stated.filter_map(|(_, source)| crate::json::parse(source).ok().map(|value| crate::json::to_serde(&value)));
        let stated: Vec<Key> = stated
            .flat_map(|file| file.as_array().map(|all| all.iter().map(key).collect::<Vec<_>>()).unwrap_or_default())
            .collect();
        let live: Vec<Key> = answers.iter().flat_map(|(.., entities)| entities.iter().map(key)).collect();
        let known: BTreeSet<Key> = stated.into_iter().chain(live).collect();
        let mut layers = Vec::new();
        for (name, query, of, mut entities) in answers {
            let given: BTreeSet<Key> = entities.iter().map(key).collect();
            if !query.otherwise.is_empty() {
                let attrs: Map<String, Value> = query.otherwise.clone().into_iter().collect();
                let entities = given.iter().map(|(of, id)| json!({"uid": {"type": of, "id": id}, "attrs": attrs}));
                let layer =
                    self.layer(FactSource::Bundle, &format!("otherwise {name}"), by, Vec::new(), entities.collect());
                layers.push(Layer { last: true, at: None, by: None, ..layer });
            }
            // A query without `id` is about one run, and says nothing of others.
            let id = query.id.is_none().then(|| self.run.to_owned());
            if id.is_none() && !query.absent.is_empty() {
                let mut attrs = Map::new();
                query.absent.iter().for_each(|(path, value)| put(&mut attrs, path, value));
                let silent = known.iter().filter(|key| key.0 == of && !given.contains(key));
                entities.extend(silent.map(|(of, id)| json!({"uid": {"type": of, "id": id}, "attrs": attrs})));
            }
            let owns = vec![Owned { of, id, paths: query.paths() }];
            layers.push(self.layer(FactSource::Query, name, by, owns, entities));
        }
        problems.or(layers)
    }

    /// The entities of one query, and their type.
    fn ask(
        &self,
        name: &str,
        query: &FactQuery,
        snapshot: &mut Snapshot<'_>,
    ) -> Result<(String, Vec<Value>), Problems> {
        let most = query.most_rows.unwrap_or(MOST_ROWS);
        let failed = |error: DatabaseError| error.problem(&format!("the query `{name}` failed"));
        let (inner, parameters) = bound(query.query.trim().trim_end_matches(';'));
        // The bound is asked of the server, so that no answer can fill the memory.
        let sql = format!("SELECT * FROM (\n{inner}\n) AS answer LIMIT {}", most.saturating_add(1));
        let target = self.target.to_string();
        let value = |parameter: &Parameter| match parameter {
            Parameter::Run => self.run.to_owned(),
            Parameter::Target => target.clone(),
        };
        let values: Vec<String> = parameters.iter().map(value).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = snapshot.query(&sql, &values).map_err(failed)?;
        if rows.len() > most {
            return Err(Problem::invalid(format!("the query `{name}` gives more than {most} rows"))
                .help("narrow it, or raise its `most_rows`")
                .into());
        }
        let type_name = |short: &str| self.entity_type(&format!("the query `{name}`"), short);
        let is_run = query.id.is_none();
        if is_run && query.entity != RUN {
            return Err(Problem::invalid(format!("the query `{name}` has no `id`"))
                .help("`id` names the column with the entity's id")
                .into());
        }
        if is_run && rows.len() != 1 {
            return Err(
                Problem::invalid(format!("the query `{name}` gives {} rows for the run, not one", rows.len())).into()
            );
        }
        let of = type_name(&query.entity)?;
        let shape = Shape { name, query, entity: of.clone(), types: types(query, &type_name)?, run: self.run };
        let mut problems = Problems::new();
        let entities: Vec<Value> = rows.iter().filter_map(|row| problems.absorb(shape.entity(row))).collect();
        problems.or((of, entities))
    }

    fn entity_type(&self, who: &str, short: &str) -> Result<String, Problem> {
        let known = self.schema.entity_type(short);
        let known = known.filter(|name| self.schema.schema().entity_types().any(|known| known == name));
        known.map(|name| name.to_string()).ok_or_else(|| {
            Problem::invalid(format!("{who} names `{short}`, which is not an entity type"))
                .help("`entity`, `references` and `parents` name types of the schema, without its namespace")
        })
    }

    fn observation(
        &self,
        id: &str,
        fact: &ObservedFact,
        snapshot: Option<&mut Snapshot<'_>>,
    ) -> Result<Layer, Problems> {
        let (kind, name) = id.split_once(':').unwrap_or((id, ""));
        let unknown = |section: &str| {
            Problem::invalid(format!("`[facts.{kind}s]` names `{name}`, which `[evidence.{section}]` does not have"))
                .help("declare it where it is defined")
        };
        let lost = || Problem::failure("there is no session to observe in");
        let observation = match kind {
            "flag" => {
                let own =
                    FlagSettings { file: fact.file.clone(), pattern: fact.pattern.clone(), ..FlagSettings::default() };
                let known = self.evidence.flags.get(name).or(fact.file.as_ref().map(|_| &own));
                flag::observe(name, known.ok_or_else(|| unknown("flags"))?, snapshot).map_err(|error| unread(&error))?
            }
            "tree" => tree::observe(name, self.evidence.trees.get(name).ok_or_else(|| unknown("trees"))?),
            _ => catalog::function(name, snapshot.ok_or_else(lost)?).map_err(|error| unread(&error))?,
        };
        self.observed(FactSource::Observation, id, fact, &observation, self.observer, self.now)
    }

    fn observed(
        &self,
        source: FactSource,
        id: &str,
        fact: &ObservedFact,
        observation: &Observation,
        by: &str,
        at: Timestamp,
    ) -> Result<Layer, Problems> {
        let of = self.entity_type(&format!("`{id}` of `[facts]`"), fact.entity.as_deref().unwrap_or(RUN))?;
        let entity_id = match (&fact.entity, &fact.id) {
            (None, None) => self.run.to_owned(),
            (Some(_), Some(id)) => id.clone(),
            _ => {
                let message = format!("`{id}` of `[facts]` has one of `entity` and `id` without the other");
                return Err(Problem::invalid(message).help("name both, or neither for the plan's own run").into());
            }
        };
        let attrs = observed::attributes(observation, fact)?;
        let owns = vec![Owned {
            of: of.clone(),
            id: Some(entity_id.clone()),
            paths: fact.attributes.keys().cloned().collect(),
        }];
        let entities = vec![json!({"uid": {"type": of, "id": entity_id}, "attrs": attrs})];
        Ok(Layer { at: Some(at), ..self.layer(source, id, by, owns, entities) })
    }

    /// Why a capture says nothing of this run: it is of another database than the plan's or the one of this name, was made by another
    /// configuration than the one that says what is a fact, or on another host where files are facts.
    pub fn concerns(&self, capture: &Capture, name: Option<&str>, config: Option<Digest>) -> Result<(), String> {
        if let Some(what) = capture.off_target(self.target.get("database").and_then(Value::as_str), name) {
            return Err(format!("it {what}"));
        }
        if config != Some(capture.config_sha256) {
            return Err("it was made by another configuration than this `cutter.toml`".to_owned());
        }
        // What no database is asked for is a file.
        if self.settings.observed().any(|(id, _)| !self.asks_for(&id)) && capture.host != this_host() {
            return Err("it was made on another host, and files are facts here".to_owned());
        }
        Ok(())
    }

    /// Lays what an observer's capture shows over the facts: the values that observations of `[facts]` are.
    pub fn captured(&self, capture: &Capture, by: &str, mut raw: RawFacts) -> Result<RawFacts, Problems> {
        let mut problems = Problems::new();
        let mut found = false;
        for (id, fact) in self.settings.observed() {
            let Some(observation) = capture.observation(&id) else { continue };
            found = true;
            let layer = self.observed(FactSource::Capture, &id, fact, observation, by, capture.finished_at);
            if let Some(layer) = problems.absorb(layer) {
                raw.push(&layer);
            }
        }
        if !found {
            problems.push(
                Problem::invalid("the capture holds nothing that `[facts]` of `cutter.toml` takes as a fact")
                    .help("`[facts.flags]`, `[facts.trees]` and `[facts.functions]` say which observations are facts"),
            );
        }
        problems.or(raw)
    }
}

const RUN: &str = "Run";

const MOST_ROWS: usize = 10_000;
