//! Sessions of others: a server hands the counters of one out only while it is idle, so each is waited for until it has been.

use crate::db::{DatabaseError, Session, Snapshot, own_sessions};
use crate::evidence::InFlight;
use crate::time::Timestamp;
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
    replicates_since: Option<Timestamp>,
}

impl Sessions {
    /// Looks once. Whoever is idle for the second time, and long enough after the first, holds nothing of before the first
    /// back; neither does whoever is gone, and whoever came after the first look did nothing before.
    pub fn look(&mut self, snapshot: &mut Snapshot<'_>) -> Result<(), DatabaseError> {
        snapshot.query("SELECT pg_stat_clear_snapshot()", &[])?;
        let mut found = BTreeMap::new();
        for row in snapshot.query(SESSIONS, &[&own_sessions()])? {
            let lost = |_| DatabaseError::lost();
            let pid: i32 = row.try_get(0).map_err(lost)?;
            let words: String = row.try_get(1).map_err(lost)?;
            let is_idle: bool = row.try_get(2).map_err(lost)?;
            let since: Option<String> = row.try_get(4).map_err(lost)?;
            let known = Known {
                words,
                transaction: row.try_get(3).map_err(lost)?,
                idle: None,
                replicates_since: since.and_then(|since| Timestamp::parse(&since)),
            };
            found.insert(pid, (known, is_idle));
        }
        if !self.began {
            self.left = found.iter().map(|(pid, (known, _))| (*pid, known.clone())).collect();
            self.began = true;
        }
        let now = Instant::now();
        self.left.retain(|pid, known| {
            let Some((last, is_idle)) = found.get(pid) else { return false };
            *known = Known { idle: known.idle, ..last.clone() };
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
            // What replicates may do so for ever, and the comparison looks at when it began.
            if self.left.values().all(|known| known.replicates_since.is_some()) || began.elapsed() >= longest {
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
            replicates_since: known.replicates_since,
        })
        .collect()
    }
}

/// A session hands its counters out at most so long after it became idle, and not twice within a second.
const LONGEST_LAG: Duration = Duration::from_secs(11);

/// Whether others are idle is told to who may read their statistics. Whoever may not knows it of nobody's session: one that is in no
/// transaction may still be in the middle of a message, and hands nothing out. What applies the changes of others has no messages;
/// the sign of its idleness is that no transaction of it runs, three times in a row. What sends changes to others may have run
/// statements before, whose counters it keeps for as long as it sends. Whose answer is not read has ended its message, and hands
/// nothing out before its client reads.
const SESSIONS: &str = r#"
WITH seen AS MATERIALIZED (
    SELECT a.pid, concat('(', concat_ws(', ', coalesce(a.usename, a.backend_type, 'a worker'), nullif(a.application_name, ''), d.datname, t.told), ')') AS words,
           CASE WHEN h.is_hidden OR a.backend_type IN ('client backend', 'background worker', 'walsender') THEN t.told END AS state,
           CASE WHEN a.state = 'active' AND w.state IN ('backup', 'catchup', 'streaming')
                THEN to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END AS replicates_since
    FROM pg_stat_activity a LEFT JOIN pg_database d ON d.oid = a.datid AND d.datname <> current_database()
    LEFT JOIN pg_stat_get_wal_senders() AS w ON w.pid = a.pid
    LEFT JOIN (SELECT DISTINCT pid FROM pg_stat_get_subscription(NULL)) AS r ON r.pid = a.pid,
    LATERAL (SELECT r.pid IS NULL AND a.backend_type IS NULL AS is_hidden) AS h,
    LATERAL (SELECT CASE WHEN h.is_hidden THEN 'whether it is idle is told to pg_read_all_stats only'
                         WHEN a.state = 'idle' AND a.backend_type <> 'background worker' AND a.wait_event IS DISTINCT FROM 'ClientRead'
                         THEN 'its client does not read its answer' ELSE a.state END AS told) AS t
    WHERE a.datid IS NOT NULL AND a.usename IS NOT NULL AND a.pid <> ALL ($1)
), running AS MATERIALIZED (
    SELECT pid, virtualtransaction FROM pg_lock_status() AS lock WHERE locktype = 'virtualxid'
    UNION ALL
    SELECT pid, virtualtransaction FROM (SELECT pg_sleep(0.02)) AS rest, LATERAL pg_lock_status() AS lock WHERE locktype = 'virtualxid'
    UNION ALL
    SELECT pid, virtualtransaction FROM (SELECT pg_sleep(0.02)) AS rest, LATERAL pg_lock_status() AS lock WHERE locktype = 'virtualxid'
)
SELECT s.pid, s.words, coalesce(s.state = 'idle', r.transaction IS NULL), r.transaction, s.replicates_since
FROM seen s LEFT JOIN LATERAL (SELECT max(virtualtransaction) AS transaction FROM running r WHERE r.pid = s.pid) AS r ON true"#;
