//! Sessions of others: a server hands the counters of one out only while it is idle, so each is waited for until it has been.

use crate::db::{DatabaseError, Session, Snapshot};
use crate::evidence::InFlight;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// What is known of the sessions since a snapshot was taken.
#[derive(Default, Debug)]
pub struct Sessions {
    /// Those that may hold something back, by process.
    left: BTreeMap<i32, Known>,
    began: bool,
}

/// One session.
#[derive(Clone, Debug)]
struct Known {
    words: String,
    /// Its transaction at the last look.
    transaction: Option<String>,
    /// When it was first seen idle.
    idle: Option<Instant>,
}

impl Sessions {
    /// Looks once. Whoever is idle for the second time, and long enough after the first, holds nothing of before the first
    /// back; neither does whoever is gone, and whoever came after the first look did nothing before.
    pub fn look(&mut self, snapshot: &mut Snapshot<'_>) -> Result<(), DatabaseError> {
        snapshot.query("SELECT pg_stat_clear_snapshot()", &[])?;
        let mut found = BTreeMap::new();
        for row in snapshot.query(SESSIONS, &[])? {
            let lost = |_| DatabaseError::lost();
            let pid: i32 = row.try_get(0).map_err(lost)?;
            let words: String = row.try_get(1).map_err(lost)?;
            let is_idle: bool = row.try_get(2).map_err(lost)?;
            found.insert(pid, (words, is_idle, row.try_get::<_, Option<String>>(3).map_err(lost)?));
        }
        if !self.began {
            let known = |(words, _, transaction): &(String, bool, Option<String>)| Known {
                words: words.clone(),
                transaction: transaction.clone(),
                idle: None,
            };
            self.left = found.iter().map(|(pid, session)| (*pid, known(session))).collect();
            self.began = true;
        }
        let now = Instant::now();
        self.left.retain(|pid, known| {
            let Some((words, is_idle, transaction)) = found.get(pid) else { return false };
            (known.words, known.transaction) = (words.clone(), transaction.clone());
            match known.idle {
                Some(first) if *is_idle && now.duration_since(first) >= LONGEST_LAG => return false,
                None if *is_idle => known.idle = Some(now),
                _ => {}
            }
            true
        });
        Ok(())
    }

    /// Looks until nobody may hold anything back, for `longest` at most.
    pub fn wait(&mut self, session: &mut Session, longest: Duration) -> Result<(), DatabaseError> {
        let began = Instant::now();
        loop {
            self.look(&mut session.begin()?)?;
            if self.left.is_empty() || began.elapsed() >= longest {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(150));
        }
    }

    /// Who may still hold something back, each with its transaction.
    pub fn in_flight(&self) -> Vec<InFlight> {
        let left = self.left.iter();
        left.map(|(pid, known)| InFlight {
            session: format!("{pid} {}", known.words),
            transaction: known.transaction.clone(),
            idle: known.idle.is_some(),
        })
        .collect()
    }
}

/// A session hands its counters out at most so long after it became idle, and not twice within a second.
const LONGEST_LAG: Duration = Duration::from_secs(11);

/// Whether others are idle is told to who may read their statistics. Whoever may not knows it of nobody's session: one that is in no
/// transaction may still be in the middle of a message, and hands nothing out. What replicates has no messages; the sign of
/// its idleness is that no transaction of it runs, three times in a row.
const SESSIONS: &str = "
WITH seen AS MATERIALIZED (
    SELECT a.pid, concat('(', concat_ws(', ', coalesce(a.usename, a.backend_type, 'a worker'), nullif(a.application_name, ''),
                                        d.datname, coalesce(a.state, CASE WHEN h.is_hidden THEN 'whether it is idle is told to pg_read_all_stats only' END)),
                       ')') AS words,
           CASE WHEN h.is_hidden THEN 'hidden' WHEN a.backend_type IN ('client backend', 'background worker') THEN a.state END AS state
    FROM pg_stat_activity a LEFT JOIN pg_database d ON d.oid = a.datid AND d.datname <> current_database()
    LEFT JOIN (SELECT pid FROM pg_stat_get_wal_senders() UNION SELECT pid FROM pg_stat_get_subscription(NULL)) AS r ON r.pid = a.pid,
    LATERAL (SELECT r.pid IS NULL AND a.backend_type IS NULL AS is_hidden) AS h
    WHERE a.datid IS NOT NULL AND a.usename IS NOT NULL AND a.pid <> pg_backend_pid()
      AND (a.application_name = 'cutter-observe' AND a.usename = session_user) IS NOT TRUE
), running AS MATERIALIZED (
    SELECT pid, virtualtransaction FROM pg_lock_status() AS lock WHERE locktype = 'virtualxid'
    UNION ALL
    SELECT pid, virtualtransaction FROM (SELECT pg_sleep(0.02)) AS rest, LATERAL pg_lock_status() AS lock WHERE locktype = 'virtualxid'
    UNION ALL
    SELECT pid, virtualtransaction FROM (SELECT pg_sleep(0.02)) AS rest, LATERAL pg_lock_status() AS lock WHERE locktype = 'virtualxid'
)
SELECT s.pid, s.words, coalesce(s.state = 'idle', r.transaction IS NULL), r.transaction
FROM seen s LEFT JOIN LATERAL (SELECT max(virtualtransaction) AS transaction FROM running r WHERE r.pid = s.pid) AS r ON true";
