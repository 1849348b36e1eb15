//! An encrypted dump of tables: one program writes into the other, and what comes out is measured here. Plaintext is only ever
//! in the pipe between the two; nothing lasts unless both ended well and the envelope is whole.

mod artifact;
mod encryption;
mod pipe;

use self::artifact::Artifact;
use self::encryption::Encryption;
use super::answer;
use super::private::PrivateFolder;
use super::program;
use super::session::{self, Who};
use super::work::{Outcome, Use};
use crate::db::{Access, DatabaseError, Session, identifier};
use crate::digest::Digest;
use crate::files;
use crate::json;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::backup::BackupSettings;
use crate::settings::effects::Origin;
use crate::text::is_file_name;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Both programs open and checked, the key imported, the tables there, and nothing written.
pub struct ReadyBackup {
    settings: BackupSettings,
    folder: PathBuf,
    dump: File,
    /// How the program that dumps reaches the database.
    environment: Vec<(&'static str, OsString)>,
    home: PrivateFolder,
    encryption: Encryption,
    session: Session,
    who: Who,
    run: String,
    taken_at: String,
    /// What the envelope says that the dump is of.
    of: Map<String, Value>,
    produces: BTreeMap<String, Origin>,
}

impl ReadyBackup {
    /// Looks at all that could be wrong before anything is used up.
    pub fn prepare(
        (settings, folder): (&BackupSettings, &str),
        produces: &BTreeMap<String, Origin>,
        of: &Use<'_>,
        connection: &dyn Fn(&str) -> Result<Access, Problem>,
    ) -> Result<Self, Problems> {
        let folder = Path::new(folder);
        files::check_folder(folder)?;
        let encryption = Encryption::prepare(settings)?;
        let dump = program::open_binary(&settings.pg_dump)?;
        let text = |path: &str| {
            let found = json::at(of.context, path).and_then(json::plain);
            let help = "it belongs into the envelope: have the facts measured, or correct `[backup.envelope]`";
            found
                .filter(|text| !text.is_empty())
                .ok_or_else(|| refused(&format!("`{path}` is not known"), help).coded(Code::Failure))
        };
        let (run, taken_at) = (text("run.id")?, text("run.now")?);
        if !is_file_name(&run) {
            return Err(refused("the run's id cannot be part of a file's name", "give the run another id").into());
        }
        let mut fields =
            Map::from_iter([("run_id".to_owned(), json!(run)), ("tables".to_owned(), json!(settings.tables))]);
        for (field, path) in &settings.envelope {
            fields.insert(field.clone(), json!(text(path)?));
        }
        let access = connection(&settings.role)?;
        let who = Who { role: settings.role.clone(), database: of.database.map(str::to_owned) };
        let mut ready = Self {
            settings: settings.clone(),
            folder: folder.to_owned(),
            dump,
            environment: access.libpq(),
            home: PrivateFolder::make()?,
            encryption,
            session: access.open()?,
            who,
            run,
            taken_at,
            of: fields,
            produces: produces.clone(),
        };
        let missing = ready.look().map_err(lost)?.map_err(|why| refused(&why, NOTHING_USED))?;
        match missing.first() {
            None => Ok(ready),
            Some(table) => {
                let why = format!("`{table}` is not a table that `{}` may read", ready.settings.role);
                Err(refused(&why, "correct `tables` in [backup], or have the right granted; nothing was used up")
                    .into())
            }
        }
    }

    /// Dumps, encrypts, measures and writes the envelope; else nothing lasts.
    pub fn run(mut self) -> Outcome {
        let answer = match self.make() {
            Ok(answer) => answer,
            Err(problem) => return Outcome::Failed(problem.message),
        };
        let text = |name: &str| answer.get(name).and_then(json::plain).unwrap_or_default();
        let said = format!(
            "{} tables in `{}`, sha256 {}, {} bytes, for {}",
            self.settings.tables.len(),
            text("artifact_ref"),
            text("sha256"),
            text("size_bytes"),
            text("gpg_fpr")
        );
        match answer::facts(&self.produces, &answer) {
            Ok(facts) => Outcome::Answered(said, facts),
            // What was made is there and whole; only nobody can decide by it.
            Err(why) => Outcome::Failed(format!("{said}; its envelope says {why}")),
        }
    }

    /// The tables that are not there or that the role may not read, in a session that is as it must be; else why it is not.
    fn look(&mut self) -> Result<Result<Vec<String>, String>, DatabaseError> {
        let mut snapshot = self.session.begin()?;
        if let Err(why) = session::compare(&snapshot.query(session::SESSION, &[])?, &self.who) {
            return Ok(Err(why));
        }
        let rows = snapshot.query(READABLE, &[&self.settings.tables])?;
        let found: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
        Ok(Ok(self.settings.tables.iter().filter(|table| !found.contains(table)).cloned().collect()))
    }

