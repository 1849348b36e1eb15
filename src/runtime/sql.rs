//! Calling one declared function in a transaction of its own: the session, the function and its triggers are as they were
//! pinned, before the call and again before it lasts, or nothing of it does.

use super::answer;
use super::session::{self, Who};
use super::work::{AsJudged, Outcome, Use};
use crate::db::{Access, DatabaseError, WritingTransaction, identifier};
use crate::digest::Digest;
use crate::files;
use crate::json;
use crate::plan::{SqlArgument, SqlTask};
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::settings::effects::Origin;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A transaction in which the function was as it was pinned, a moment ago.
pub struct ReadySql {
    transaction: WritingTransaction,
    id: String,
    task: SqlTask,
    who: Who,
    /// The names of the arguments, and their values for each call.
    names: Vec<String>,
    calls: Vec<Vec<Option<String>>>,
    /// The facts that the answer gives.
    produces: BTreeMap<String, Origin>,
}

/// What the pins are compared with, and what shows that it did not change meanwhile.
#[derive(PartialEq, Eq)]
struct Found {
    /// The statement of the call.
    call: String,
    /// The row versions of the function and of the triggers.
    versions: Vec<String>,
}

impl ReadySql {
    /// Begins the transaction and compares everything once, before anything is used up.
    pub fn prepare(
        task: &SqlTask,
        produces: &BTreeMap<String, Origin>,
        of: &Use<'_>,
        connection: &dyn Fn(&str) -> Result<Access, Problem>,
    ) -> Result<Self, Problems> {
        let rows = match &task.each {
            Some((file, fact)) => rows(task, of, file, fact)?,
            None => vec![Value::Null],
        };
        let value = |name: &String, argument: &SqlArgument, row: &Value| match argument {
            SqlArgument::Text(text) => Ok(Some(text.clone())),
            SqlArgument::Null => Ok(None),
            SqlArgument::Fact(path) => Some(fact(of.context, path))
                .filter(Option::is_some)
                .ok_or_else(|| refused(task, &format!("the fact `{path}` for its argument `{name}` is not recorded"))),
            SqlArgument::Field(field) => match row.get(field) {
                Some(Value::Null) => Ok(None),
                value => Some(value.and_then(json::plain))
                    .filter(Option::is_some)
                    .ok_or_else(|| refused(task, &format!("a row has no `{field}` for its argument `{name}`"))),
            },
        };
        let call = |row| task.arguments.iter().map(|(name, argument)| value(name, argument, row)).collect();
        let calls = rows.iter().map(call).collect::<Result<Vec<_>, Problem>>()?;
        let names: Vec<String> = task.arguments.keys().cloned().collect();
        let who = Who { role: task.role.clone(), database: of.database.map(str::to_owned) };
        let begun = connection(&task.role)?.open_writing()?.begin();
        let mut transaction = begun.map_err(|error| lost(task, &error))?;
        look(&mut transaction, task, &who, &names)?;
        let id = transaction.id().map_err(|error| lost(task, &error))?;
        Ok(Self { transaction, id, task: task.clone(), who, names, calls, produces: produces.clone() })
    }

    /// The id of the transaction, by which the server says later what became of it.
    pub fn transaction(&self) -> &str {
        &self.id
    }

    /// Calls the function; only an answer that is as declared lasts, of a call that is judged as it was.
    pub fn run(mut self, as_judged: &mut AsJudged<'_>) -> Outcome {
        let called = as_judged().and_then(|()| self.call()).and_then(|done| as_judged().map(|()| done));
        let (said, produced) = match called {
            Ok(done) => done,
            Err(problem) => return Outcome::Refused(problem.code(), problem.message),
        };
        let Self { transaction, task, .. } = self;
        if task.rolls_back {
            return match transaction.roll_back() {
                Ok(()) => Outcome::Answered(format!("{said}, and was rolled back"), produced),
                Err(error) => Outcome::Failed(format!("`{}`: {error}; nothing of it lasts", task.function)),
            };
        }
        match transaction.commit() {
            Ok(_) => Outcome::Answered(said, produced),
            Err(error) if error.sqlstate.is_some() && !error.is_final() => Outcome::Failed(format!("{error}")),
            Err(error) => Outcome::InDoubt(format!("whether `{}` lasts is not known: {error}", task.function)),
        }
    }
}

