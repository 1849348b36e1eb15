//! The statement that reads one catalog, made of what the server says about it: its columns, its key, and what they refer to.

use super::column::{Column, digest, list, object, plain, written_as};
use crate::db::{DatabaseError, Snapshot};

/// Which columns of a catalog belong to a family.
#[derive(Clone, Copy, Debug)]
pub enum Columns {
    /// All that tell of a definition.
    All,
    /// These; a row in which all of them are empty is left out.
    Only(&'static [&'static str]),
    /// All but these.
    Except(&'static [&'static str]),
}

impl Columns {
    fn hold(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&name),
            Self::Except(names) => !names.contains(&name),
        }
    }
}

/// One catalog as it is read.
#[derive(Debug)]
pub struct Table {
    /// The catalog's name, also where a view that everybody may read stands in for it.
    pub name: String,
    source: String,
    is_whole: bool,
    columns: Vec<Column>,
}

/// Every catalog of the server, sorted.
pub fn tables(snapshot: &mut Snapshot<'_>) -> Result<Vec<Table>, DatabaseError> {
    let mut found: Vec<Table> = Vec::new();
    for row in snapshot.query(TABLES, &[])? {
        let lost = |_| DatabaseError::lost();
        let name: String = row.try_get(0).map_err(lost)?;
        let column = Column {
            name: row.try_get(3).map_err(lost)?,
            kind: row.try_get(4).map_err(lost)?,
            may_read: row.try_get(5).map_err(lost)?,
            refers: row.try_get(6).map_err(lost)?,
            key: row.try_get(7).map_err(lost)?,
        };
        match found.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push(column),
            None => {
                let (source, is_whole) = (row.try_get(1).map_err(lost)?, row.try_get(2).map_err(lost)?);
                found.push(Table { name, source, is_whole, columns: vec![column] });
            }
        }
    }
    Ok(found)
}

/// Whether nothing in a catalog is a definition.
pub fn is_volatile(table: &str) -> bool {
    VOLATILE.contains(&table)
}

impl Table {
    /// Whether every column may be read.
    pub fn is_readable(&self) -> bool {
        self.is_whole
    }