    /// The backup, and all that its envelope says in one object.
    fn make(&mut self) -> Result<Value, Problem> {
        let time = Duration::from_secs(self.settings.timeout.unwrap_or(600));
        let stamp: String = self.taken_at.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("{}-{stamp}.dump.gpg", self.run);
        // The other program sees what this session sees, so that it can have reached no other database.
        let mut snapshot = self.session.begin().map_err(lost)?;
        let rows = snapshot.query(session::SESSION, &[]).map_err(lost)?;
        session::compare(&rows, &self.who).map_err(|why| refused(&why, NOTHING_LASTS))?;
        let exported = snapshot.export().map_err(lost)?;
        let mut dump = bare(program::command(&self.dump, &self.settings.pg_dump), &self.home);
        dump.args(["--format=custom", "--no-password", "--strict-names", "--lock-wait-timeout=10000"]);
        dump.arg(format!("--snapshot={exported}")).envs(self.environment.iter().map(|(name, value)| (name, value)));
        dump.args(
            self.settings.names().map(|(schema, name)| format!("--table={}.{}", identifier(schema), identifier(name))),
        );
        let mut artifact = Artifact::begin(&self.folder, &name)?;
        let ended = pipe::through((dump, "pg_dump"), (self.encryption.encrypt(), "gpg"), &mut artifact, time);
        drop(snapshot);
        ended.map_err(|why| refused(&why, NOTHING_LASTS))?;
        let (sha256, size) = artifact.measured();
        let out = [
            ("sha256", json!(sha256.to_string())),
            ("size_bytes", json!(size)),
            ("gpg_fpr", json!(self.encryption.fingerprint())),
            ("artifact_ref", json!(artifact.path().display().to_string())),
        ];
        let out: Map<String, Value> = out.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let envelope = json!({ "version": 1, "in": self.of, "out": out, "taken_at": self.taken_at });
        artifact.settle(&format!("{envelope:#}\n"))?;
        let fields: Vec<&String> = out.keys().collect();
        let mut answer = self.of.clone();
        answer.extend([("taken_at".to_owned(), json!(self.taken_at)), ("envelope".to_owned(), json!(fields))]);
        answer.extend(out);
        Ok(Value::Object(answer))
    }
}

/// What trying the encryption showed.
pub struct SelfTest {
    /// The key's fingerprint.
    pub fingerprint: String,
    /// Sha-256 of the file that it came from.
    pub key_sha256: Digest,
    /// The ids of the keys that can decrypt what was encrypted.
    pub recipients: Vec<String>,
}

/// Encrypts something as a backup would be, and looks for whom: for the key alone whose fingerprint is set.
pub fn self_test(settings: &BackupSettings) -> Result<SelfTest, Problems> {
    program::open_binary(&settings.pg_dump)?;
    let encryption = Encryption::prepare(settings)?;
    let mut plain = [0_u8; 4096];
    getrandom::fill(&mut plain).map_err(|_| Problem::failure("the system did not provide random numbers"))?;
    let encrypted = encryption.try_on(&plain)?;
    let recipients = encryption.recipients_of(&encrypted)?;
    let is_own = |id: &String| encryption.has_key(id);
    if recipients.len() != 1 || !recipients.iter().all(is_own) || holds(&encrypted, &plain) {
        let why = format!("what was encrypted is for {}, and not for the key alone", json::in_backticks(&recipients));
        return Err(refused(&why, "look at the program that `gpg` in [backup] names").into());
    }
    Ok(SelfTest { fingerprint: encryption.fingerprint().to_owned(), key_sha256: encryption.key_sha256(), recipients })
}

/// Whether some part of the plaintext stands in the encrypted bytes.
fn holds(encrypted: &[u8], plain: &[u8]) -> bool {
    plain.chunks_exact(16).any(|part| encrypted.windows(part.len()).any(|bytes| bytes == part))
}

fn refused(why: &str, help: &str) -> Problem {
    Problem::failure(format!("no backup is made: {why}")).help(help)
}

fn lost(error: DatabaseError) -> Problem {
    error.problem("no backup is made")
}

/// A child with nothing of whoever called cutter.
fn bare(mut command: Command, home: &PrivateFolder) -> Command {
    command.env("LC_ALL", "C").env("TZ", "UTC").env("HOME", home.path().join("home")).current_dir("/");
    command
}

const NOTHING_USED: &str = "correct [backup] or [connections]; nothing was used up";
const NOTHING_LASTS: &str = "nothing of it was kept; fix what is said, and run the row again";

const READABLE: &str = "SELECT wanted FROM unnest($1::text[]) AS wanted
    JOIN pg_class c ON c.oid = to_regclass(quote_ident(split_part(wanted, '.', 1)) || '.' || quote_ident(split_part(wanted, '.', 2)))
    WHERE c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'SELECT')
      AND has_schema_privilege(c.relnamespace, 'USAGE')";
