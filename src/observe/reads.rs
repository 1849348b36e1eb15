//! What a query of the configuration reads, by the plan that the server makes for it, so that the counters of those relations can be
//! watched; and whether it calls what may read more.

use super::counters::MAY_READ;
use crate::db::{DatabaseError, Snapshot};
use crate::evidence::{ObservationId, ObservationKind};
use crate::settings::evidence::EvidenceSettings;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A relation that is read for an observation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Read {
    /// The observation.
    pub id: ObservationId,
    /// The relation's schema.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// What queries read.
#[derive(Default)]
pub struct Reads {
    /// The relations.
    pub relations: BTreeSet<Read>,
    /// Of each query that calls a function which may read something, the first one.
    pub called: BTreeMap<ObservationId, String>,
}

/// What the queries of named rows and switches read; one that cannot be planned cannot be observed either, and says so there.
pub fn of(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<Reads, DatabaseError> {
    let rows = settings.rows.iter().map(|(id, query)| (id.clone(), query));
    let flags = settings.flags.iter();
    let flags =
        flags.filter_map(|(name, flag)| Some((ObservationId::new(ObservationKind::Flag, name), flag.query.as_ref()?)));
    let mut found = Reads::default();
    for (id, query) in rows.chain(flags) {
        let sql = format!("EXPLAIN (VERBOSE, FORMAT YAML) SELECT * FROM (\n{query}\n) AS answer");
        let lines = match snapshot.texts(&sql, MOST_LINES) {
            Ok(lines) => lines,
            Err(error) if error.is_final() => return Err(error),
            Err(_) => continue,
        };
        let plan: Vec<&str> = lines.iter().flatten().flatten().map(String::as_str).collect();
        let places = plan.iter().flat_map(|text| scanned(text));
        found.relations.extend(places.map(|(schema, name)| Read { id: id.clone(), schema, name }));
        // The server computes some before it plans, and puts what others read in their place.
        let names: BTreeSet<String> = plan.into_iter().chain([query.as_str()]).flat_map(calls).collect();
        let names: Vec<String> = names.into_iter().collect();
        let rows = snapshot.query(&CALLED.replace("$may_read", MAY_READ), &[&names])?;
        if let Some(name) = rows.first().and_then(|row| row.try_get(0).ok().flatten()) {
            found.called.insert(id, name);
        }
    }
    Ok(found)
}

/// Every name before a parenthesis: what a text may call, and more.
fn calls(text: &str) -> Vec<String> {
    let name = |found: regex::Captures<'_>| match (found.get(1), found.get(2)) {
        (Some(quoted), _) => quoted.as_str().replace("\"\"", "\""),
        (None, plain) => plain.map_or("", |plain| plain.as_str()).to_lowercase(),
    };
    CALL.iter().flat_map(|call| call.captures_iter(text)).map(name).collect()
}

/// Every relation that a plan scans: its schema stands below its name, both as JSON writes them.
fn scanned(plan: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = plan.lines().map(|line| line.trim_start_matches([' ', '-'])).collect();
    let text = |line: &str, key: &str| serde_json::from_str::<String>(line.strip_prefix(key)?.trim()).ok();
    let pair = |(name, schema): (&&str, &&str)| Some((text(schema, "Schema:")?, text(name, "Relation Name:")?));
    lines.iter().zip(lines.iter().skip(1)).filter_map(pair).collect()
}

static CALL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))\s*\("#).ok());

/// The first of these functions that may read something, in whatever schema.
const CALLED: &str = "
SELECT min(p.oid::regprocedure::text) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.proname = ANY ($1::text[]) AND $may_read";

const MOST_LINES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_may_call_is_every_name_before_a_parenthesis() {
        let query = r#"SELECT lab.SW (1), "a ""b"("c"), größe(1) FROM t WHERE x IN (SELECT 1)"#;
        assert_eq!(calls(query), ["sw", "a \"b", "größe", "in"]);
    }

    #[test]
    fn relations_of_a_plan_are_found_and_functions_are_not() {
        let plan = "- Plan:\n    Node Type: \"Hash Join\"\n    Plans:\n      - Node Type: \"Seq Scan\"\n        Relation Name: \"a\\\"b\"\n        Schema: \"public\"\n      - Node Type: \"Function Scan\"\n        Function Name: \"f\"\n        Schema: \"public\"\n";
        assert_eq!(scanned(plan), [("public".to_owned(), "a\"b".to_owned())]);
    }
}