impl ReadySql {
    /// The call, after which the transaction may be committed, and its answer.
    fn call(&mut self) -> Result<(String, BTreeMap<String, Value>), Problem> {
        let Self { transaction, task, who, names, calls, produces, .. } = self;
        let failed = |error: DatabaseError| error.problem(&format!("`{}`", task.function));
        let found = look(transaction, task, who, names)?;
        let (mut answers, mut produced) = (Vec::new(), BTreeMap::new());
        for values in calls.iter() {
            let bound: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            let rows = transaction.query_with_texts(&found.call, &bound).map_err(failed)?;
            let [row] = rows.as_slice() else {
                return Err(refused(task, &format!("it answered with {} rows, not one", rows.len())));
            };
            let text: Option<String> = row.try_get(0).map_err(|_| refused(task, "its answer cannot be read"))?;
            let answer: Value = text.as_deref().and_then(|text| text.parse().ok()).unwrap_or(Value::Null);
            agrees(task, &answer)?;
            let facts = answer::facts(produces, &answer);
            produced.extend(facts.map_err(|why| {
                let message = format!("`{}` answered {why}; nothing of it lasts", task.function);
                Problem::failure(message).coded(Code::FunctionRefused)
            })?);
            answers.push(answer.to_string());
        }
        transaction.run_deferred().map_err(failed)?;
        // What changed while the call ran is not what was approved.
        if look(transaction, task, who, names)? != found {
            return Err(refused(task, "it, or a trigger of what it writes, was changed during the call"));
        }
        let said = match answers.as_slice() {
            [only] => format!("answered {only}"),
            all => format!("called {} times", all.len()),
        };
        Ok((said, produced))
    }
}

/// Compares session, function, arguments and triggers with what is declared.
fn look(transaction: &mut WritingTransaction, task: &SqlTask, who: &Who, names: &[String]) -> Result<Found, Problem> {
    session::check(transaction, who).map_err(|why| refused(task, &why))?;
    let failed = |error: DatabaseError| lost(task, &error);
    let rows = transaction.query(FUNCTION, &[&task.function]).map_err(failed)?;
    let Some(row) = rows.first() else { return Err(refused(task, "there is no such function")) };
    let text = |index: usize| row.try_get::<_, String>(index).map_err(|_| refused(task, "the catalog cannot be read"));
    let (mut versions, name, owner, definition) = (vec![text(0)?], text(1)?, text(2)?, text(3)?);
    if owner != task.owner {
        return Err(refused(task, &format!("it is owned by `{owner}`, not by `{}`", task.owner)));
    }
    if Digest::parse(&definition) != Some(task.definition) {
        let why = format!("its definition has the sha256 {definition}, not {}", task.definition);
        return Err(refused(task, &why));
    }
    let types = argument_types(transaction, task)?;
    let mut arguments = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Some(kind) = types.get(name) else { return Err(refused(task, &format!("it has no argument `{name}`"))) };
        arguments.push(format!("{} => ${}::text::{kind}", identifier(name), index + 1));
    }
    for (relation, declared) in &task.triggers {
        let found = triggers(transaction, task, relation)?;
        let digests: BTreeMap<&String, Option<Digest>> =
            found.iter().map(|(name, (_, digest))| (name, Digest::parse(digest))).collect();
        let names = digests.keys().copied().chain(declared.keys());
        for name in names {
            let (is, wanted) = (digests.get(name).copied().flatten(), declared.get(name));
            let why = match (is, wanted) {
                (Some(is), Some(wanted)) if is == *wanted => continue,
                (Some(is), Some(wanted)) => format!("has the sha256 {is}, not {wanted}"),
                (_, Some(_)) => "is not there".to_owned(),
                (is, None) => {
                    format!("is not declared{}", is.map(|is| format!("; its sha256 is {is}")).unwrap_or_default())
                }
            };
            return Err(refused(task, &format!("the trigger `{name}` of `{relation}` {why}")));
        }
        versions.extend(found.into_values().map(|(version, _)| version));
    }
    // Whatever a function gives, a row or one value, is one JSON value.
    let call = format!("SELECT pg_catalog.to_jsonb(answer)::text FROM {name}({}) AS answer", arguments.join(", "));
    Ok(Found { call, versions })
}

