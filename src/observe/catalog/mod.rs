//! The catalogs: what the database is made of and who may do what with it. Which there are, and of what columns, the server
//! is asked; nothing here lists them.

mod column;
mod function;
mod large_object;
mod sql;

pub use function::function;

use crate::db::{DatabaseError, Readers, Snapshot};
use crate::evidence::{Observation, ObservationKind};
use crate::settings::evidence::EvidenceSettings;
use sql::{Columns, Table};

/// Observes the families that are wanted, each read by whichever session is free.
pub fn observe(settings: &EvidenceSettings, readers: &mut Readers<'_>) -> Result<Vec<Observation>, DatabaseError> {
    let tables = match sql::tables(&mut readers.main) {
        Ok(tables) => tables,
        Err(error) if error.is_final() || error.is_transient() => return Err(error),
        Err(error) => {
            let mut observation = Observation::new(ObservationKind::Catalog, "pg_class");
            observation.refused("value", &error.reason, error.sqlstate.as_deref());
            return Ok(vec![observation]);
        }
    };
    let families = families(settings, &tables);
    readers.each(&families, &|family, snapshot| observe_one(family, settings, snapshot))?.into_iter().collect()
}

fn observe_one(
    family: &Family<'_>,
    settings: &EvidenceSettings,
    snapshot: &mut Snapshot<'_>,
) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(ObservationKind::Catalog, &family.name);
    for (at, (table, columns)) in family.parts.iter().enumerate() {
        if table.name == LARGE_OBJECTS {
            large_object::observe(table, snapshot, &mut observation)?;
            continue;
        }
        let bound: &[String] = if family.is_bound { &settings.schemas } else { &[] };
        let prefix = if at == 0 { String::new() } else { format!("{} ", table.name) };
        part(table, columns, bound, &prefix, snapshot, &mut observation)?;
    }
    Ok(observation)
}

/// The catalogs whose rows are observed under a wanted family.
pub fn counted(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<Vec<String>, DatabaseError> {
    let all = snapshot.texts(sql::NAMES, 1000)?.into_iter().flatten().flatten();
    Ok(all
        .filter(|table| wanted(settings, table).next().is_some())
        .map(|table| format!("pg_catalog.{table}"))
        .collect())
}

/// What of the catalogs is left out, and why.
pub fn left_out(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<Vec<String>, DatabaseError> {
    let mut found = Vec::new();
    for table in snapshot.texts(sql::NAMES, 1000)?.into_iter().flatten().flatten() {
        if sql::is_volatile(&table) {
            found.push(format!("{table}: what ANALYZE and replication write"));
        } else if wanted(settings, &table).next().is_none() {
            found.push(format!("{table}: not among `catalogs`, or excluded"));
        }
    }
    found.extend(sql::LEFT_OUT.iter().map(|(columns, why)| format!("{columns}: {why}")));
    Ok(found)
}

/// One family of definitions.
struct Family<'a> {
    name: String,
    is_bound: bool,
    parts: Vec<(&'a Table, Columns)>,
}

/// The wanted families that a catalog belongs to: those with a name, else one of its own.
fn wanted<'a>(settings: &'a EvidenceSettings, table: &'a str) -> impl Iterator<Item = &'a str> {
    let named: Vec<&str> =
        NAMED.iter().filter(|(_, parts)| parts.iter().any(|(of, _)| *of == table)).map(|(name, _)| *name).collect();
    let own = (named.is_empty() && !sql::is_volatile(table)).then_some(table);
    named
        .into_iter()
        .chain(own)
        .filter(|family| settings.wants_catalog(family) && !settings.is_excluded("pg_catalog", table))
}

fn families<'a>(settings: &EvidenceSettings, tables: &'a [Table]) -> Vec<Family<'a>> {
    let find = |name: &str| tables.iter().find(|table| table.name == name);
    let mut found: Vec<Family<'a>> = Vec::new();
    for (name, parts) in NAMED.iter().filter(|(name, _)| settings.wants_catalog(name)) {
        let parts = parts.iter().filter(|(table, _)| !settings.is_excluded("pg_catalog", table));
        let parts = parts.filter_map(|(table, columns)| Some((find(table)?, *columns))).collect();
        found.push(Family { name: (*name).to_owned(), is_bound: BOUND.contains(name), parts });
    }
    let is_named = |table: &Table| NAMED.iter().any(|(_, parts)| parts.iter().any(|(of, _)| *of == table.name));
    for table in tables.iter().filter(|table| !is_named(table) && !sql::is_volatile(&table.name)) {
        if wanted(settings, &table.name).next().is_some() {
            found.push(Family { name: table.name.clone(), is_bound: false, parts: vec![(table, Columns::All)] });
        }
    }
    found
}