    /// Name, definition and mark of each row; what the server brought itself is one row where it is much.
    pub fn sql(&self, columns: &Columns) -> Option<String> {
        let shown: Vec<&Column> = self.columns.iter().filter(|column| column.is_definition(&self.name)).collect();
        if shown.is_empty() {
            return None;
        }
        let (own, rest): (Vec<&Column>, Vec<&Column>) =
            shown.into_iter().partition(|column| columns.hold(&column.name));
        let mark = if self.is_whole && self.source == self.name {
            // What else of the row moved, so that its mark is not taken for that of these columns.
            let storage = if self.name == "pg_class" { "'storage=' || r.relfilenode" } else { "NULL" };
            let beside = match columns {
                Columns::All => "NULL".to_owned(),
                _ => format!("'beside=' || {}", digest(&rest)),
            };
            format!("concat_ws(' ', r.xmin::text, {storage}, {beside})")
        } else {
            "NULL".to_owned()
        };
        let bulk = if self.key().is_empty() {
            "count(*) > 0".to_owned()
        } else {
            format!("count(*) FILTER (WHERE {}) > 64", self.is_own())
        };
        // Nobody has rights on an index or on what is kept beside a table.
        let is_index = matches!(columns, Columns::Only(_)) && self.name == "pg_class";
        let kinds = if is_index { "r.relkind NOT IN ('i', 'I', 't')" } else { "true" };
        let listed = match columns {
            Columns::Only(_) => format!("coalesce({}) IS NOT NULL", list(&own, Column::text)),
            _ => "true".to_owned(),
        };
        let (given, differs) = self.given(&own).unwrap_or_else(|| (String::new(), "false".to_owned()));
        // What the server brought is digested as it stands; only what is listed is written out.
        Some(format!(
            "WITH temporary AS MATERIALIZED (SELECT array_agg(oid) AS ids FROM (
                 SELECT oid FROM pg_namespace WHERE nspname ~ '{TEMPORARY}'
                 UNION ALL SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname ~ '{TEMPORARY}'
                 UNION ALL SELECT t.oid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname ~ '{TEMPORARY}') AS t
             ), bulk AS MATERIALIZED (
                 SELECT {bulk} AS so FROM pg_catalog.{source} AS r, temporary WHERE {wanted}
             ), rows AS MATERIALIZED (
                 SELECT f.own, f.differs, {mark} AS mark, CASE WHEN f.own AND NOT f.differs THEN '' ELSE {name} END AS name,
                        CASE WHEN f.own AND NOT f.differs THEN {plain} ELSE {definition} END AS definition
                 FROM temporary, bulk, pg_catalog.{source} AS r {given}, LATERAL (SELECT bulk.so AND {is_own} AS own, {differs} AS differs) AS f
                 WHERE {wanted}
             )
             SELECT name, definition, mark FROM rows WHERE NOT own OR differs
             UNION ALL
             SELECT '(the server''s own)', count(*) || ' rows, sha256 ' || encode(sha256(convert_to(
                        string_agg(name || ' ' || definition, E'\n'), 'UTF8')), 'hex'),
                    concat_ws(' ', encode(sha256(convert_to(string_agg(split_part(mark, ' ', 1), ' '), 'UTF8')), 'hex'),
                        'beside=' || encode(sha256(convert_to(string_agg(split_part(mark, 'beside=', 2), ' '), 'UTF8')), 'hex'))
             FROM (SELECT * FROM rows WHERE own ORDER BY name COLLATE \"C\", definition COLLATE \"C\") AS rows HAVING count(*) > 0",
            name = self.identity(),
            plain = plain(self.has("oid"), &self.key().into_iter().chain(own.iter().copied()).collect::<Vec<_>>()),
            definition = object(&own),
            source = self.source,
            is_own = self.is_own(),
            wanted = format!(
                "{kinds} AND {} AND {listed} AND (cardinality($1::text[]) = 0 OR {})",
                self.lasting(),
                self.within()
            ),
        ))
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// The columns of its key, what they lie in first.
    fn key(&self) -> Vec<&Column> {
        let mut key: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| (column.refers != "pg_namespace", column.key));
        key
    }

    fn identity(&self) -> String {
        let key = self.key();
        match written_as(&self.name).filter(|_| self.has("oid")) {
            Some(kind) => format!("r.oid::{kind}::text"),
            None if !key.is_empty() => format!("concat_ws('.', {})", list(&key, Column::text)),
            None => format!(
                "concat_ws(' ', {})",
                list(&self.columns.iter().collect::<Vec<_>>(), |column| format!("r.{}::text", column.name))
            ),
        }
    }

    /// Whether initdb made a row: its number is below all that users get.
    fn is_initial(&self) -> String {
        let key = self.key();
        let number = ["oid", "objid", "objoid"].into_iter().find(|name| self.has(name));
        let number = number.or_else(|| key.iter().find(|column| column.is_number()).map(|column| column.name.as_str()));
        match number {
            Some(_) if key.is_empty() => "true".to_owned(),
            Some(name) => format!("r.{name}::oid < 16384"),
            None => "false".to_owned(),
        }
    }

    /// Whether the server made a row, at the beginning or for something that is listed itself.
    fn is_own(&self) -> String {
        let initial = self.is_initial();
        match self.name.as_str() {
            "pg_attribute" => format!(
                "({initial} OR r.attnum < 0 OR r.attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('i', 'I', 't')))"
            ),
            "pg_type" => format!(
                "({initial} OR r.typcategory = 'A' OR r.typrelid IN (SELECT oid FROM pg_class WHERE relkind <> 'c'))"
            ),
            _ => initial,
        }
    }

    /// Leaves out what sessions make for themselves.
    fn lasting(&self) -> String {
        let refers = |column: &&Column| {
            column.is_number()
                && (matches!(column.refers.as_str(), "pg_class" | "pg_type" | "pg_namespace")
                    || matches!(column.name.as_str(), "objid" | "objoid" | "refobjid"))
        };
        let mut columns: Vec<&str> = self.columns.iter().filter(refers).map(|column| column.name.as_str()).collect();
        if matches!(self.name.as_str(), "pg_class" | "pg_type" | "pg_namespace") {
            columns.push("oid");
        }
        let conditions: Vec<String> =
            columns.iter().map(|name| format!("(temporary.ids IS NULL OR r.{name} <> ALL (temporary.ids))")).collect();
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }

    /// Whether a row lies in a named schema.
    fn within(&self) -> String {
        let schema = |column: &&Column| column.refers == "pg_namespace" && column.is_number();
        let relation = |column: &&Column| column.refers == "pg_class" && column.is_number();
        // What the tables of the schemas keep beside themselves belongs to them.
        let named = "(SELECT oid FROM pg_namespace WHERE nspname = ANY ($1) OR nspname = 'pg_toast')";
        if self.name == "pg_namespace" {
            return format!("({} OR r.nspname = ANY ($1))", self.is_initial());
        }
        if let Some(column) = self.columns.iter().find(schema) {
            return format!("({} OR r.{} IN {named})", self.is_initial(), column.name);
        }
        match self.columns.iter().find(relation) {
            Some(column) => format!(
                "({} OR r.{} IN (SELECT oid FROM pg_class WHERE relnamespace IN {named}))",
                self.is_initial(),
                column.name
            ),
            None => "true".to_owned(),
        }
    }

    /// The rights that the server brought, joined, and whether those of a row are others.
    fn given(&self, shown: &[&Column]) -> Option<(String, String)> {
        let acl = shown.iter().find(|column| column.kind == "aclitem[]")?;
        let (object, part) = match self.name.as_str() {
            "pg_attribute" => ("r.attrelid", "r.attnum"),
            _ if self.has("oid") => ("r.oid", "0"),
            _ => return None,
        };
        let class = if self.name == "pg_attribute" { "pg_class" } else { &self.name };
        let join = format!(
            "LEFT JOIN pg_catalog.pg_init_privs AS given ON given.objoid = {object} AND given.objsubid = {part}
                     AND given.classoid = 'pg_catalog.{class}'::regclass"
        );
        Some((join, format!("r.{} IS DISTINCT FROM given.initprivs", acl.name)))
    }
}

