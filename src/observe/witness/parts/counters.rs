//! Tuple counters and calls, looked at again and again, so that one that is set to zero has been read before.

use super::{Look, Part, Watched};
use crate::db::{DatabaseError, Session};
use crate::evidence::{ObservationId, ObservationKind};
use crate::observe::counters::{self, Readings};
use std::collections::BTreeMap;

/// What was read last.
#[derive(Default)]
pub struct Counters {
    last: Readings,
    reset_at: String,
}

impl Part for Counters {
    fn name(&self) -> &'static str {
        "counters"
    }

    fn blind_to(&self) -> &'static str {
        "DDL, sequences, rows of other databases; what a session did may come up to 10 s late; a superuser can set one to zero"
    }

    fn open(&mut self, session: &mut Session, watched: &Watched<'_>) -> Result<(), DatabaseError> {
        let reading = counters::read(session, &watched.counted)?;
        (self.last, self.reset_at) = (reading.readings, reading.reset_at);
        Ok(())
    }

    fn look(&mut self, session: &mut Session, watched: &Watched<'_>, _: bool) -> Result<Look, DatabaseError> {
        let reading = counters::read(session, &watched.counted)?;
        let mut look = Look::default();
        if reading.reset_at != self.reset_at {
            look.blind = Some("counters were set to zero".to_owned());
        }
        let none = BTreeMap::new();
        for (name, counters) in &reading.readings {
            let before = self.last.get(name).unwrap_or(&none);
            let moved: BTreeMap<String, i64> = counters
                .iter()
                .map(|(what, count)| (what.clone(), count - before.get(what).copied().unwrap_or(0)))
                .filter(|(_, moved)| *moved != 0)
                .collect();
            if moved.values().any(|moved| *moved < 0) {
                look.blind.get_or_insert_with(|| format!("the counters of `{name}` went backwards"));
            } else if !moved.is_empty() {
                look.seen.insert(id(name), moved);
            }
        }
        for name in self.last.keys().filter(|name| !reading.readings.contains_key(*name)) {
            look.blind.get_or_insert_with(|| format!("`{name}` is no longer counted"));
        }
        (self.last, self.reset_at) = (reading.readings, reading.reset_at);
        Ok(look)
    }
}

/// A function has its own prefix, and a catalog the system's schema.
fn id(name: &str) -> ObservationId {
    match ObservationId::parse(name) {
        Some(function) if function.kind() == ObservationKind::Function => function,
        _ => match name.strip_prefix("pg_catalog.") {
            Some(table) => ObservationId::new(ObservationKind::Table, table),
            None => ObservationId::new(ObservationKind::Relation, name),
        },
    }
}
