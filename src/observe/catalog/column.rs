//! One column of a catalog: whether it tells of a definition, and how it is written as text.

/// One column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Whether the observer may read it.
    pub may_read: bool,
    /// The catalog that its numbers refer to.
    pub refers: String,
    /// Its place in the key, from 1.
    pub key: i64,
}

impl Column {
    /// Whether it holds numbers of rows.
    pub fn is_number(&self) -> bool {
        matches!(self.kind.as_str(), "oid" | "regproc")
    }

    /// Whether it tells of a definition, and may be read.
    pub fn is_definition(&self, table: &str) -> bool {
        let is_counter = COUNTERS.iter().any(|(of, names)| *of == table && names.contains(&self.name.as_str()));
        self.may_read && self.name != "oid" && !is_counter
    }

    /// Its value as text; what is empty, false or nothing is NULL, what is long its digest.
    pub fn text(&self) -> String {
        let name = &self.name;
        if SECRET.contains(&name.as_str()) {
            return format!("CASE WHEN r.{name} IS NOT NULL THEN 'set' END");
        }
        match (self.kind.as_str(), written_as(&self.refers)) {
            ("boolean", _) => format!("CASE WHEN r.{name} THEN 'yes' END"),
            ("oid" | "regproc", Some(kind)) => format!("nullif(r.{name}::oid::{kind}::text, '-')"),
            ("oid" | "name" | "\"char\"" | "smallint" | "integer" | "bigint" | "regproc", _) => {
                format!("nullif(nullif(r.{name}::text, ''), '0')")
            }
            _ => format!(
                "CASE WHEN length(r.{name}::text) > 160 THEN 'sha256 ' || encode(sha256(convert_to(r.{name}::text, 'UTF8')), 'hex') ELSE nullif(r.{name}::text, '') END"
            ),
        }
    }
}

/// One expression for each column.
pub fn list(columns: &[&Column], text: impl Fn(&Column) -> String) -> String {
    columns.iter().map(|column| text(column)).collect::<Vec<_>>().join(", ")
}

/// A JSON object of all that is not empty.
pub fn object(columns: &[&Column]) -> String {
    format!(
        "jsonb_strip_nulls(jsonb_object(ARRAY[{}]::text[], ARRAY[{}]::text[]))::text",
        list(columns, |column| format!("'{}'", column.name)),
        list(columns, Column::text)
    )
}

/// All of it as the server writes a row, with its number, which is quicker and not for people.
pub fn plain(has_number: bool, columns: &[&Column]) -> String {
    let raw = |column: &Column| match SECRET.contains(&column.name.as_str()) {
        true => column.text(),
        false => format!("r.{}", column.name),
    };
    let number = if has_number { "r.oid, " } else { "" };
    format!("row({number}{})::text", list(columns, raw))
}

/// A number that is another one, by all likelihood, where any of it is.
pub fn digest(columns: &[&Column]) -> String {
    let hashed = |column: &Column| match HASHED.contains(&column.kind.as_str()) {
        true => format!("r.{}", column.name),
        false => format!("r.{}::text", column.name),
    };
    format!("hash_record_extended(row({}), 1)", list(columns, hashed))
}

/// The type that writes numbers of a catalog as names.
pub fn written_as(catalog: &str) -> Option<&'static str> {
    Some(match catalog {
        "pg_authid" => "regrole",
        "pg_class" => "regclass",
        "pg_collation" => "regcollation",
        "pg_namespace" => "regnamespace",
        "pg_operator" => "regoperator",
        "pg_proc" => "regprocedure",
        "pg_ts_config" => "regconfig",
        "pg_ts_dict" => "regdictionary",
        "pg_type" => "regtype",
        _ => return None,
    })
}

/// Columns that the server itself moves without anybody's changing a definition.
const COUNTERS: &[(&str, &[&str])] = &[
    ("pg_attribute", &["attcacheoff", "attmissingval"]),
    (
        "pg_class",
        &[
            "relallfrozen",
            "relallvisible",
            "relfilenode",
            "relfrozenxid",
            "relhasindex",
            "relhasrules",
            "relhassubclass",
            "relhastriggers",
            "relminmxid",
            "relpages",
            "relrewrite",
            "reltuples",
        ],
    ),
    ("pg_database", &["datfrozenxid", "dathasloginevt", "datminmxid"]),
    ("pg_index", &["indcheckxmin"]),
];

/// Types that every version of the server can hash.
const HASHED: &[&str] = &["bigint", "boolean", "integer", "name", "oid", "smallint"];

/// Columns that may hold passwords: only whether they hold anything is recorded.
const SECRET: &[&str] = &["rolpassword", "subconninfo", "umoptions"];
