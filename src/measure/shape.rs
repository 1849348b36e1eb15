//! Rows become entities: which column is what, and what does not fit.

use super::cell::Cell;
use crate::problem::{Problem, Problems};
use crate::settings::facts::FactQuery;
use postgres::{Column, Row};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The entity types that columns refer to, by column.
pub fn types(
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

/// What the rows of one query are.
pub struct Shape<'a> {
    /// The query's name.
    pub name: &'a str,
    /// The query.
    pub query: &'a FactQuery,
    /// The entity type, whole.
    pub entity: String,
    /// The types that columns refer to.
    pub types: BTreeMap<String, String>,
    /// The plan's own run.
    pub run: &'a str,
}

impl Shape<'_> {
    /// The entity of one row.
    pub fn entity(&self, row: &Row) -> Result<Value, Problems> {
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
            _ => Err(self.wrong(column, "is not text, and an id is text").into()),
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

/// Puts a value where its dotted name says, over whatever stands there.
pub fn put(record: &mut Map<String, Value>, path: &str, value: &Value) {
    match path.split_once('.') {
        None => drop(record.insert(path.to_owned(), value.clone())),
        Some((first, rest)) => {
            let inner = record.entry(first).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Puts a value where its dotted name says; false where something else stands there.
pub fn place(record: &mut Map<String, Value>, path: &str, value: Value) -> bool {
    match path.split_once('.') {
        None => record.insert(path.to_owned(), value).is_none(),
        Some((first, rest)) => match record.entry(first).or_insert_with(|| json!({})) {
            Value::Object(inner) => place(inner, rest, value),
            _ => false,
        },
    }
}