/// The rows of one catalog.
fn part(
    table: &Table,
    columns: &Columns,
    schemas: &[String],
    prefix: &str,
    snapshot: &mut Snapshot<'_>,
    observation: &mut Observation,
) -> Result<(), DatabaseError> {
    let Some(sql) = table.sql(columns) else {
        observation.refused("value", format!("permission denied for `{}`", table.name), Some("42501"));
        return Ok(());
    };
    match snapshot.query(&format!("SELECT * FROM ({sql}) AS found LIMIT {MOST}"), &[&schemas]) {
        Ok(rows) if rows.len() == MOST => observation.unknown("value", format!("more than {MOST} definitions")),
        Ok(rows) => {
            for row in rows {
                let cell = |index| row.try_get::<_, Option<String>>(index).ok().flatten().unwrap_or_default();
                let (name, definition, mark) = (format!("{prefix}{}", cell(0)), cell(1), cell(2));
                observation.value(name.clone(), definition);
                if !mark.is_empty() {
                    observation.trace(name, mark);
                }
            }
        }
        Err(error) if error.is_final() || error.is_transient() => return Err(error),
        Err(error) => observation.refused("value", &error.reason, error.sqlstate.as_deref()),
    }
    Ok(())
}

const MOST: usize = 200_000;

const LARGE_OBJECTS: &str = "pg_largeobject";

/// Families that hold what `schemas` names, where it names any; all others hold everything.
const BOUND: &[&str] = &[
    "columns",
    "constraints",
    "functions",
    "indexes",
    "policies",
    "relation_acl",
    "relations",
    "rules",
    "schemas",
    "sequences",
    "triggers",
];

/// Families with a name of their own, sorted; every other catalog is a family by itself.
const NAMED: &[(&str, &[(&str, Columns)])] = &[
    ("columns", &[("pg_attribute", Columns::Except(&["attacl"])), ("pg_attrdef", Columns::All)]),
    ("constraints", &[("pg_constraint", Columns::All)]),
    ("database", &[("pg_database", Columns::All)]),
    ("default_acl", &[("pg_default_acl", Columns::All)]),
    ("event_triggers", &[("pg_event_trigger", Columns::All)]),
    ("extensions", &[("pg_extension", Columns::All)]),
    ("functions", &[("pg_proc", Columns::All)]),
    ("indexes", &[("pg_index", Columns::All)]),
    (
        "policies",
        &[("pg_policy", Columns::All), ("pg_class", Columns::Only(&["relrowsecurity", "relforcerowsecurity"]))],
    ),
    (
        "relation_acl",
        &[("pg_class", Columns::Only(&["relowner", "relacl"])), ("pg_attribute", Columns::Only(&["attacl"]))],
    ),
    ("relations", &[("pg_class", Columns::Except(&["relacl"]))]),
    ("role_memberships", &[("pg_auth_members", Columns::All)]),
    ("role_settings", &[("pg_db_role_setting", Columns::All)]),
    ("roles", &[("pg_authid", Columns::All)]),
    ("rules", &[("pg_rewrite", Columns::All)]),
    ("schemas", &[("pg_namespace", Columns::All)]),
    ("sequences", &[("pg_sequence", Columns::All)]),
    ("triggers", &[("pg_trigger", Columns::All)]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::evidence::CATALOGS;

    #[test]
    fn every_named_family_is_counted_by_catalogs_that_it_is_read_from() {
        assert!(NAMED.iter().map(|(name, _)| name).eq(CATALOGS.iter().map(|(name, _)| name)));
        for ((name, parts), (_, counted)) in NAMED.iter().zip(CATALOGS) {
            assert!(counted.iter().all(|table| parts.iter().any(|(of, _)| of == table)), "{name}");
        }
    }
}
