//! The ways of seeing what happens, each of which says what it cannot see.

mod counters;
mod headers;
mod slot;
mod wal;

use crate::db::{Access, DatabaseError, Session, Snapshot};
use crate::evidence::ObservationId;
use crate::observe::counters::Counted;
use crate::settings::evidence::EvidenceSettings;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// What is watched.
pub struct Watched<'a> {
    /// How to open a session of one's own.
    pub access: &'a Access,
    /// The relations among it, by `schema.name`.
    pub settings: &'a EvidenceSettings,
    /// Relations and catalogs whose tuples are counted, and functions whose calls are.
    pub counted: Counted,
}

/// How often what was done, by the observation it was done to.
pub type Sightings = BTreeMap<ObservationId, BTreeMap<String, i64>>;

/// What one look saw since the last one.
#[derive(Default)]
pub struct Look {
    /// What happened.
    pub seen: Sightings,
    /// What kept it from seeing something that is lost for good.
    pub blind: Option<String>,
    /// How long before this look that may have happened which only a later one will see.
    pub late: Duration,
}

/// One way of seeing.
pub trait Part {
    /// Its name in the record.
    fn name(&self) -> &'static str;
    /// What it cannot see even where it watches.
    fn blind_to(&self) -> &'static str;
    /// Begins to watch, or says why it cannot.
    fn open(&mut self, session: &mut Session, watched: &Watched<'_>) -> Result<(), DatabaseError>;
    /// Looks; after a look that failed the next one sees what that one would have, but for a part that
    /// `ends_with_a_failure`. The last one may not rest.
    fn look(&mut self, session: &mut Session, watched: &Watched<'_>, is_last: bool) -> Result<Look, DatabaseError>;
    /// Whether nothing can be seen while no transaction completes.
    fn follows_snapshot(&self) -> bool {
        false
    }
    /// Whether a look that fails is its last: what it would have seen is lost for good.
    fn ends_with_a_failure(&self) -> bool {
        false
    }
}

/// All of them.
pub fn all() -> Vec<Box<dyn Part>> {
    vec![
        Box::new(counters::Counters::default()),
        Box::new(headers::Headers::default()),
        Box::new(wal::Wal::default()),
        Box::new(slot::Slot::default()),
    ]
}

impl Watched<'_> {
    /// The watched relations, as [`crate::observe::counters::WANTED`] takes them.
    fn places(&self) -> Vec<String> {
        self.settings.relations.keys().cloned().collect()
    }
}

/// A part that cannot watch here.
fn cannot(reason: &str) -> DatabaseError {
    DatabaseError { reason: reason.to_owned(), sqlstate: None }
}

/// For how long a transaction that has completed may not be in the log that can be read; the last look waits for it.
///
/// A commit need not wait for the disk (`synchronous_commit = off`), and neither does a roll-back; the server's writer follows.
fn flushed(snapshot: &mut Snapshot<'_>, is_last: bool) -> Result<Duration, DatabaseError> {
    let began = Instant::now();
    loop {
        let late = snapshot.text(LATE)?.and_then(|milliseconds| milliseconds.parse().ok());
        let late = late.map(Duration::from_millis).ok_or_else(DatabaseError::lost)?;
        if !is_last || began.elapsed() >= late {
            return Ok(late);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The writer follows after three times its delay at the latest.
const LATE: &str = "
SELECT CASE WHEN pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn() THEN 0 ELSE 3 * setting::int + 200 END::text
FROM pg_settings WHERE name = 'wal_writer_delay'";