/// The type of each argument by its name.
fn argument_types(transaction: &mut WritingTransaction, task: &SqlTask) -> Result<BTreeMap<String, String>, Problem> {
    let rows = transaction.query(ARGUMENTS, &[&task.function]).map_err(|error| lost(task, &error))?;
    Ok(rows.iter().filter_map(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?))).collect())
}

/// The triggers of a relation: row version and digest by name.
fn triggers(
    transaction: &mut WritingTransaction,
    task: &SqlTask,
    relation: &str,
) -> Result<BTreeMap<String, (String, String)>, Problem> {
    let rows = transaction.query(TRIGGERS, &[&relation]).map_err(|error| lost(task, &error))?;
    let read = |row: &crate::db::Row| Some((row.try_get(0).ok()?, (row.try_get(1).ok()?, row.try_get(2).ok()?)));
    rows.iter().map(|row| read(row).ok_or_else(|| refused(task, "the catalog cannot be read"))).collect()
}

/// Whether an answer holds what is declared.
fn agrees(task: &SqlTask, answer: &Value) -> Result<(), Problem> {
    for (name, wanted) in &task.answers {
        let given = answer.get(name).unwrap_or(&Value::Null);
        if given != wanted {
            let function = &task.function;
            let why = format!("`{function}` answered `{name}`: {given}, and {wanted} is declared; nothing of it lasts");
            return Err(Problem::failure(why).coded(Code::FunctionRefused));
        }
    }
    Ok(())
}

/// The rows of a file whose digest is the recorded one.
fn rows(task: &SqlTask, of: &Use<'_>, file: &Path, path: &str) -> Result<Vec<Value>, Problems> {
    let bytes = files::read_bytes(file)?;
    let (is, recorded) = (Digest::of(&bytes).to_string(), fact(of.context, path));
    if recorded.as_deref() != Some(&is) {
        let recorded = recorded.unwrap_or_else(|| "nothing".to_owned());
        let why = format!("`{}` has the sha256 {is}, and the fact `{path}` is {recorded}", file.display());
        return Err(refused(task, &why).into());
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Array(rows)) if !rows.is_empty() => Ok(rows),
        _ => Err(refused(task, &format!("`{}` is not an array of rows", file.display())).into()),
    }
}

/// A fact of the run as one text.
fn fact(context: &Value, path: &str) -> Option<String> {
    json::plain(json::at(context, &format!("run.facts.{path}"))?)
}

fn refused(task: &SqlTask, why: &str) -> Problem {
    Problem::failure(format!("`{}` is not called: {why}", task.function))
        .help("restore what was pinned, or have `cutter.toml` reviewed and signed; nothing of it lasts")
        .coded(Code::FunctionRefused)
}

fn lost(task: &SqlTask, error: &DatabaseError) -> Problem {
    error.problem(&format!("`{}` is not called", task.function))
}

const FUNCTION: &str =
    "SELECT p.oid::text || ' ' || p.xmin::text, format('%I.%I', n.nspname, p.proname), r.rolname::text,
    encode(sha256(convert_to(pg_get_functiondef(p.oid), 'UTF8')), 'hex')
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner
    WHERE p.oid = to_regprocedure($1) AND p.prokind = 'f'";

const ARGUMENTS: &str = "SELECT a.name, format_type(a.type, NULL)
    FROM pg_proc p, unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
        AS a(type, name, mode)
    WHERE p.oid = to_regprocedure($1) AND coalesce(a.mode, 'i') IN ('i', 'b') AND a.name <> ''";

/// A trigger is what it is declared as, whether it fires, and what it calls.
const TRIGGERS: &str = "SELECT t.tgname::text, t.oid::text || ' ' || t.xmin::text || ' ' || p.xmin::text,
    encode(sha256(convert_to(pg_get_triggerdef(t.oid) || E'\\n' || t.tgenabled::text || E'\\n' || pg_get_functiondef(p.oid),
        'UTF8')), 'hex')
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = to_regclass($1) AND NOT t.tgisinternal";
