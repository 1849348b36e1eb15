//! Facts from PostgreSQL: named queries of `cutter.toml` become entities. A live value outranks a recorded one.

use super::RawFacts;
use crate::db::{Access, DatabaseError, Snapshot};
use crate::problem::{Problem, Problems, Source};
use crate::schema::RunSchema;
use crate::time::Timestamp;
use postgres::types::{FromSql, Type};
use postgres::{Column, Row};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// `[facts]` of `cutter.toml`.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactsSettings {
    /// What to ask the database, by name.
    #[serde(default)]
    pub queries: BTreeMap<String, FactQuery>,
}

/// One query whose rows are entities.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactQuery {
    /// One SELECT statement.
    pub query: String,
    /// The entity type of the rows, in the schema's namespace; `Run` without `id` is the plan's own run.
    pub entity: String,
    /// The column with the entity's id.
    pub id: Option<String>,
    /// The columns that are attributes; dots in a name make records.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Attribute columns that hold the id of another entity, and its type.
    #[serde(default)]
    pub references: BTreeMap<String, String>,
    /// Columns that hold the id of a parent, and its type; NULL is no parent.
    #[serde(default)]
    pub parents: BTreeMap<String, String>,
    /// More rows than this are an error; 10000 where nothing is said.
    pub most_rows: Option<usize>,
}

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
    let mut live: BTreeMap<(String, String), Value> = BTreeMap::new();
    let mut answers: Vec<(String, Vec<(String, String)>)> = Vec::new();
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
    merge(recorded, live, &answers)
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

fn types(
    query: &FactQuery,
    type_name: &dyn Fn(&str) -> Result<String, Problem>,
) -> Result<BTreeMap<String, String>, Problem> {
    query
        .references
        .iter()
        .chain(&query.parents)
        .map(|(column, short)| Ok((column.clone(), type_name(short)?)))
        .collect()
}

struct Shape<'a> {
    name: &'a str,
    query: &'a FactQuery,
    entity: String,
    types: BTreeMap<String, String>,
    run: &'a str,
}

impl Shape<'_> {
    fn entity(&self, row: &Row) -> Result<Value, Problems> {
        let mut problems = Problems::new();
        let id = match &self.query.id {
            None => Some(self.run.to_owned()),
            Some(column) => problems.absorb(self.text(row, column)),
        };
        let mut attributes = Map::new();
        for column in self.query.attributes.iter().chain(self.query.references.keys()) {
            let value = match self.types.get(column) {
                Some(of) => self.text(row, column).map(|id| json!({"__entity": {"type": of, "id": id}})),
                None => self.value(row, column),
            };
            if let Some(value) = problems.absorb(value)
                && !place(&mut attributes, column, value)
            {
                problems.push(self.wrong(column, "is an attribute and a record at once"));
            }
        }
        let mut parents = Vec::new();
        for column in self.query.parents.keys() {
            let is_null = self.cell(row, column).is_ok_and(|cell| cell == Cell::Null);
            let id = if is_null { continue } else { problems.absorb(self.text(row, column)) };
            parents.extend(id.map(|id| json!({"type": self.types.get(column), "id": id})));
        }
        let entity = json!({"uid": {"type": self.entity, "id": id}, "attrs": attributes, "parents": parents});
        problems.or(entity)
    }

    fn text(&self, row: &Row, column: &str) -> Result<String, Problems> {
        match self.value(row, column)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(self.wrong(column, "holds no text, and an id is text").into()),
        }
    }

    fn value(&self, row: &Row, column: &str) -> Result<Value, Problems> {
        match self.cell(row, column)? {
            Cell::Value(value) => Ok(value),
            Cell::Null => Err(self.wrong(column, "is NULL").help("say what it means, with coalesce").into()),
            Cell::Unfit(name) => Err(self
                .wrong(column, &format!("has the type `{name}`, which no fact has"))
                .help("cast it to boolean, bigint, text, timestamptz, jsonb or an array of text or bigint")
                .into()),
        }
    }

    fn cell(&self, row: &Row, column: &str) -> Result<Cell, Problem> {
        let index = row.columns().iter().position(|found| found.name() == column).ok_or_else(|| {
            let found: Vec<&str> = row.columns().iter().map(Column::name).collect();
            self.wrong(column, "is missing").help(format!("its columns are {}", crate::json::in_backticks(&found)))
        })?;
        row.try_get(index).map_err(|_| self.wrong(column, "has a value that cannot be read"))
    }

    fn wrong(&self, column: &str, how: &str) -> Problem {
        Problem::invalid(format!("the query `{}`: column `{column}` {how}", self.name))
    }
}

