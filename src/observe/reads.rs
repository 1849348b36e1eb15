//! What a query of the configuration reads: the planner is asked, so that the counters of those relations can be watched.

use crate::db::{DatabaseError, Snapshot};
use crate::evidence::{ObservationId, ObservationKind};
use crate::settings::evidence::EvidenceSettings;
use serde_json::Value;
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
        match snapshot
            .texts(&format!("EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM (\n{query}\n) AS answer"), MOST_LINES)
        {
            Ok(lines) => {
                let text: Vec<String> = lines.into_iter().flatten().flatten().collect();
                if let Ok(plan) = serde_json::from_str(&text.join("\n")) {
                    collect(&plan, &id, &mut found);
                }
            }
            Err(error) if error.is_final() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Every relation that a plan scans.
fn collect(plan: &Value, id: &ObservationId, found: &mut BTreeSet<Read>) {
    match plan {
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, id, found)),
        Value::Object(parts) => {
            if let (Some(schema), Some(name)) = (parts.get("Schema"), parts.get("Relation Name")) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.insert(Read { id: id.clone(), schema: text(schema), name: text(name) });
            }
            parts.values().for_each(|part| collect(part, id, found));
        }
        _ => {}
    }
}

const MOST_LINES: usize = 100_000;