/// Every ordinary table of the system's schema.
pub const NAMES: &str = "
SELECT relname::text FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' ORDER BY 1";

/// For each its columns; the key is a unique index with a name in it, where there is one.
const TABLES: &str = "
SELECT c.relname::text, s.relname::text, has_table_privilege(s.oid, 'SELECT'), a.attname::text, format_type(a.atttypid, NULL),
       has_column_privilege(s.oid, a.attnum, 'SELECT'),
       coalesce((SELECT pktable::regclass::text FROM pg_get_catalog_foreign_keys()
                 WHERE fktable = c.oid AND fkcols = ARRAY[a.attname::text] AND NOT is_array LIMIT 1), ''),
       coalesce((SELECT k.at FROM unnest(key.columns) WITH ORDINALITY AS k (name, at) WHERE k.name = a.attname), 0)
FROM pg_class c
JOIN pg_class s ON s.relnamespace = c.relnamespace
    AND s.relname = CASE c.relname WHEN 'pg_authid' THEN 'pg_roles' WHEN 'pg_user_mapping' THEN 'pg_user_mappings' ELSE c.relname END
JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    SELECT CASE c.relname WHEN 'pg_user_mapping' THEN ARRAY['srvname', 'usename']::name[] ELSE (
        SELECT ARRAY(SELECT n.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, at)
                     JOIN pg_attribute n ON n.attrelid = c.oid AND n.attnum = k.attnum ORDER BY k.at)
        FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique
        ORDER BY EXISTS (SELECT FROM pg_attribute n WHERE n.attrelid = c.oid AND n.attnum = ANY (i.indkey::int2[])
                         AND n.atttypid = 'name'::regtype) DESC, i.indisprimary, i.indnatts, i.indexrelid
        LIMIT 1) END AS columns) AS key ON true
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r'
ORDER BY 1, a.attnum";

/// Catalogs of which nothing is a definition.
const VOLATILE: &[&str] = &["pg_statistic", "pg_statistic_ext_data", "pg_subscription_rel"];

/// The same in words, for everybody who relies on it.
pub const LEFT_OUT: &[(&str, &str)] = &[
    (
        "pg_class.relpages and its like, pg_database.datfrozenxid, pg_index.indcheckxmin, pg_attribute.attcacheoff",
        "the server moves them by itself",
    ),
    (
        "pg_authid.rolpassword, pg_user_mapping.umoptions, pg_subscription.subconninfo",
        "passwords; counters show that they were written",
    ),
    ("objects in temporary schemas", "it is gone with its session"),
];

const TEMPORARY: &str = "^pg_(toast_)?temp_[0-9]+$";
