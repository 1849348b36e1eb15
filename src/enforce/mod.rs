//! A guard that the database itself keeps: the functions that effects call refuse every call but that of a run which the ledger let
//! begin. It is printed with its inverse, and never applied.

mod body;

use crate::db::{DatabaseError, Session, Snapshot, identifier, literal};
use crate::digest::Digest;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::Config;
use crate::settings::function::SqlSettings;
use body::Language;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A guard and its inverse; version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Enforcement {
    /// The version of this form.
    pub version: u32,
    /// The functions that are guarded.
    pub functions: Vec<Guarded>,
    /// What puts the guard in.
    pub guard: Script,
    /// What takes it out again.
    pub inverse: Script,
}

/// A function, without the guard and with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Guarded {
    /// The function with its argument types, as the server has it.
    pub function: String,
    /// The effects that call it.
    pub effects: Vec<String>,
    /// Sha-256 of its definition without the guard.
    pub without_sha256: Digest,
    /// The same with it: what the effects must pin once it is there.
    pub with_sha256: Digest,
    /// Whether it is there already.
    pub is_there: bool,
    #[serde(skip)]
    definitions: Definitions,
}

/// Statements for a superuser, all of them or none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Script {
    /// Sha-256 of the text.
    pub sha256: Digest,
    /// The text.
    pub sql: String,
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Definitions {
    without: String,
    with: String,
}

