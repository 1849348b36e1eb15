//! The headers of every row, which each write moves, also one that puts the old content back.

use super::{Look, Part, Watched, cannot};
use crate::db::{DatabaseError, Session};
use crate::evidence::{ObservationId, ObservationKind};
use crate::observe::relation;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What was digested last, and when digesting again is not too much.
#[derive(Default)]
pub struct Headers {
    last: BTreeMap<String, String>,
    rested: Option<Instant>,
}

impl Headers {
    fn read(&self, session: &mut Session, watched: &Watched<'_>) -> Result<BTreeMap<String, String>, DatabaseError> {
        let mut snapshot = session.begin()?;
        let mut found = BTreeMap::new();
        for name in watched.settings.relations.keys() {
            match relation::headers(name, &mut snapshot) {
                Ok(Some(digest)) => drop(found.insert(name.clone(), digest)),
                Ok(None) => {}
                Err(error) if error.is_final() => return Err(error),
                // What could not be read at the beginning is not missed later; what was read then must be read again.
                Err(error) if self.last.contains_key(name) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(found)
    }
}

impl Part for Headers {
    fn name(&self) -> &'static str {
        "headers"
    }

    fn blind_to(&self) -> &'static str {
        "what was inserted and deleted again between two looks; roll-backs; relations that may not be read; DDL; sequences"
    }

    fn follows_snapshot(&self) -> bool {
        true
    }

    fn open(&mut self, session: &mut Session, watched: &Watched<'_>) -> Result<(), DatabaseError> {
        self.last = self.read(session, watched)?;
        if self.last.is_empty() { Err(cannot("no watched relation can be read")) } else { Ok(()) }
    }

    fn look(&mut self, session: &mut Session, watched: &Watched<'_>, is_last: bool) -> Result<Look, DatabaseError> {
        let began = Instant::now();
        if !is_last && self.rested.is_some_and(|rested| began < rested) {
            return Err(cannot("the tables are long, and were digested a short time ago"));
        }
        let found = self.read(session, watched)?;
        self.rested =
            Some(Instant::now() + began.elapsed().saturating_mul(REST).saturating_sub(Duration::from_millis(500)));
        let mut look = Look::default();
        for name in self.last.keys().chain(found.keys()) {
            if self.last.get(name) != found.get(name) {
                look.seen.insert(
                    ObservationId::new(ObservationKind::Relation, name),
                    BTreeMap::from([("headers moved".to_owned(), 1)]),
                );
            }
        }
        self.last = found;
        Ok(look)
    }
}

/// Rests so many times as long as it worked.
const REST: u32 = 9;
