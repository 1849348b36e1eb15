//! Setting a switch in a row of a table to a declared value: the declared statement, and then its query reads that value, or
//! nothing of it lasts.

use super::session::{self, Who};
use super::work::{AsJudged, Outcome};
use crate::db::{Access, DatabaseError, Row, WritingTransaction};
use crate::problem::{Code, Coded as _, Problem};
use crate::settings::evidence::FlagSettings;

/// A switch, and a transaction in which it can be set.
pub struct ReadyRow {
    transaction: WritingTransaction,
    id: String,
    name: String,
    to: String,
    query: String,
    set: String,
    who: Who,
}

impl ReadyRow {
    /// Begins the transaction and looks at its session and at the switch, before anything is used up.
    pub fn prepare(
        (name, to): (&str, &str),
        (query, set, role): (&str, &str, &str),
        database: Option<&str>,
        connection: &dyn Fn(&str) -> Result<Access, Problem>,
    ) -> Result<Self, Problem> {
        let who = Who { role: role.to_owned(), database: database.map(str::to_owned) };
        let failed = |error: DatabaseError| error.problem("the switch cannot be read");
        let mut transaction = connection(role)?.open_writing()?.begin().map_err(failed)?;
        session::check(&mut transaction, &who).map_err(|why| refused(name, &why))?;
        transaction.query(&FlagSettings::asked(query), &[]).map_err(failed)?;
        let id = transaction.id().map_err(failed)?;
        let (name, to, query, set) = (name.to_owned(), to.to_owned(), query.to_owned(), set.to_owned());
        Ok(Self { transaction, id, name, to, query, set, who })
    }

    /// The id of the transaction, by which the server says later what became of it.
    pub fn transaction(&self) -> &str {
        &self.id
    }

    /// Sets it, reads it, and only then lets it last, where that is judged as it was.
    pub fn run(mut self, as_judged: &mut AsJudged<'_>) -> Outcome {
        if let Err(problem) = as_judged().and_then(|()| self.change()).and_then(|()| as_judged()) {
            return Outcome::Refused(problem.code(), problem.message);
        }
        let Self { transaction, name, to, query, .. } = self;
        match transaction.commit() {
            // What a trigger put off until the commit may have set it to something else.
            Ok(mut session) => match value(session.query(&FlagSettings::asked(&query), &[])) {
                Ok(is) if is.as_deref() == Some(to.as_str()) => Outcome::Done(format!("{name} is {to}")),
                Ok(is) => Outcome::Failed(format!("the flag `{name}` reads {} after it was set to `{to}`", shown(is))),
                Err(error) => {
                    Outcome::InDoubt(format!("what the flag `{name}` is after it was set is not known: {error}"))
                }
            },
            Err(error) if error.sqlstate.is_some() && !error.is_final() => Outcome::Failed(format!("{error}")),
            Err(error) => Outcome::InDoubt(format!("whether the flag `{name}` was set is not known: {error}")),
        }
    }

    fn change(&mut self) -> Result<(), Problem> {
        let Self { transaction, name, to, query, set, who, .. } = self;
        let failed = |error: DatabaseError| error.problem(&format!("the flag `{name}` cannot be set"));
        session::check(transaction, who).map_err(|why| refused(name, &why))?;
        let read = |transaction: &mut WritingTransaction| value(transaction.query(&FlagSettings::asked(query), &[]));
        if read(transaction).map_err(failed)?.as_deref() == Some(to.as_str()) {
            return Ok(());
        }
        transaction.query_with_texts(set, &[Some(to)]).map_err(failed)?;
        transaction.run_deferred().map_err(failed)?;
        let is = read(transaction).map_err(failed)?;
        match is.as_deref() == Some(to.as_str()) {
            true => Ok(()),
            false => Err(refused(name, &format!("its query reads {} after that, not `{to}`", shown(is)))),
        }
    }
}

/// The one value that a query answered; nothing where there is none, or several.
fn value(rows: Result<Vec<Row>, DatabaseError>) -> Result<Option<String>, DatabaseError> {
    match rows?.as_slice() {
        [row] => Ok(row.try_get::<_, Option<String>>(0).ok().flatten()),
        _ => Ok(None),
    }
}

fn shown(value: Option<String>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
}

fn refused(name: &str, why: &str) -> Problem {
    Problem::failure(format!("the flag `{name}` is not set: {why}"))
        .help("correct its `set` and `query` in [evidence.flags]; nothing of it lasts")
        .coded(Code::FunctionRefused)
}
