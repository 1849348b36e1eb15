//! What a relation is made of: the parts that hold its rows, each with where it lies.

use crate::db::{DatabaseError, Snapshot};
use crate::digest::Digest;
use crate::settings::evidence::split_name;
use std::collections::BTreeMap;

/// A relation and its parts.
#[derive(Debug)]
pub struct Shape {
    /// Its number.
    pub oid: String,
    /// Its name as SQL takes it.
    pub qualified: String,
    /// Its kind.
    pub kind: String,
    /// What holds its rows: itself, its partitions, its children.
    pub parts: Vec<Part>,
}

/// One thing that holds rows.
#[derive(Debug)]
pub struct Part {
    /// Its name as SQL takes it.
    pub qualified: String,
    /// Its kind.
    pub kind: String,
    /// How many pages it has.
    pub pages: u64,
    place: String,
}

/// Finds relations by their names, and everything that inherits from them.
pub fn all(names: &[&str], snapshot: &mut Snapshot<'_>) -> Result<BTreeMap<String, Shape>, DatabaseError> {
    let places: Vec<(&str, (String, String))> =
        names.iter().filter_map(|name| Some((*name, split_name(name)?))).collect();
    let (schemas, relations): (Vec<&String>, Vec<&String>) =
        places.iter().map(|(_, (schema, relation))| (schema, relation)).unzip();
    let mut found: BTreeMap<String, Shape> = BTreeMap::new();
    for row in snapshot.query(SHAPE, &[&schemas, &relations])? {
        let cell = |index: usize| row.try_get::<_, String>(index).map_err(|_| DatabaseError::lost());
        let (oid, qualified, kind) = (cell(0)?, cell(1)?, cell(2)?);
        let number = |index: usize| row.try_get::<_, i64>(index).map_err(|_| DatabaseError::lost());
        let part = Part {
            qualified: qualified.clone(),
            kind: kind.clone(),
            pages: u64::try_from(number(3)?).unwrap_or(0),
            place: cell(4)?,
        };
        let at = usize::try_from(number(5)?).ok().and_then(|at| places.get(at.checked_sub(1)?));
        let (name, _) = at.ok_or_else(DatabaseError::lost)?;
        // The relation itself comes first.
        let shape = found.entry((*name).to_owned());
        shape.or_insert_with(|| Shape { oid, qualified, kind, parts: Vec::new() }).parts.push(part);
    }
    // A partitioned table holds nothing itself.
    found.values_mut().for_each(|shape| shape.parts.retain(|part| part.kind != "p"));
    Ok(found)
}

impl Shape {
    /// Where the rows lie; another place after they were rewritten.
    pub fn storage(&self) -> String {
        let places: Vec<&str> = self.parts.iter().map(|part| part.place.as_str()).collect();
        match places.as_slice() {
            [only] => (*only).to_owned(),
            many => format!("{} parts, {}", many.len(), Digest::of(many.join(" ").as_bytes()).short()),
        }
    }

    /// Whether every part has row headers.
    pub fn has_headers(&self) -> bool {
        self.kind != "v" && self.parts.iter().all(Part::has_headers)
    }
}

impl Part {
    /// Whether its rows have headers.
    pub fn has_headers(&self) -> bool {
        matches!(self.kind.as_str(), "r" | "m")
    }
}

/// Seen by everybody, also where the rows are not.
const SHAPE: &str = "
WITH RECURSIVE found AS (
    SELECT w.at, c.oid, 0 AS depth FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, relation, at)
    JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION
    SELECT f.at, i.inhrelid, 1 FROM found f JOIN pg_inherits i ON i.inhparent = f.oid
)
SELECT c.oid::text, format('%I.%I', n.nspname, c.relname), c.relkind::text,
       (CASE WHEN c.relkind IN ('r', 'm') THEN coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int ELSE 0 END)::bigint,
       c.oid || '/' || c.relfilenode, f.at
FROM found f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY f.at, f.depth, c.oid";
