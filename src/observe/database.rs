//! The database as a whole: which it is, where it stands, and what belongs to no table.

use crate::db::{DatabaseError, Session, Snapshot, identifier};
use crate::evidence::{DatabaseRecord, Observation, ObservationKind};
use crate::settings::evidence::EvidenceSettings;
use crate::time::Timestamp;

/// Which database this is; without it nothing else means anything.
pub fn identify(snapshot: &mut Snapshot<'_>) -> Result<DatabaseRecord, DatabaseError> {
    let rows = snapshot.texts(IDENTITY, 1)?;
    let row = rows.into_iter().next().unwrap_or_default();
    let mut cells = row.into_iter();
    let mut next = || cells.next().flatten();
    let wal_position = next();
    let mut required = || next().ok_or_else(DatabaseError::lost);
    Ok(DatabaseRecord {
        system_identifier: required()?,
        name: required()?,
        oid: required()?,
        role: required()?,
        server_started_at: required()?,
        timeline: required()?,
        server_version: required()?,
        snapshot: required()?,
        closing_snapshot: String::new(),
        opened_at: None,
        closed_at: None,
        wal_position,
        counters: None,
    })
}

/// The server's own clock, RFC 3339: what several hosts observe can be put in order by nothing else.
pub fn clock(session: &mut Session) -> Result<Timestamp, DatabaseError> {
    let text = session.begin()?.text(CLOCK)?.ok_or_else(DatabaseError::lost)?;
    let unknown = || DatabaseError { reason: "the server's clock cannot be read".to_owned(), sqlstate: None };
    Timestamp::parse(&text).ok_or_else(unknown)
}

