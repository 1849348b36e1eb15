//! Setting a switch in a row of a table to a declared value: the declared statement, and then its query reads that value, or
//! nothing of it lasts.

use super::session::{self, Who};
use super::work::Outcome;
use crate::db::{Access, DatabaseError, WritingSession, WritingTransaction};
use crate::problem::{Code, Coded as _, Problem};
use crate::settings::evidence::FlagSettings;

/// A switch, and a session in which it can be set.
pub struct ReadyRow {
    session: WritingSession,
    name: String,
    to: String,
    query: String,
    set: String,
    who: Who,
}

impl ReadyRow {
    /// Opens the session and looks at it and at the switch, before anything is used up.
    pub fn prepare(
        (name, to): (&str, &str),
        (query, set, role): (&str, &str, &str),
        database: Option<&str>,
        connection: &dyn Fn(&str) -> Result<Access, Problem>,
    ) -> Result<Self, Problem> {
        let who = Who { role: role.to_owned(), database: database.map(str::to_owned) };
        let session = connection(role)?.open_writing()?;
        let (name, to, query, set) = (name.to_owned(), to.to_owned(), query.to_owned(), set.to_owned());
        let mut ready = Self { session, name, to, query, set, who };
        let failed = |error: DatabaseError| error.problem("the switch cannot be read");
        let mut transaction = ready.session.begin().map_err(failed)?;
        session::check(&mut transaction, &ready.who).map_err(|why| refused(&ready.name, &why))?;
        transaction.query(&FlagSettings::asked(&ready.query), &[]).map_err(failed)?;
        drop(transaction);
        Ok(ready)
    }

    /// Sets it, reads it, and only then lets it last.
    pub fn run(mut self) -> Outcome {
        let (name, to) = (self.name.clone(), self.to.clone());
        match self.change().map(WritingTransaction::commit) {
            Err(problem) => Outcome::Failed(problem.message),
            Ok(Ok(())) => Outcome::Done(format!("{name} is {to}")),
            Ok(Err(error)) if error.sqlstate.is_some() && !error.is_final() => Outcome::Failed(format!("{error}")),
            Ok(Err(error)) => Outcome::InDoubt(format!("whether the flag `{name}` was set is not known: {error}")),
        }
    }

    fn change(&mut self) -> Result<WritingTransaction<'_>, Problem> {
        let Self { session, name, to, query, set, who } = self;
        let failed = |error: DatabaseError| error.problem(&format!("the flag `{name}` cannot be set"));
        let mut transaction = session.begin().map_err(failed)?;
        session::check(&mut transaction, who).map_err(|why| refused(name, &why))?;
        transaction.query_with_texts(set, &[Some(to)]).map_err(failed)?;
        let rows = transaction.query(&FlagSettings::asked(query), &[]).map_err(failed)?;
        let is = match rows.as_slice() {
            [row] => row.try_get::<_, Option<String>>(0).ok().flatten(),
            _ => None,
        };
        match is.as_deref() == Some(to.as_str()) {
            true => Ok(transaction),
            false => {
                let is = is.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
                Err(refused(name, &format!("its query reads {is} after that, not `{to}`")))
            }
        }
    }
}

fn refused(name: &str, why: &str) -> Problem {
    Problem::failure(format!("the flag `{name}` is not set: {why}"))
        .help("correct its `set` and `query` in [evidence.flags]; nothing of it lasts")
        .coded(Code::FunctionRefused)
}
