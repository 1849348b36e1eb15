//! Rows of the shared ledger: what is inserted, what is selected, and how a row becomes a record.

use super::LedgerError;
use crate::db::{Row, WritingTransaction};
use crate::digest::Digest;
use crate::ledger::record::{JournalRecord, RunStart, Use};
use crate::time::Timestamp;

/// Reads every row, or none.
pub fn all<T>(rows: &[Row], read: impl Fn(&Row) -> Option<T>) -> Result<Vec<T>, LedgerError> {
    rows.iter().map(|row| read(row).ok_or(LedgerError::Spoilt("a row"))).collect()
}

/// A row of [`USES`].
pub fn one_use(row: &Row) -> Option<Use> {
    let text = |column: usize| row.try_get::<_, String>(column).ok();
    Some(Use {
        approval: Digest::parse(&text(0)?)?,
        action: text(1)?,
        approval_id: text(2)?,
        gate: text(3)?,
        run: text(4)?,
        time: Timestamp::parse(&text(5)?)?,
        principal: text(6)?,
    })
}

/// A row of [`RUN`].
pub fn one_run(row: &Row) -> Option<RunStart> {
    let text = |column: usize| row.try_get::<_, String>(column).ok();
    Some(RunStart { run: text(0)?, plan: Digest::parse(&text(1)?)?, time: Timestamp::parse(&text(2)?)? })
}

/// The number and text of a row of [`JOURNAL`].
pub fn record(row: &Row) -> Result<(u64, String), LedgerError> {
    let number = row.try_get::<_, i64>(0).ok().and_then(|number| u64::try_from(number).ok());
    number.zip(row.try_get(1).ok()).ok_or(LedgerError::Spoilt("the journal"))
}

/// Whether the use is this one's.
pub fn insert_use(transaction: &mut WritingTransaction<'_>, one: &Use) -> Result<bool, LedgerError> {
    let (approval, time) = (one.approval.to_string(), one.time.to_string());
    let Use { action, approval_id, gate, run, principal, .. } = one;
    let sql = "INSERT INTO cutter_ledger.uses (approval_sha256, action, approval_id, gate, run, \"time\", principal) \
               VALUES ($1, $2, $3, $4, $5, $6::text::timestamptz, $7) ON CONFLICT DO NOTHING RETURNING true";
    Ok(!transaction.query(sql, &[&approval, action, approval_id, gate, run, &time, principal])?.is_empty())
}

/// Whether the start is this one's.
pub fn insert_run(transaction: &mut WritingTransaction<'_>, start: &RunStart) -> Result<bool, LedgerError> {
    let (plan, time) = (start.plan.to_string(), start.time.to_string());
    let sql = "INSERT INTO cutter_ledger.runs (run, plan_sha256, \"time\") VALUES ($1, $2, $3::text::timestamptz) \
               ON CONFLICT DO NOTHING RETURNING true";
    Ok(!transaction.query(sql, &[&start.run, &plan, &time])?.is_empty())
}

/// Inserts a record under its number.
pub fn insert_record(
    transaction: &mut WritingTransaction<'_>,
    number: i64,
    record: &JournalRecord,
) -> Result<(), LedgerError> {
    let text = serde_json::to_string(record).map_err(|_| LedgerError::Spoilt("the new record"))?;
    let time = record.entry.time.to_string();
    let sql = "INSERT INTO cutter_ledger.journal (sequence, run, \"time\", record) \
               VALUES ($1, $2, $3::text::timestamptz, $4)";
    transaction.query(sql, &[&number, &record.entry.run, &time, &text])?;
    Ok(())
}

/// A row of [`ATTESTATIONS`].
pub fn attestation(row: &Row) -> Option<(u64, String)> {
    let number = row.try_get::<_, i64>(0).ok()?;
    Some((u64::try_from(number).ok()?, row.try_get(1).ok()?))
}

/// Whether the number is this statement's.
pub fn insert_attestation(
    transaction: &mut WritingTransaction<'_>,
    number: i64,
    statement: &str,
) -> Result<bool, LedgerError> {
    let sql = "INSERT INTO cutter_ledger.attestations (sequence, statement) VALUES ($1, $2) \
               ON CONFLICT DO NOTHING RETURNING true";
    Ok(!transaction.query(sql, &[&number, &statement])?.is_empty())
}

pub const ATTESTATIONS: &str = "SELECT sequence, statement FROM cutter_ledger.attestations ORDER BY sequence";

pub const LAST_ATTESTATION: &str =
    "SELECT sequence, statement FROM cutter_ledger.attestations ORDER BY sequence DESC LIMIT 1";

pub const USES: &str = "SELECT approval_sha256, action, approval_id, gate, run, \
     to_char(\"time\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), principal FROM cutter_ledger.uses";

pub const RUN: &str = "SELECT run, plan_sha256, to_char(\"time\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') \
     FROM cutter_ledger.runs WHERE run = $1";

pub const JOURNAL: &str = "SELECT sequence, record FROM cutter_ledger.journal ORDER BY sequence";

pub const LATEST: &str = "SELECT to_char(max(\"time\") AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') \
     FROM cutter_ledger.journal";

pub const LAST: &str = "SELECT coalesce(max(sequence), 0) FROM cutter_ledger.journal";

/// The number is that of the schema, so that nobody else's lock is met.
pub const QUEUE: &str = "SELECT pg_advisory_xact_lock('cutter_ledger'::regnamespace::oid::bigint + 7310000000000)";
