//! The shared ledger: schema `cutter_ledger` in PostgreSQL. Its owner makes it. Runs have no right on any table: they call the
//! owner's functions, which number, date and chain each record themselves.

mod fault;

use super::chain::Head;
use super::journal::{Damage, Journal, Wanted};
use super::lines::Lines;
use super::record::{Attestation, Finished, LedgerId, Record, Started, VERSION, exact_time};
use super::{Attested, Begun, Held, Ledger, already_made, displaced, missing, outdated};
use crate::db::{Access, Row, Session, WritingSession, identifier, literal};
use crate::digest::Digest;
use crate::problem::{Code, Coded as _, Problem};
use crate::settings::ledger::LedgerSettings;
use crate::time::Timestamp;
use fault::{LedgerError, is_absence};
use serde::Serialize;
use std::ffi::OsString;

/// A ledger in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresLedger {
    access: Access,
    role: Option<String>,
}

/// What the server says of the ledger.
struct Identity {
    id: LedgerId,
    clock: Timestamp,
    head: Head,
}

impl PostgresLedger {
    /// The ledger that the settings lead to, whether or not there is one; `variable` reads the environment.
    pub fn resolve(settings: &LedgerSettings, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Problem> {
        let database = settings.database.clone().unwrap_or_default();
        let access = Access::resolve(&database, "[ledger.database]", variable)?;
        if !access.knows_its_server() {
            return Err(Problem::untrusted(
                "the server of the ledger is reached by TCP, and nothing shows that it is the right one",
            )
            .help(
                "reach it by its Unix socket, or name with `ca_file` in `[ledger.database]` who signed its certificate",
            )
            .coded(Code::LedgerUnusable));
        }
        Ok(Self { access, role: settings.role.clone() })
    }

    /// How the server is reached.
    pub fn access(&self) -> &Access {
        &self.access
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
        let id = literal(&id.to_string());
        let first = format!(
            "INSERT INTO cutter_ledger.head SELECT true, {VERSION}, {id}, cutter_ledger.place(), 0, repeat('0', 64);\n\
             SELECT cutter_ledger.write(jsonb_build_object('kind', 'made', 'version', {VERSION}, 'ledger', {id}, \
             'place', cutter_ledger.place()));\n"
        );
        let grants = role.map(|role| GRANTS.replace(":role", &identifier(role))).unwrap_or_default();
        format!("BEGIN;\n{SCHEMA}{first}{grants}COMMIT;\n")
    }

    /// Has the ledger go on where its server was restored or promoted; only its owner can. Gives the new place.
    pub fn accept_place(&self) -> Result<String, Problem> {
        let rows = self.write("SELECT cutter_ledger.accept_place()", &[])?;
        rows.first().and_then(|row| row.try_get(0).ok()).ok_or_else(corrupt)
    }

    fn open(&self) -> Result<Session, Problem> {
        self.access.open()
    }

    /// One statement that writes, committed when this returns.
    fn write(&self, sql: &str, parameters: &[&(dyn crate::db::ToSql + Sync)]) -> Result<Vec<Row>, Problem> {
        let mut session = self.access.open_writing()?;
        session.query(sql, parameters).map_err(|error| self.failed(error.into()))
    }

    fn failed(&self, fault: LedgerError) -> Problem {
        match fault.is_absence() {
            true => missing(&self.name()),
            false => fault.problem("the ledger cannot be written"),
        }
    }

    /// What the server says of the ledger, if it lies where it was made.
    fn identity(&self, session: &mut Session) -> Result<Option<Identity>, Problem> {
        let looking = |error: LedgerError| error.problem("the ledger cannot be read");
        let mut snapshot = session.begin().map_err(|error| looking(error.into()))?;
        let rows = match snapshot.query("SELECT * FROM cutter_ledger.identity()", &[]) {
            Err(error) if is_absence(&error) => {
                let before = snapshot.query(
                    "SELECT FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
                     WHERE n.nspname = 'cutter_ledger' AND c.relname = 'uses'",
                    &[],
                );
                return match before.map_err(|error| looking(error.into()))?.is_empty() {
                    true => Ok(None),
                    false => Err(outdated(&self.name())),
                };
            }
            found => found.map_err(|error| looking(error.into()))?,
        };
        let row = rows.first().ok_or_else(corrupt)?;
        let text = |column: usize| row.try_get::<_, String>(column).ok();
        let version: i32 = row.try_get(0).map_err(|_| corrupt())?;
        if i64::from(version) != i64::from(VERSION) {
            return Err(Problem::failure(format!("the ledger has the form of version {version}"))
                .help(format!("this cutter knows version {VERSION}")));
        }
        if text(2) != text(3) {
            let place = |column| text(column).unwrap_or_default();
            return Err(displaced(&self.name(), &place(2), &place(3))
                .help("if the server was restored or promoted, look at what was lost; then its owner runs `cutter ledger accept-place`"));
        }
        let length = row.try_get::<_, i64>(5).ok().and_then(|number| u64::try_from(number).ok());
        let read = || {
            let head = Head { length: length?, sha256: Digest::parse(&text(6)?)? };
            Some(Identity { id: LedgerId::parse(&text(1)?)?, clock: exact_time(&text(4)?)?, head })
        };
        read().map(Some).ok_or_else(corrupt)
    }
}

impl Ledger for PostgresLedger {
    fn name(&self) -> String {
        "postgres".to_owned()
    }