/// A value as Cedar's JSON form takes it.
#[derive(Clone, PartialEq, Debug)]
enum Cell {
    Value(Value),
    Null,
    Unfit(String),
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let value = match *of {
            Type::BOOL => json!(bool::from_sql(of, raw)?),
            Type::INT2 => json!(i16::from_sql(of, raw)?),
            Type::INT4 => json!(i32::from_sql(of, raw)?),
            Type::INT8 => json!(i64::from_sql(of, raw)?),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => json!(String::from_sql(of, raw)?),
            Type::UUID => json!(uuid(raw)),
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::NAME_ARRAY => json!(Vec::<String>::from_sql(of, raw)?),
            Type::INT4_ARRAY => json!(Vec::<i32>::from_sql(of, raw)?),
            Type::INT8_ARRAY => json!(Vec::<i64>::from_sql(of, raw)?),
            Type::JSON => serde_json::from_slice(raw)?,
            Type::JSONB => serde_json::from_slice(raw.get(1..).unwrap_or_default())?,
            Type::TIMESTAMPTZ => {
                let time = Timestamp::from_system(std::time::SystemTime::from_sql(of, raw)?);
                json!({"__extn": {"fn": "datetime", "arg": time.ok_or("out of range")?.to_cedar()}})
            }
            _ => return Ok(Self::Unfit(of.name().to_owned())),
        };
        Ok(Self::Value(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn uuid(raw: &[u8]) -> String {
    let digits: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().concat();
    [part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 16)].join("-")
}

/// Puts a value where its dotted name says; false where something else stands there.
fn place(record: &mut Map<String, Value>, path: &str, value: Value) -> bool {
    match path.split_once('.') {
        None => record.insert(path.to_owned(), value).is_none(),
        Some((first, rest)) => match record.entry(first).or_insert_with(|| json!({})) {
            Value::Object(inner) => place(inner, rest, value),
            _ => false,
        },
    }
}

/// Recorded entities without those that are live, then one source for each query.
fn merge(
    recorded: RawFacts,
    mut live: BTreeMap<(String, String), Value>,
    answers: &[(String, Vec<(String, String)>)],
) -> Result<RawFacts, Problems> {
    let mut problems = Problems::new();
    let mut sources = Vec::new();
    for source in &recorded.sources {
        let Some(value) = problems.absorb(crate::json::parse(source)) else { continue };
        let Value::Array(entities) = crate::json::to_serde(&value) else {
            sources.push(source.clone());
            continue;
        };
        let before = entities.len();
        let mut kept = Vec::new();
        for entity in entities {
            match live.get_mut(&key(&entity)) {
                Some(over) => lay_over(over, entity),
                None => kept.push(entity),
            }
        }
        // An untouched file keeps its own text, so that errors point into it.
        let untouched = kept.len() == before;
        sources.push(if untouched {
            source.clone()
        } else {
            Source::new(source.name(), format!("{:#}\n", Value::Array(kept)))
        });
    }
    let mut names = recorded.names.clone();
    for (name, keys) in answers {
        let entities: Vec<Value> = keys.iter().filter_map(|key| live.remove(key)).collect();
        let text = format!("{:#}\n", Value::Array(entities));
        names.push(format!("postgres/{name}"));
        sources.push(Source::new(format!("query `{name}`"), text));
    }
    problems.or(RawFacts { sources, names, origin: "postgres", name: "the database".to_owned() })
}

/// Adds what was recorded and is not live.
fn lay_over(live: &mut Value, recorded: Value) {
    if let (Value::Object(live), Value::Object(recorded)) = (live, recorded) {
        for (name, value) in recorded {
            match live.get_mut(&name) {
                // A reference or a datetime is one value, not a record.
                Some(Value::Object(inner)) if inner.keys().any(|key| key.starts_with("__")) => {}
                Some(Value::Array(parents)) if name == "parents" && parents.is_empty() => *parents = array(value),
                Some(inner @ Value::Object(_)) if name != "uid" => lay_over(inner, value),
                Some(_) => {}
                None => drop(live.insert(name, value)),
            }
        }
    }
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}

fn key(entity: &Value) -> (String, String) {
    let part = |name: &str| {
        let uid = entity.get("uid").map(|uid| uid.get("__entity").unwrap_or(uid));
        uid.and_then(|uid| uid.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    (part("type"), part("id"))
}

const MOST_ROWS: usize = 10_000;
