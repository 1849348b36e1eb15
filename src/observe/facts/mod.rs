//! Facts from PostgreSQL: named queries of `cutter.toml` become entities. A live value outranks a recorded one.

mod cell;
mod layers;
mod shape;

use crate::db::{Access, DatabaseError, Snapshot};
use crate::facts::RawFacts;
use crate::problem::{Problem, Problems};
use crate::schema::RunSchema;
use crate::settings::facts::{FactQuery, FactsSettings};
use layers::{Key, key, merge};
use serde_json::Value;
use shape::{Shape, types};
use std::collections::BTreeMap;

/// Asks every query in one snapshot, and lays the answers over the recorded entities.
pub fn fetch(
    settings: &FactsSettings,
    access: &Access,
    schema: &RunSchema,
    run: &str,
    recorded: RawFacts,
) -> Result<RawFacts, Problems> {
    if settings.queries.is_empty() {
        return Err(Problem::invalid("`cutter.toml` has no query for facts")
            .help("add `[facts.queries.NAME]` with `query`, `entity`, `id` and `attributes`")
            .into());
    }
    let mut session = access.open()?;
    let mut snapshot = session.begin().map_err(|error| error.problem("the facts cannot be read"))?;
    let mut problems = Problems::new();
    let mut live: BTreeMap<Key, Value> = BTreeMap::new();
    let mut answers: Vec<(String, Vec<Key>)> = Vec::new();
    for (name, query) in &settings.queries {
        let Some(entities) = problems.absorb(ask(name, query, &mut snapshot, schema, run)) else {
            continue;
        };
        let mut keys = Vec::new();
        for entity in entities {
            let key = key(&entity);
            keys.push(key.clone());
            if live.insert(key.clone(), entity).is_some() {
                problems.push(
                    Problem::invalid(format!("the query `{name}` gives `{}::\"{}\"` a second time", key.0, key.1))
                        .help("one row makes one entity, in one query"),
                );
            }
        }
        answers.push((name.clone(), keys));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    // A query without `id` is about one run, and says nothing of others.
    let mut owners: BTreeMap<String, Vec<&FactQuery>> = BTreeMap::new();
    for query in settings.queries.values().filter(|query| query.id.is_some()) {
        let of = schema.entity_type(&query.entity).map(|name| name.to_string());
        owners.entry(of.unwrap_or_default()).or_default().push(query);
    }
    merge(recorded, live, &answers, settings, &owners)
}

/// The entities of one query.
fn ask(
    name: &str,
    query: &FactQuery,
    snapshot: &mut Snapshot<'_>,
    schema: &RunSchema,
    run: &str,
) -> Result<Vec<Value>, Problems> {
    let most = query.most_rows.unwrap_or(MOST_ROWS);
    let failed = |error: DatabaseError| error.problem(&format!("the query `{name}` failed"));
    let inner = query.query.trim().trim_end_matches(';');
    // The bound is asked of the server, so that no answer can fill the memory.
    let sql = format!("SELECT * FROM (\n{inner}\n) AS answer LIMIT {}", most.saturating_add(1));
    let rows = snapshot.query(&sql, &[]).map_err(failed)?;
    if rows.len() > most {
        return Err(Problem::invalid(format!("the query `{name}` gives more than {most} rows"))
            .help("narrow it, or raise its `most_rows`")
            .into());
    }
    let type_name = |short: &str| {
        let known = schema.entity_type(short).filter(|name| schema.schema().entity_types().any(|known| known == name));
        known.map(|name| name.to_string()).ok_or_else(|| {
            Problem::invalid(format!("the query `{name}` names `{short}`, which is no entity type"))
                .help("`entity`, `references` and `parents` name types of the schema, without its namespace")
        })
    };
    let is_run = query.id.is_none();
    if is_run && query.entity != "Run" {
        return Err(Problem::invalid(format!("the query `{name}` has no `id`"))
            .help("`id` names the column with the entity's id")
            .into());
    }
    if is_run && rows.len() != 1 {
        return Err(
            Problem::invalid(format!("the query `{name}` gives {} rows for the run, not one", rows.len())).into()
        );
    }
    let shape = Shape { name, query, entity: type_name(&query.entity)?, types: types(query, &type_name)?, run };
    let mut problems = Problems::new();
    let entities: Vec<Value> = rows.iter().filter_map(|row| problems.absorb(shape.entity(row))).collect();
    problems.or(entities)
}

const MOST_ROWS: usize = 10_000;