    fn id(&self) -> Result<Option<LedgerId>, Problem> {
        Ok(self.identity(&mut self.open()?)?.map(|identity| identity.id))
    }

    fn init(&self, id: LedgerId) -> Result<(), Problem> {
        if let Some(id) = self.id()? {
            return Err(already_made(&self.name(), &id));
        }
        let mut session = self.access.open_writing()?;
        if let Some(role) = &self.role {
            refuse_powerful(&mut session, role)?;
        }
        let made = session.run(&Self::statements(&id, self.role.as_deref()));
        // Of two that make it at once the second may only then see the first.
        match made {
            Err(error) => match self.id() {
                Ok(Some(id)) => Err(already_made(&self.name(), &id)),
                _ => Err(self.failed(error.into())),
            },
            Ok(()) => Ok(()),
        }
    }

    fn read(&self, wanted: Wanted<'_>) -> Result<Journal, Problem> {
        let mut session = self.open()?;
        let Some(identity) = self.identity(&mut session)? else { return Ok(Journal::default()) };
        let looking = |error: crate::db::DatabaseError| LedgerError::from(error).problem("the ledger cannot be read");
        let mut snapshot = session.begin().map_err(looking)?;
        let (mut lines, rows) = match wanted {
            Wanted::All => (Lines::default(), snapshot.query("SELECT cutter_ledger.lines()", &[])),
            Wanted::Of { run, approvals } => {
                let approvals: Vec<String> = approvals.iter().map(ToString::to_string).collect();
                (Lines::partial(), snapshot.query(LINES_OF, &[&"", &run, &approvals]))
            }
            Wanted::Nothing => (Lines::partial(), snapshot.query(LINES_OF, &[&"", &"", &Vec::<String>::new()])),
            Wanted::Attestations => {
                (Lines::partial(), snapshot.query(LINES_OF, &[&"attestation", &"", &Vec::<String>::new()]))
            }
        };
        for row in rows.map_err(looking)? {
            let line: String = row.try_get(0).map_err(|_| corrupt())?;
            lines.take((line.replace('\n', " ") + "\n").as_bytes());
        }
        let mut journal = lines.journal(wanted);
        let is_behind = journal.head.is_none_or(|head| head.length < identity.head.length);
        let is_other =
            journal.head.is_some_and(|head| head.length == identity.head.length && head.sha256 != identity.head.sha256);
        if is_behind || is_other || journal.id.as_ref() != Some(&identity.id) {
            let damage = format!("{} records were written, and the last of them is not there", identity.head.length);
            journal.damages.push(Damage { line: lines.count() + 1, damage });
        }
        journal.clock = Some(identity.clock);
        Ok(journal)
    }

    fn digest_at(&self, number: u64) -> Result<Option<Digest>, Problem> {
        let Ok(number) = i64::try_from(number) else { return Ok(None) };
        let mut session = self.open()?;
        if self.identity(&mut session)?.is_none() {
            return Ok(None);
        }
        let looking = |error: crate::db::DatabaseError| LedgerError::from(error).problem("the ledger cannot be read");
        let mut snapshot = session.begin().map_err(looking)?;
        let rows = snapshot.query("SELECT cutter_ledger.line($1)", &[&number]).map_err(looking)?;
        let line = rows.first().and_then(|row| row.try_get::<_, Option<String>>(0).ok()).flatten();
        let mut lines = Lines::partial();
        lines.take((line.unwrap_or_default() + "\n").as_bytes());
        Ok(lines.head().map(|head| head.sha256))
    }

    fn note(&self, record: &Record) -> Result<u64, Problem> {
        number(&self.write("SELECT cutter_ledger.note($1::text::jsonb)", &[&json(record)?])?)
    }

    fn attest(&self, attestation: &Attestation) -> Result<Attested, Problem> {
        let number = i64::try_from(attestation.number).map_err(|_| corrupt())?;
        let rows = self.write("SELECT cutter_ledger.attest($1, $2)", &[&number, &attestation.statement])?;
        match rows.first().and_then(|row| row.try_get(0).ok()) {
            Some(true) => Ok(Attested::Appended),
            Some(false) => Ok(Attested::Taken),
            None => Err(corrupt()),
        }
    }

