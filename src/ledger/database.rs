//! The shared ledger: schema `cutter_ledger` in PostgreSQL. Its owner makes it; runs insert and look, and can take nothing back.
//! A use is a row whose key can be inserted once, committed before the work begins.

mod fault;
mod rows;

use super::chain::Head;
use super::journal::{Damage, Journal, cause};
use super::record::{JournalEntry, JournalRecord, LedgerId, RunStart, Use, VERSION};
use super::{Attested, Consumption, Ledger, RunStarted, already_made, missing, ordered};
use crate::db::{Access, DatabaseError, Snapshot, WritingTransaction, identifier, literal};
use crate::digest::Digest;
use crate::problem::Problem;
use crate::settings::ledger::LedgerSettings;
use crate::time::Timestamp;
use fault::{LedgerError, in_own_words, is_absence, looking};
use std::ffi::OsString;

/// A ledger in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresLedger {
    access: Access,
    role: Option<String>,
}

impl PostgresLedger {
    /// The ledger that the settings lead to, whether or not there is one; `variable` reads the environment.
    pub fn resolve(settings: &LedgerSettings, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Problem> {
        let access = Access::resolve(&settings.database, variable).map_err(in_own_words)?;
        Ok(Self { access, role: settings.role.clone() })
    }

    /// The same with another login role of runs.
    #[must_use]
    pub fn for_role(mut self, role: Option<String>) -> Self {
        self.role = role.or(self.role);
        self
    }

    /// The login role of runs, where one is named.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// What `init` has the server do, for an owner who would rather do it by hand.
    pub fn statements(id: &LedgerId, role: Option<&str>) -> String {
        let row = format!(
            "INSERT INTO cutter_ledger.ledger (version, id) VALUES ({VERSION}, {});\n",
            literal(&id.to_string())
        );
        let grants = role.map(|role| GRANTS.replace(":role", &identifier(role))).unwrap_or_default();
        format!("BEGIN;\n{SCHEMA}{row}{grants}COMMIT;\n")
    }

    /// Looks, in a transaction that can only read; `None` where there is no ledger.
    fn look<T>(&self, read: impl FnOnce(&mut Snapshot<'_>) -> Result<T, LedgerError>) -> Result<Option<T>, Problem> {
        let mut session = self.access.open().map_err(in_own_words)?;
        let mut snapshot = session.begin().map_err(looking)?;
        if identity(&mut |sql| snapshot.query(sql, &[]))?.is_none() {
            return Ok(None);
        }
        read(&mut snapshot).map(Some).map_err(|fault| fault.problem("the ledger cannot be read"))
    }

    /// Writes in one transaction and commits; what `write` did not finish leaves nothing behind.
    fn write<T>(
        &self,
        write: impl FnOnce(&mut WritingTransaction<'_>) -> Result<Written<T>, LedgerError>,
    ) -> Result<T, Problem> {
        let failed = |fault: LedgerError| fault.problem("the ledger cannot be written");
        let mut session = self.access.open_writing().map_err(in_own_words)?;
        let mut transaction = session.begin().map_err(|error| failed(error.into()))?;
        match write(&mut transaction).map_err(|fault| match fault.is_absence() {
            true => missing(&self.name()),
            false => failed(fault),
        })? {
            Written::Kept(value) => transaction.commit().map(|()| value).map_err(|error| failed(error.into())),
            Written::Nothing(value) => Ok(value),
        }
    }
}

impl Ledger for PostgresLedger {
    fn name(&self) -> String {
        "postgres".to_owned()
    }

    fn id(&self) -> Result<Option<LedgerId>, Problem> {
        let mut session = self.access.open().map_err(in_own_words)?;
        let mut snapshot = session.begin().map_err(looking)?;
        identity(&mut |sql| snapshot.query(sql, &[]))
    }

    fn init(&self, id: LedgerId) -> Result<(), Problem> {
        if let Some(id) = self.id()? {
            return Err(already_made(&self.name(), &id));
        }
        let made = self.write(|transaction| {
            if let Some(role) = &self.role {
                refuse_powerful(transaction, role)?;
            }
            let text = Self::statements(&id, self.role.as_deref());
            let text = text.strip_prefix("BEGIN;\n").and_then(|text| text.strip_suffix("COMMIT;\n"));
            transaction.run(text.unwrap_or_default())?;
            Ok(Written::Kept(()))
        });
        // Of two that make it at once the second may only then see the first.
        match made {
            Err(problem) => match self.id() {
                Ok(Some(id)) => Err(already_made(&self.name(), &id)),
                _ => Err(problem),
            },
            Ok(()) => Ok(()),
        }
    }

    fn uses(&self, approval: Digest) -> Result<Vec<Use>, Problem> {
        let found = self.look(|snapshot| {
            let sql = format!("{} WHERE approval_sha256 = $1 ORDER BY action", rows::USES);
            rows::all(&snapshot.query(&sql, &[&approval.to_string()])?, rows::one_use)
        })?;
        Ok(found.unwrap_or_default())
    }

    fn used(&self, approval: Digest, action: &str) -> Result<Option<Use>, Problem> {
        let found = self.look(|snapshot| {
            let sql = format!("{} WHERE approval_sha256 = $1 AND action = $2", rows::USES);
            rows::all(&snapshot.query(&sql, &[&approval.to_string(), &action])?, rows::one_use)
        })?;
        Ok(found.unwrap_or_default().pop())
    }

    fn consume(&self, uses: &[Use]) -> Result<Consumption, Problem> {
        let uses = ordered(uses)?;
        if uses.is_empty() {
            return Ok(Consumption::Consumed);
        }
        self.write(|transaction| {
            for one in uses {
                if !rows::insert_use(transaction, one)? {
                    let sql = format!("{} WHERE approval_sha256 = $1 AND action = $2", rows::USES);
                    let found = transaction.query(&sql, &[&one.approval.to_string(), &one.action])?;
                    let before = rows::all(&found, rows::one_use)?.pop().ok_or(LedgerError::Spoilt("a use"))?;
                    return Ok(Written::Nothing(Consumption::AlreadyConsumed(Box::new(before))));
                }
            }
            Ok(Written::Kept(Consumption::Consumed))
        })
    }

    fn start_run(&self, start: &RunStart) -> Result<RunStarted, Problem> {
        self.write(|transaction| {
            if rows::insert_run(transaction, start)? {
                return Ok(Written::Kept(RunStarted::Started));
            }
            let found = transaction.query(rows::RUN, &[&start.run])?;
            let before = rows::all(&found, rows::one_run)?.pop().ok_or(LedgerError::Spoilt("the start of a run"))?;
            Ok(Written::Nothing(RunStarted::AlreadyStarted(Box::new(before))))
        })
    }

    fn run(&self, run: &str) -> Result<Option<RunStart>, Problem> {
        let found = self.look(|snapshot| rows::all(&snapshot.query(rows::RUN, &[&run])?, rows::one_run))?;
        Ok(found.unwrap_or_default().pop())
    }

    fn append(&self, entry: &JournalEntry) -> Result<u64, Problem> {
        self.write(|transaction| {
            // Writers wait for one another here; that no number is taken twice is left to the key.
            transaction.query(rows::QUEUE, &[])?;
            let last = transaction.query(rows::LAST, &[])?;
            let last: i64 =
                last.first().and_then(|row| row.try_get(0).ok()).ok_or(LedgerError::Spoilt("the journal"))?;
            let next = last.checked_add(1).ok_or(LedgerError::Spoilt("the journal"))?;
            let sequence = u64::try_from(next).map_err(|_| LedgerError::Spoilt("the journal"))?;
            rows::insert_record(transaction, next, &JournalRecord { sequence, entry: entry.clone() })?;
            Ok(Written::Kept(sequence))
        })
    }

    fn journal(&self, run: Option<&str>) -> Result<Journal, Problem> {
        let found = self.look(|snapshot| {
            let mut journal = Journal::default();
            for row in snapshot.query(rows::JOURNAL, &[])? {
                let (line, text) = rows::record(&row)?;
                match serde_json::from_str::<JournalRecord>(&text) {
                    Ok(record) if record.sequence == line => journal.push(line, record, run),
                    Ok(_) => journal.damages.push(Damage { line, damage: "its record has another number".to_owned() }),
                    Err(error) => {
                        journal.damages.push(Damage { line, damage: format!("no record: {}", cause(&error)) })
                    }
                }
            }
            Ok(journal)
        })?;
        Ok(found.unwrap_or_default())
    }

    fn last_time(&self) -> Result<Option<Timestamp>, Problem> {
        let found = self.look(|snapshot| {
            let latest = snapshot.text(rows::LATEST)?;
            latest.map(|text| Timestamp::parse(&text).ok_or(LedgerError::Spoilt("the journal"))).transpose()
        })?;
        Ok(found.flatten())
    }

    fn attestation_head(&self) -> Result<Option<Head>, Problem> {
        let found = self.look(|snapshot| {
            let last = rows::all(&snapshot.query(rows::LAST_ATTESTATION, &[])?, rows::attestation)?.pop();
            Ok(last.map(|(length, text)| Head { sha256: Digest::of(text.as_bytes()), length }))
        })?;
        Ok(found.flatten())
    }

    fn append_attestation(&self, number: u64, statement: &str) -> Result<Attested, Problem> {
        let key = i64::try_from(number).map_err(|_| LedgerError::Spoilt("the chain").problem("it cannot grow"))?;
        self.write(|transaction| match rows::insert_attestation(transaction, key, statement)? {
            true => Ok(Written::Kept(Attested::Appended)),
            false => Ok(Written::Nothing(Attested::Taken)),
        })
    }

    fn attestations(&self) -> Result<Vec<(u64, String)>, Problem> {
        let found = self.look(|snapshot| rows::all(&snapshot.query(rows::ATTESTATIONS, &[])?, rows::attestation))?;
        Ok(found.unwrap_or_default())
    }
}

/// What a transaction gives: to be committed, or because there was nothing to write.
enum Written<T> {
    Kept(T),
    Nothing(T),
}

/// The id, where there is a ledger of a form that is known.
fn identity(
    query: &mut dyn FnMut(&str) -> Result<Vec<::postgres::Row>, DatabaseError>,
) -> Result<Option<LedgerId>, Problem> {
    let found = match query("SELECT version, id FROM cutter_ledger.ledger") {
        Err(error) if is_absence(&error) => return Ok(None),
        found => found.map_err(looking)?,
    };
    let row = found.first().map(|row| (row.try_get::<_, i32>(0).ok(), row.try_get::<_, String>(1).ok()));
    match row {
        Some((Some(version), Some(id))) if i64::from(version) == i64::from(VERSION) => LedgerId::parse(&id)
            .map(Some)
            .ok_or_else(|| LedgerError::Spoilt("its id").problem("the ledger cannot be read")),
        Some((Some(version), _)) => Err(Problem::failure(format!("the ledger has the form of version {version}"))
            .help(format!("this cutter knows version {VERSION}"))),
        _ => Err(LedgerError::Spoilt("its id").problem("the ledger cannot be read")),
    }
}

/// A role that could undo its own uses is no role for runs.
fn refuse_powerful(transaction: &mut WritingTransaction<'_>, role: &str) -> Result<(), LedgerError> {
    let sql = "SELECT rolsuper OR pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = $1";
    let help = "name the login role of runs, which owns nothing of the ledger";
    match transaction.query(sql, &[&role])?.first().map(|row| row.try_get::<_, bool>(0).ok()) {
        Some(Some(false)) => Ok(()),
        Some(_) => Err(LedgerError::Refused(
            Problem::failure(format!("role `{role}` could remove what the ledger records")).help(help),
        )),
        None => Err(LedgerError::Refused(Problem::failure(format!("there is no role `{role}`")).help(help))),
    }
}

const SCHEMA: &str = include_str!("database/init.sql");

const GRANTS: &str = include_str!("database/grants.sql");
