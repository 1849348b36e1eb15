//! What a query of the configuration reads, by the plan that the server makes for it, so that the counters of those relations can be watched.

use crate::db::{DatabaseError, Snapshot};
use crate::evidence::{ObservationId, ObservationKind};
use crate::settings::evidence::EvidenceSettings;
use std::collections::BTreeSet;

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

/// What the queries of named rows and switches read; one that cannot be planned cannot be observed either, and says so there.
pub fn of(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<BTreeSet<Read>, DatabaseError> {
    let rows = settings.rows.iter().map(|(id, query)| (id.clone(), query));
    let flags = settings.flags.iter();
    let flags =
        flags.filter_map(|(name, flag)| Some((ObservationId::new(ObservationKind::Flag, name), flag.query.as_ref()?)));
    let mut found = BTreeSet::new();
    for (id, query) in rows.chain(flags) {
        let sql = format!("EXPLAIN (VERBOSE, FORMAT YAML) SELECT * FROM (\n{query}\n) AS answer");
        match snapshot.texts(&sql, MOST_LINES) {
            Ok(lines) => {
                let places = lines.iter().flatten().flatten().flat_map(|text| scanned(text));
                found.extend(places.map(|(schema, name)| Read { id: id.clone(), schema, name }));
            }
            Err(error) if error.is_final() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Every relation that a plan scans: its schema stands below its name, both as JSON writes them.
fn scanned(plan: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = plan.lines().map(|line| line.trim_start_matches([' ', '-'])).collect();
    let text = |line: &str, key: &str| serde_json::from_str::<String>(line.strip_prefix(key)?.trim()).ok();
    let pair = |(name, schema): (&&str, &&str)| Some((text(schema, "Schema:")?, text(name, "Relation Name:")?));
    lines.iter().zip(lines.iter().skip(1)).filter_map(pair).collect()
}

const MOST_LINES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_of_a_plan_are_found_and_functions_are_not() {
        let plan = "- Plan:\n    Node Type: \"Hash Join\"\n    Plans:\n      - Node Type: \"Seq Scan\"\n        Relation Name: \"a\\\"b\"\n        Schema: \"public\"\n      - Node Type: \"Function Scan\"\n        Function Name: \"f\"\n        Schema: \"public\"\n";
        assert_eq!(scanned(plan), [("public".to_owned(), "a\"b".to_owned())]);
    }
}