/// Makes the guard of every function that an effect calls, by what the catalog says of it. `ledger` is a session of the one that runs
/// use, where it lies in PostgreSQL. With `switch_seconds` a call is refused, too, when its run turned a switch on longer ago.
pub fn enforcement(
    config: &Config,
    session: &mut Session,
    ledger: Option<&mut Session>,
    switch_seconds: Option<u32>,
) -> Result<Enforcement, Problems> {
    let calls: Vec<(&String, &SqlSettings)> =
        config.effects.iter().filter_map(|(name, effect)| Some((name, effect.sql.as_ref()?))).collect();
    if calls.is_empty() {
        return Err(Problem::invalid("no effect calls a function, so that there is nothing to guard")
            .help("declare it: `[effects.NAME.sql]` in cutter.toml")
            .coded(Code::ConfigInvalid)
            .into());
    }
    let Some(ledger) = ledger else {
        return Err(Problem::invalid("the ledger lies in a folder, and the database cannot look into that")
            .help("name with `[ledger.database]` one in the same database as the functions")
            .coded(Code::ConfigInvalid)
            .into());
    };
    let expiry = switch_seconds.map_or(Ok(String::new()), |seconds| expiry(config, seconds))?;
    let mut snapshot = session.begin().map_err(failed)?;
    check_place(&mut snapshot, &mut ledger.begin().map_err(failed)?)?;
    let owner = owner_of_the_ledger(&mut snapshot)?;
    let (mut problems, mut found) = (Problems::new(), BTreeMap::<String, (Found, Vec<Call<'_>>)>::new());
    for (effect, sql) in calls {
        let looked = check_caller(&mut snapshot, config, sql).and_then(|()| look(&mut snapshot, sql));
        if let Some(looked) = problems.absorb(looked.map_err(Problems::from)) {
            // However an effect spells its types, it is the same function.
            found.entry(looked.name.clone()).or_insert((looked, Vec::new())).1.push((effect, sql));
        }
    }
    let functions =
        found.into_values().filter_map(|(found, calls)| problems.absorb(guard(found, &calls).map_err(Problems::from)));
    let functions: Vec<Guarded> = functions.collect();
    problems.or(())?;
    let there: Vec<&Guarded> = functions.iter().filter(|function| function.is_there).collect();
    if !there.is_empty() && there.len() < functions.len() {
        let names: Vec<&str> = there.iter().map(|function| function.function.as_str()).collect();
        let message = format!("{} have the guard already, and others do not", crate::json::in_backticks(&names));
        return Err(Problem::failure(message)
            .help("take it out first, with the inverse that was printed with it")
            .into());
    }
    let put = functions.iter().map(|of| (of, of.without_sha256, &of.definitions.with));
    let take = functions.iter().map(|of| (of, of.with_sha256, &of.definitions.without));
    let guard = script(PASS.replace(":owner", &identifier(&owner)).replace(":expiry ", &expiry), put, "");
    let inverse = script(String::new(), take, DROP);
    Ok(Enforcement { version: 1, functions, guard, inverse })
}

/// What is asked beside: that no switch in a row of a table has been on for longer, by the ledger's record of when the run turned it on.
fn expiry(config: &Config, seconds: u32) -> Result<String, Problem> {
    let in_rows = config.evidence.flags.iter().filter(|(_, flag)| flag.query.is_some());
    let on: Vec<(&String, &String)> = in_rows.filter_map(|(name, flag)| Some((name, flag.on.as_ref()?))).collect();
    if on.is_empty() {
        return Err(Problem::invalid("no switch stands in a row of a table, so that none can expire")
            .help("declare `query`, `set`, `on` and `off` in [evidence.flags]")
            .coded(Code::ConfigInvalid));
    }
    on.iter().try_for_each(|(name, value)| plain("the switch", name).and_then(|()| plain("the value", value)))?;
    let on: Vec<String> = on.iter().map(|(name, value)| format!("({}, {})", literal(name), literal(value))).collect();
    Ok(EXPIRY.replace(":on", &format!("VALUES {}", on.join(", "))).replace(":seconds", &seconds.to_string()))
}

/// Whether the ledger of the runs lies in the database of the functions: whoever may make a schema there can make one that looks like it.
fn check_place(functions: &mut Snapshot<'_>, ledger: &mut Snapshot<'_>) -> Result<(), Problem> {
    match (functions.text(PLACE).map_err(failed)?, ledger.text(PLACE).map_err(failed)?) {
        (Some(functions), Some(ledger)) if functions == ledger => Ok(()),
        _ => Err(Problem::failure(
            "the ledger is not in the database of the functions, so that a guard could not look into it",
        )
        .help("`[database]` and `[ledger.database]` must lead to the same database of the same server")
        .coded(Code::LedgerMissing)),
    }
}

/// Who owns the ledger's functions in this database.
fn owner_of_the_ledger(snapshot: &mut Snapshot<'_>) -> Result<String, Problem> {
    let rows = snapshot.query(LEDGER_OWNER, &[]).map_err(failed)?;
    let owner: Option<String> = rows.first().and_then(|row| row.try_get(0).ok());
    let owner = owner.ok_or_else(|| {
        Problem::failure("there is no ledger in the database of the functions, so that a guard could not look into it")
            .help("`[ledger.database]` must lead to the same database; its owner makes it with `cutter ledger init`")
            .coded(Code::LedgerMissing)
    })?;
    plain("the owner of the ledger", &owner)?;
    Ok(owner)
}

/// Whoever could become the ledger's writer would be refused at every call.
fn check_caller(snapshot: &mut Snapshot<'_>, config: &Config, sql: &SqlSettings) -> Result<(), Problem> {
    let writer = config.ledger.role.as_deref().unwrap_or_default();
    let rows = snapshot.query(BECOMES, &[&sql.role, &writer]).map_err(failed)?;
    match rows.first().and_then(|row| row.try_get::<_, bool>(0).ok()) {
        Some(false) => Ok(()),
        Some(true) => {
            let message = format!("`{}` calls `{}`, and can become the ledger's writer", sql.role, sql.function);
            Err(Problem::failure(message).help("let one role do the work, and another keep the ledger"))
        }
        None => Err(Problem::failure(format!("there is no role `{}`, which calls `{}`", sql.role, sql.function))
            .help("correct `role`, or make it")),
    }
}

/// An effect, and the function that it calls.
type Call<'a> = (&'a String, &'a SqlSettings);

/// A function as the catalog has it.
struct Found {
    name: String,
    owner: String,
    language: String,
    definition: String,
    body: String,
}

fn look(snapshot: &mut Snapshot<'_>, sql: &SqlSettings) -> Result<Found, Problem> {
    plain("the function", &sql.function)?;
    let rows = snapshot.query(FUNCTION, &[&sql.function]).map_err(failed)?;
    let text = |index: usize| rows.first().and_then(|row| row.try_get::<_, String>(index).ok());
    let found =
        || Some(Found { name: text(0)?, owner: text(1)?, language: text(2)?, definition: text(3)?, body: text(4)? });
    found().ok_or_else(|| {
        let why = "there is no such function, or it is written as `BEGIN ATOMIC`, in which a guard has no place";
        refused(&sql.function, why)
    })
}

/// The definition of one function, without the guard and with it.
fn guard(found: Found, calls: &[Call<'_>]) -> Result<Guarded, Problem> {
    let Found { name, owner, language, definition, body } = found;
    plain("the function", &name)?;
    if let Some((_, sql)) = calls.iter().find(|(_, sql)| sql.owner != owner) {
        return Err(refused(&name, &format!("it is owned by `{owner}`, not by `{}`", sql.owner)));
    }
    if definition.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t' | '\r')) {
        return Err(refused(&name, "its definition holds control characters, which a terminal would obey"));
    }
    let language = Language::parse(&language)
        .ok_or_else(|| refused(&name, &format!("it is written in `{language}`; a guard knows `plpgsql` and `sql`")))?;
    // As the ledger's records name it.
    let spellings: BTreeSet<String> = calls.iter().map(|(_, sql)| literal(&sql.function)).collect();
    let call = format!("cutter_guard.pass({})", spellings.into_iter().collect::<Vec<_>>().join(", "));
    let bare = body::bare(language, &body, &call);
    let (is_there, without) = (bare.is_some(), bare.unwrap_or_else(|| body.clone()));
    let with = body::guarded(language, &without, &call);
    let head = definition
        .strip_suffix(&quoted(&body))
        .ok_or_else(|| refused(&name, "the server does not show its definition as it used to"))?;
    let definitions =
        Definitions { without: head.to_owned() + &quoted(&without), with: head.to_owned() + &quoted(&with) };
    let digest = |text: &str| Digest::of(text.as_bytes());
    let (without_sha256, with_sha256) = (digest(&definitions.without), digest(&definitions.with));
    let is_pinned = |sql: &SqlSettings| [without_sha256, with_sha256].contains(&sql.definition_sha256);
    if let Some((effect, sql)) = calls.iter().find(|(_, sql)| !is_pinned(sql)) {
        let pinned = sql.definition_sha256;
        return Err(refused(
            &name,
            &format!("its definition has the sha256 {without_sha256}, and `{effect}` pins {pinned}"),
        ));
    }
    let effects = calls.iter().map(|(effect, _)| (*effect).clone()).collect();
    Ok(Guarded { function: name, effects, without_sha256, with_sha256, is_there, definitions })
}

/// A body as `pg_get_functiondef` ends with it.
fn quoted(body: &str) -> String {
    let mut tag = "$function".to_owned();
    while body.contains(&tag) {
        tag.push('x');
    }
    format!("AS {tag}${body}{tag}$\n")
}

/// All or nothing, and only where each function is what it was when this was made.
fn script<'a>(
    before: String,
    functions: impl Iterator<Item = (&'a Guarded, Digest, &'a String)>,
    after: &str,
) -> Script {
    let mut sql =
        format!("BEGIN;\nSET LOCAL search_path = pg_catalog;\nSET LOCAL check_function_bodies = off;\n{before}");
    for (of, is, becomes) in functions {
        let name = literal(&of.function);
        let check = CHECK.replace(":name", &name).replace(":sha256", &is.to_string());
        sql.push_str(&format!("{check}{};\n", becomes.trim_end()));
    }
    sql.push_str(after);
    sql.push_str("COMMIT;\n");
    Script { sha256: Digest::of(sql.as_bytes()), sql }
}

/// A name that means the same wherever it stands in what is printed.
fn plain(what: &str, name: &str) -> Result<(), Problem> {
    match name.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | '$')) {
        false => Ok(()),
        true => Err(Problem::invalid(format!("{what} {name:?} has a name with a control character, a `\\` or a `$`"))
            .help("rename it; what is printed is to be read by people")
            .coded(Code::FunctionRefused)),
    }
}