/// Observes what is wanted of the database itself.
pub fn observe(
    settings: &EvidenceSettings,
    record: &DatabaseRecord,
    reset_at: Option<&str>,
    snapshot: &mut Snapshot<'_>,
) -> Result<Vec<Observation>, DatabaseError> {
    let mut observations = Vec::new();
    let mut identity = Observation::new(ObservationKind::Database, "identity");
    for (name, value) in [
        ("value", format!("{} {}", record.system_identifier, record.name)),
        ("oid", record.oid.clone()),
        ("timeline", record.timeline.clone()),
        ("server version", record.server_version.clone()),
    ] {
        identity.value(name, value);
    }
    observations.push(identity);
    let mut start = Observation::new(ObservationKind::Database, "start");
    start.value("value", record.server_started_at.clone());
    observations.push(start);
    if let Some(reset_at) = reset_at {
        let mut statistics = Observation::new(ObservationKind::Database, "statistics");
        statistics.value("value", format!("reset {reset_at}"));
        observations.push(statistics);
    }
    type Look = fn(&EvidenceSettings, &mut Snapshot<'_>, &mut Observation) -> Result<(), DatabaseError>;
    let parts: [(&str, Look); 4] = [
        ("settings", server_settings),
        ("configuration_files", configuration_files),
        ("prepared", prepared),
        ("slots", slots),
    ];
    for (part, look) in parts {
        let mut observation = Observation::new(ObservationKind::Database, part);
        if let Err(error) = look(settings, snapshot, &mut observation) {
            if error.is_final() {
                return Err(error);
            }
            observation.refused("value", &error.reason, error.sqlstate.as_deref());
        }
        observations.push(observation);
    }
    observations.retain(|observation| {
        observation.id.kind() != ObservationKind::Database || settings.wants_database(observation.id.name())
    });
    Ok(observations)
}

/// Sequences stand outside transactions: one that was bumped stays bumped, and takes no transaction id.
pub fn sequences(settings: &EvidenceSettings, snapshot: &mut Snapshot<'_>) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(ObservationKind::Database, "sequences");
    match values_of_sequences(settings, snapshot, &mut observation) {
        Err(error) if error.is_final() => return Err(error),
        Err(error) => observation.refused("value", &error.reason, error.sqlstate.as_deref()),
        Ok(()) => {}
    }
    Ok(observation)
}

fn values_of_sequences(
    settings: &EvidenceSettings,
    snapshot: &mut Snapshot<'_>,
    observation: &mut Observation,
) -> Result<(), DatabaseError> {
    let known = snapshot.query(SEQUENCES, &[&settings.schemas])?;
    let mut readable = Vec::new();
    for row in &known {
        let (Ok(schema), Ok(name), Ok(may_read), Ok(whose)) = (
            row.try_get::<_, String>(0),
            row.try_get::<_, String>(1),
            row.try_get::<_, bool>(2),
            row.try_get::<_, Option<String>>(3),
        ) else {
            continue;
        };
        if may_read {
            readable.push((schema, name, whose));
        } else {
            observation.unknown(format!("{schema}.{name}"), "permission denied");
            if let Some(last) = observation.unknown.last_mut() {
                last.sqlstate = Some("42501".to_owned());
            }
        }
    }
    for chunk in readable.chunks(200) {
        let selects: Vec<String> = chunk
            .iter()
            .enumerate()
            .map(|(index, (schema, name, _))| {
                let from = format!("{}.{}", identifier(schema), identifier(name));
                format!("SELECT {index}::text, last_value::text, is_called::text, log_cnt::text FROM {from}")
            })
            .collect();
        for row in snapshot.texts(&selects.join(" UNION ALL "), chunk.len())? {
            let [Some(index), Some(last), Some(called), Some(logged)] = row.as_slice() else { continue };
            let Some((schema, name, whose)) = index.parse().ok().and_then(|index: usize| chunk.get(index)) else {
                continue;
            };
            let value = if called == "true" { last.clone() } else { format!("{last} not called") };
            observation.value(format!("{schema}.{name}"), value);
            whose.iter().for_each(|whose| observation.trace(format!("owner {schema}.{name}"), whose));
            observation.trace(format!("{schema}.{name}"), logged.clone());
        }
    }
    Ok(())
}

/// What was set, by whom it may be; defaults and what this session set itself are left out.
fn server_settings(
    _: &EvidenceSettings,
    snapshot: &mut Snapshot<'_>,
    observation: &mut Observation,
) -> Result<(), DatabaseError> {
    for row in snapshot.texts(SETTINGS, 10_000)? {
        if let [Some(name), Some(value)] = row.as_slice() {
            observation.value(name.clone(), value.clone());
        }
    }
    Ok(())
}

/// The configuration files: what `ALTER SYSTEM` or an editor wrote and nobody has loaded yet.
fn configuration_files(
    _: &EvidenceSettings,
    snapshot: &mut Snapshot<'_>,
    observation: &mut Observation,
) -> Result<(), DatabaseError> {
    let names: Vec<String> = snapshot.texts(FILE_NAMES, 1000)?.into_iter().flatten().flatten().collect();
    // The server tells whole seconds: a file that was written in this one may be written again and look the same.
    snapshot.query(&format!("SELECT pg_sleep(1.1)::text FROM ({FILES}) AS files WHERE fresh LIMIT 1"), &[&names])?;
    let may_read = snapshot.text(MAY_READ)?.as_deref() == Some("true");
    for row in snapshot.query(&format!("SELECT name, size, changed FROM ({FILES}) AS files"), &[&names])? {
        let cell = |index| row.try_get::<_, Option<String>>(index).ok().flatten();
        let (Some(name), Some(changed)) = (cell(0), cell(2)) else { continue };
        let digest = match may_read && cell(1).is_some() {
            true => snapshot.query("SELECT encode(sha256(pg_read_binary_file($1)), 'hex')", &[&name]).ok(),
            false => None,
        };
        let digest = digest.and_then(|rows| rows.first()?.try_get::<_, String>(0).ok());
        observation.value(
            name.clone(),
            match (digest, cell(1)) {
                (Some(digest), _) => format!("sha256 {digest}"),
                (None, Some(size)) => format!("{size} bytes"),
                (None, None) => "a folder".to_owned(),
            },
        );
        observation.trace(name, changed);
    }
    // What stands in them, also where it is not loaded; for those who may see it.
    if let Ok(rows) = snapshot.texts(FILE_SETTINGS, 10_000) {
        for row in rows {
            if let [Some(name), Some(value)] = row.as_slice() {
                observation.value(name.clone(), value.clone());
            }
        }
    }
    // Whoever wrote a file and had it loaded has had its effect, whatever it holds now.
    if let Some(loaded) = snapshot.text("SELECT pg_conf_load_time()::text")? {
        observation.trace("loaded", loaded);
    }
    Ok(())
}

/// Replication slots keep log and let data out; those of sessions are theirs.
fn slots(
    _: &EvidenceSettings,
    snapshot: &mut Snapshot<'_>,
    observation: &mut Observation,
) -> Result<(), DatabaseError> {
    let rows = snapshot.texts(SLOTS, 10_000)?;
    observation.value("value", format!("{} slots", rows.len()));
    for row in rows {
        if let [Some(name), Some(what)] = row.as_slice() {
            observation.value(format!("slot {name}"), what.clone());
        }
    }
    Ok(())
}

/// A prepared transaction may commit at any time, by anybody.
fn prepared(
    _: &EvidenceSettings,
    snapshot: &mut Snapshot<'_>,
    observation: &mut Observation,
) -> Result<(), DatabaseError> {
    let rows = snapshot.texts("SELECT gid, owner::text || ' ' || prepared::text FROM pg_prepared_xacts", 10_000)?;
    observation.value("value", format!("{} prepared", rows.len()));
    for row in rows {
        if let [Some(gid), Some(what)] = row.as_slice() {
            observation.value(format!("transaction {gid}"), what.clone());
        }
    }
    Ok(())
}

const CLOCK: &str = "
SELECT to_char(date_trunc('milliseconds', clock_timestamp()) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";

const IDENTITY: &str = "
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text,
       (SELECT system_identifier::text FROM pg_control_system()),
       current_database()::text,
       (SELECT oid::text FROM pg_database WHERE datname = current_database()),
       session_user::text,
       to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
       (SELECT timeline_id::text FROM pg_control_checkpoint()) || CASE WHEN pg_is_in_recovery() THEN ' in recovery' ELSE '' END,
       current_setting('server_version'),
       pg_current_snapshot()::text";

/// Each with the table whose column it fills, if there is one, and by how much one call may move it where that is not one.
const SEQUENCES: &str = "
SELECT n.nspname::text, c.relname::text, has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT'),
       (SELECT format('%s.%s', owner.nspname, t.relname)
               || CASE WHEN s.seqincrement * s.seqcache <> 1 THEN ' in steps of ' || s.seqincrement * s.seqcache ELSE '' END
        FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace owner ON owner.oid = t.relnamespace
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
          AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_%' AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1))
ORDER BY 1, 2";

/// Values in which passwords are written are left out: only whether there is one is recorded. What this session set for itself
/// counts as what it would be without.
const SETTINGS: &str = "
SELECT name, CASE WHEN name IN ('primary_conninfo', 'ssl_passphrase_command', 'archive_command', 'restore_command',
                                'archive_cleanup_command', 'recovery_end_command')
                  THEN CASE WHEN setting = '' THEN 'empty' ELSE 'set' END
                  WHEN source = 'session' THEN reset_val
                  ELSE setting END || CASE WHEN pending_restart THEN ' (a restart is pending)' ELSE '' END
FROM pg_settings
WHERE source NOT IN ('default', 'client', 'session', 'interactive', 'test', 'override')
   OR (source = 'override' AND name IN ('data_checksums', 'wal_level', 'config_file', 'hba_file', 'ident_file'))
   OR (source = 'session' AND name NOT IN ('application_name', 'client_encoding') AND reset_val IS DISTINCT FROM boot_val)
ORDER BY name";

/// Those of every server, the folders that are included by custom, and where settings that are loaded come from.
const FILE_NAMES: &str = "
SELECT name FROM (VALUES ('postgresql.auto.conf'), ('postgresql.conf'), ('pg_hba.conf'), ('pg_ident.conf'), ('conf.d'),
                         ('postgresql.conf.d'), ('include.d')) AS f (name)
UNION SELECT named.name FROM (
    SELECT sourcefile FROM pg_settings WHERE sourcefile IS NOT NULL
    UNION SELECT regexp_replace(sourcefile, '/[^/]*$', '') FROM pg_settings
          WHERE sourcefile IS NOT NULL AND sourcefile !~ '/postgresql(.auto)?.conf$') AS named (name)
WHERE pg_has_role('pg_read_server_files', 'USAGE')
   OR starts_with(named.name, (SELECT setting || '/' FROM pg_settings WHERE name = 'data_directory'))";

const MAY_READ: &str = "SELECT has_function_privilege('pg_read_binary_file(text)', 'EXECUTE')::text";

/// A folder that is included changes when a file in it is made or removed.
const FILES: &str = "
SELECT f.name, CASE WHEN NOT s.isdir THEN s.size::text END AS size, s.modification::text AS changed,
       s.modification > clock_timestamp() - interval '1 second' AS fresh
FROM unnest($1::text[]) AS f (name),
     LATERAL pg_stat_file(f.name, true) AS s (size, access, modification, change, creation, isdir)
WHERE s.modification IS NOT NULL";

const FILE_SETTINGS: &str = "
SELECT concat_ws(' ', 'setting', sourcefile, sourceline, name), coalesce('error ' || error, 'sha256 ' || encode(sha256(convert_to(setting, 'UTF8')), 'hex'))
FROM pg_file_settings WHERE sourcefile !~ 'postgresql.auto.conf$'";

const SLOTS: &str = "
SELECT slot_name::text, concat_ws(' ', slot_type, plugin, database, CASE WHEN two_phase THEN 'two phases' END)
FROM pg_replication_slots WHERE NOT temporary";