    fn hold(&self, run: &str) -> Result<Option<Box<dyn Held + '_>>, Problem> {
        self.id()?.ok_or_else(|| missing(&self.name()))?;
        let mut session = self.access.open_writing()?;
        // The session waits as long as the work takes.
        let prepared = session.run("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'; BEGIN");
        prepared.map_err(|error| self.failed(error.into()))?;
        match session.query("SELECT cutter_ledger.hold($1)", &[&run]) {
            Ok(_) => Ok(Some(Box::new(Place { ledger: self, session, token: String::new() }))),
            Err(error) if error.sqlstate.as_deref() == Some("55P03") => Ok(None),
            Err(error) => Err(self.failed(error.into())),
        }
    }
}

/// The one place of a run: a row that an open transaction has locked. What ends the session ends the place, and is noticed.
struct Place<'a> {
    ledger: &'a PostgresLedger,
    session: WritingSession,
    token: String,
}

impl Place<'_> {
    fn check_alive(&mut self) -> Result<(), Problem> {
        let alive = self.session.query("SELECT 1", &[]);
        alive.map(drop).map_err(|error| self.ledger.failed(error.into()))
    }
}

impl Held for Place<'_> {
    fn begin(&mut self, started: &Started) -> Result<Begun, Problem> {
        self.check_alive()?;
        let rows = self.ledger.write("SELECT * FROM cutter_ledger.begin($1::text::jsonb)", &[&json(started)?])?;
        let row = rows.first().ok_or_else(corrupt)?;
        let (number, token) = (row.try_get::<_, Option<i64>>(0), row.try_get::<_, Option<String>>(1));
        if let (Ok(Some(number)), Ok(Some(token))) = (number, token) {
            self.token = token;
            self.check_alive()?;
            return u64::try_from(number).map(Begun::Begun).map_err(|_| corrupt());
        }
        let approvals: Vec<Digest> = started.approvals.iter().map(|used| used.sha256).collect();
        let journal = self.ledger.read(Wanted::Of { run: &started.run, approvals: &approvals })?;
        match journal.conflict(started) {
            Some(conflict) => Ok(Begun::Not(Box::new(conflict))),
            None => Err(corrupt()),
        }
    }

    fn finish(&mut self, finished: &Finished) -> Result<u64, Problem> {
        let sql = "SELECT cutter_ledger.finish($1::text::jsonb, $2)";
        let rows = self.session.query(sql, &[&json(finished)?, &self.token]);
        let rows = rows.map_err(|error| match error.sqlstate.as_deref() {
            Some("CL002") => super::never_began(finished),
            _ => self.ledger.failed(error.into()),
        })?;
        self.session.run("COMMIT").map_err(|error| self.ledger.failed(error.into()))?;
        number(&rows)
    }

    fn also_hold(&mut self, run: &str) -> Result<bool, Problem> {
        self.session.run("SAVEPOINT also").map_err(|error| self.ledger.failed(error.into()))?;
        match self.session.query("SELECT cutter_ledger.hold($1)", &[&run]) {
            Ok(_) => Ok(true),
            Err(error) if error.sqlstate.as_deref() == Some("55P03") => self.let_go().map(|()| false),
            Err(error) => Err(self.ledger.failed(error.into())),
        }
    }

    fn let_go(&mut self) -> Result<(), Problem> {
        let left = self.session.run("ROLLBACK TO SAVEPOINT also; RELEASE SAVEPOINT also");
        left.map_err(|error| self.ledger.failed(error.into()))
    }
}

/// A role that could rewrite the chain is no role for runs.
fn refuse_powerful(session: &mut WritingSession, role: &str) -> Result<(), Problem> {
    let sql = "SELECT rolsuper OR pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = $1";
    let help = "name the login role of runs, which owns nothing of the ledger";
    let rows = session.query(sql, &[&role]);
    let rows = rows.map_err(|error| LedgerError::from(error).problem("the ledger cannot be made"))?;
    match rows.first().map(|row| row.try_get::<_, bool>(0).ok()) {
        Some(Some(false)) => Ok(()),
        Some(_) => Err(Problem::failure(format!("role `{role}` could remove what the ledger records")).help(help)),
        None => Err(Problem::failure(format!("there is no role `{role}`")).help(help)),
    }
}

fn json(record: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(record).map_err(|error| Problem::failure(format!("a record has no JSON form: {error}")))
}

fn number(rows: &[Row]) -> Result<u64, Problem> {
    let number = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
    number.and_then(|number| u64::try_from(number).ok()).ok_or_else(corrupt)
}

fn corrupt() -> Problem {
    LedgerError::Spoilt.problem("the ledger cannot be read")
}

const LINES_OF: &str = "SELECT cutter_ledger.lines_of($1, $2, $3)";

const SCHEMA: &str = include_str!("database/init.sql");

const GRANTS: &str = include_str!("database/grants.sql");