fn refused(function: &str, why: &str) -> Problem {
    Problem::failure(format!("no guard is made for `{function}`: {why}"))
        .help("restore what was pinned, or have `cutter.toml` reviewed and signed")
        .coded(Code::FunctionRefused)
}

fn failed(error: DatabaseError) -> Problem {
    error.problem("no guard is made")
}

const PASS: &str = include_str!("pass.sql");

const EXPIRY: &str = include_str!("expiry.sql");

/// Nothing is left: its own statements fail where anything else came to depend on it.
const DROP: &str = "DROP FUNCTION cutter_guard.pass(text[]);\nDROP SCHEMA cutter_guard;\n";

const CHECK: &str = "DO $cutter$ BEGIN
  IF encode(sha256(convert_to(pg_get_functiondef(to_regprocedure(:name)), 'UTF8')), 'hex') IS DISTINCT FROM ':sha256' THEN
    RAISE EXCEPTION '% is not what it was when this was made', :name;
  END IF;
END $cutter$;
";

/// Which database of which running server this is; a copy of the server is another one.
const PLACE: &str =
    "SELECT concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), pg_postmaster_start_time(), d.oid)
    FROM pg_database d WHERE d.datname = current_database()";

const LEDGER_OWNER: &str = "SELECT r.rolname::text FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
    WHERE n.nspname = 'cutter_ledger' AND EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'begin')";

const BECOMES: &str = "SELECT coalesce(r.rolsuper OR pg_has_role(r.oid, w.oid, 'MEMBER'), r.rolsuper)
    FROM pg_roles r LEFT JOIN pg_roles w ON w.rolname = $2 WHERE r.rolname = $1";

const FUNCTION: &str =
    "SELECT p.oid::regprocedure::text, r.rolname::text, l.lanname::text, pg_get_functiondef(p.oid), p.prosrc
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_roles r ON r.oid = p.proowner
    WHERE p.oid = to_regprocedure($1) AND p.prokind = 'f' AND p.prosqlbody IS NULL";
