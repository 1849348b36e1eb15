//! What a database can fail with, in fixed texts found by SQLSTATE.

use super::Place;
use crate::problem::{Code, Coded as _, Problem};
use postgres::error::SqlState;
use std::fmt;

/// A statement that failed: what it was, and the SQLSTATE where the server gave one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DatabaseError {
    /// One phrase, lower case.
    pub reason: String,
    /// The server's own five characters.
    pub sqlstate: Option<String>,
}

impl DatabaseError {
    /// Reads an error of the client library without repeating its words.
    pub(super) fn new(error: &postgres::Error, secret: Option<&str>) -> Self {
        let Some(told) = error.as_db_error() else {
            return if error.is_closed() { Self::lost() } else { Self::unexpected() };
        };
        let fixed = phrase(told.code());
        // What is wrong with a statement is the server's to say, unless it repeats the password.
        let detailed = matches!(told.code().code().get(..2), Some("42" | "22" | "25" | "0A"));
        let safe = secret.is_none_or(|secret| secret.is_empty() || !told.message().contains(secret));
        let reason = match detailed && safe {
            true if fixed == OTHER => format!("the server says `{}`", told.message()),
            true => format!("{fixed}: `{}`", told.message()),
            false => fixed.to_owned(),
        };
        Self { reason, sqlstate: Some(told.code().code().to_owned()) }
    }

    /// The connection was lost.
    pub fn lost() -> Self {
        Self { reason: "the connection was lost".to_owned(), sqlstate: Some("08006".to_owned()) }
    }

    /// More rows than anybody would review.
    pub fn too_many(most: usize) -> Self {
        Self { reason: format!("more than {most} rows"), sqlstate: None }
    }

    fn unexpected() -> Self {
        Self { reason: "a value has a type that cannot be read".to_owned(), sqlstate: None }
    }

    /// Whether no later statement of the session can work.
    pub fn is_final(&self) -> bool {
        self.sqlstate.as_deref().is_some_and(|state| {
            matches!(state.get(..2), Some("08" | "57")) && state != SqlState::QUERY_CANCELED.code() || state == "25P03"
        })
    }

    /// The failure of `what`.
    pub fn problem(&self, what: &str) -> Problem {
        Problem::failure(format!("{what}: {self}")).coded(Code::DatabaseFailed)
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sqlstate {
            Some(state) => write!(f, "{} (SQLSTATE {state})", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// Why no connection came about.
pub(super) fn not_connected(error: &postgres::Error, place: &Place, encrypted: bool) -> Problem {
    let state = error.code();
    let reason = match state {
        Some(state) => phrase(state).to_owned(),
        // The system's own words are of a fixed set; those of the client library are not repeated.
        None => match system_cause(error) {
            Some(cause) => cause,
            None if encrypted => "no verified connection could be made".to_owned(),
            None => "the server cannot be reached".to_owned(),
        },
    };
    let shown = state.map_or(String::new(), |state| format!(" (SQLSTATE {})", state.code()));
    let Place { address, origin } = place;
    let help = match state.map(SqlState::code) {
        Some("28P01" | "28000") => "check user and password where `[database]` says they are".to_owned(),
        Some("3D000") => "check the name of the database where `[database]` says it is".to_owned(),
        Some(_) => "the server's log says more".to_owned(),
        None if encrypted => {
            format!("check {origin}, and that `ca_file` signed the server's certificate for that host")
        }
        None => format!("check {origin}, and that the server runs there"),
    };
    Problem::failure(format!("the database at {address} cannot be opened: {reason}{shown}"))
        .help(help)
        .coded(Code::DatabaseUnreachable)
}

/// What the operating system says of a connection, such as `connection refused`.
fn system_cause(error: &postgres::Error) -> Option<String> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<std::io::Error>() {
            // Only an error with a number is the system's; any other may hold the text of a library.
            return error.raw_os_error().map(|_| crate::files::cause(error));
        }
        cause = inner.source();
    }
    None
}

fn phrase(state: &SqlState) -> &'static str {
    match state.code() {
        "42501" => "permission denied",
        "42P01" => "there is no such relation",
        "42703" => "there is no such column",
        "42883" => "there is no such function or operator",
        "42601" => "the statement is not SQL",
        "55P03" => "a lock was not granted in time",
        "57014" => "it took longer than allowed",
        "25006" => "it would write, and the session can only read",
        "25P03" => "the session was idle for too long",
        "28P01" => "the password was refused",
        "28000" => "the login was refused",
        "3D000" => "there is no such database",
        "53300" => "the server has no connection left",
        "57P01" | "57P02" => "the server ended the connection",
        "57P03" => "the server is starting up or shutting down",
        code => match code.get(..2) {
            Some("08") => "the connection was lost",
            Some("22") => "a value does not fit its type",
            Some("53") => "the server has not enough resources",
            Some("XX") => "the server has an internal error",
            _ => OTHER,
        },
    }
}

const OTHER: &str = "the server refused";
