//! What is watched of all that is there: wildcards are resolved, and what they leave out is counted.

use super::catalog;
use super::reads::{self, Reads};
use crate::db::{DatabaseError, Snapshot};
use crate::evidence::Coverage;
use crate::settings::evidence::{EvidenceSettings, is_wildcard, join_name, matches, split_name};
use std::collections::BTreeSet;

/// The settings with every wildcard resolved, what they cover, and what matched nothing with what was near.
pub struct Scope {
    /// With plain names only.
    pub settings: EvidenceSettings,
    /// How much of the database that is.
    pub coverage: Coverage,
    /// Wildcards that mean nothing here, and what is here instead.
    pub empty: Vec<(String, String)>,
    /// The catalogs of the wanted families, for their counters.
    pub catalogs: Vec<String>,
    /// What queries read, for the counters of it.
    pub reads: Reads,
}

/// Resolves what the settings name.
pub fn resolve(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<Scope, DatabaseError> {
    let mut found = Vec::new();
    for row in snapshot.query(RELATIONS, &[])? {
        let lost = |_| DatabaseError::lost();
        found.push((row.try_get::<_, String>(0).map_err(lost)?, row.try_get::<_, String>(1).map_err(lost)?));
    }
    let (mut resolved, mut empty) = (settings.clone(), Vec::new());
    resolved.relations.retain(|name, _| !is_wildcard(name));
    for (pattern, own) in settings.relations.iter().filter(|(name, _)| is_wildcard(name)) {
        let meant =
            found.iter().filter(|(schema, name)| matches(pattern, schema, name) && !settings.is_excluded(schema, name));
        let names: Vec<String> = meant.map(|(schema, name)| join_name(schema, name)).collect();
        if names.is_empty() {
            let schemas: BTreeSet<&str> = found.iter().map(|(schema, _)| schema.as_str()).collect();
            let near = schemas.into_iter().map(|schema| format!("`{schema}.*`")).collect::<Vec<_>>().join(", ");
            empty.push((pattern.clone(), format!("it means no relation here; there are {near}")));
        }
        for name in names {
            resolved.relations.entry(name).or_insert_with(|| own.clone());
        }
    }
    let watched: BTreeSet<(String, String)> = resolved.relations.keys().filter_map(|name| split_name(name)).collect();
    let of = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let relations = found.iter().filter(|place| watched.contains(*place)).count();
    let catalogs = catalog::counted(settings, snapshot)?;
    let left_out = catalog::left_out(settings, snapshot)?;
    let coverage = Coverage { relations: u64::try_from(relations).unwrap_or(0), of, left_out };
    let reads = reads::of(settings, snapshot)?;
    Ok(Scope { settings: resolved, coverage, empty, catalogs, reads })
}

/// Everything that holds rows and is no part of something else; what sessions make for themselves is theirs.
const RELATIONS: &str = "
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1, 2";
