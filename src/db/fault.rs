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
        let was_cancelled = *told.code() == SqlState::QUERY_CANCELED && told.message().contains("user request");
        let reason = match detailed && safe {
            _ if was_cancelled => "somebody cancelled it".to_owned(),
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

    /// Whether no later statement of the session can work. A statement may also fail at the connection to another server.
    pub fn is_final(&self) -> bool {
        *self == Self::lost()
            || self.sqlstate.as_deref().is_some_and(|state| {
                state.starts_with("57") && state != SqlState::QUERY_CANCELED.code() || state == "25P03"
            })
    }

    /// Whether what was looked at went away meanwhile, so that a later look may work.
    pub fn is_transient(&self) -> bool {
        self.sqlstate.as_deref() == Some(SqlState::INTERNAL_ERROR.code())
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
    let Place { address, origin, has_passfile } = place;
    let (reason, help) = match (state, client_cause(error, *has_passfile)) {
        (Some(state), _) => refused(state, error),
        (None, Some((reason, help))) => (reason.to_owned(), help.to_owned()),
        // The system's own words are of a fixed set; those of the client library are not repeated.
        (None, None) => match (system_cause(error), encrypted) {
            (None, true) => (
                "no verified connection could be made".to_owned(),
                format!("check {origin}, and that `ca_file` signed the server's certificate for that host"),
            ),
            (cause, _) => (
                cause.unwrap_or_else(|| "the server cannot be reached".to_owned()),
                format!("check {origin}, and that the server runs there"),
            ),
        },
    };
    let shown = state.map_or(String::new(), |state| format!(" (SQLSTATE {})", state.code()));
    Problem::failure(format!("the database at {address} cannot be opened: {reason}{shown}"))
        .help(help)
        .coded(Code::DatabaseUnreachable)
}

/// That a server took the connection, and said nothing.
pub(super) fn silent(place: &Place) -> Problem {
    let Place { address, origin, .. } = place;
    Problem::failure(format!("the database at {address} cannot be opened: it took the connection and does not answer"))
        .help(format!("look whether the server is stopped, or what lies before it is stuck; check {origin}"))
        .coded(Code::DatabaseUnreachable)
}

/// What a server that answered says, and what to do about it.
fn refused(state: &SqlState, error: &postgres::Error) -> (String, String) {
    let told = error.as_db_error();
    // The name of the file, and of the server's own routine, are the same in every language of its messages.
    let by_file = told.is_some_and(|told| told.message().contains("pg_hba.conf"));
    let routine = told.and_then(|told| told.routine()).unwrap_or_default();
    let (reason, help) = match (state.code(), routine) {
        ("28000", _) if by_file => (
            "the server's pg_hba.conf allows no connection from here as this user, with or without encryption as it is",
            "add a line to pg_hba.conf for this user, database and address, or set `ca_file` where it asks for TLS",
        ),
        ("28000", "InitializeSessionUserId") => (
            "there is no such role, or it may not log in",
            "check the user where `[database]` says it is, and that the role has LOGIN",
        ),
        ("28000", "ClientAuthentication") => (
            "the server requires a client certificate, and cutter has none",
            "let it ask for a password instead, in pg_hba.conf",
        ),
        ("28000", _) => (
            "the login was refused",
            "check user and password where `[database]` says they are; with `peer` or `ident` in pg_hba.conf the role \
             must be that of the system's user",
        ),
        ("28P01", _) => (
            phrase(state),
            "check user and password where `[database]` says they are, and that the password is still valid",
        ),
        ("3D000", _) => (phrase(state), "check the name of the database where `[database]` says it is"),
        ("42501", "CheckMyDatabase") => ("the role may not connect to the database", "GRANT CONNECT ON DATABASE to it"),
        ("55000", "CheckMyDatabase") => {
            ("the database does not accept connections", "ALTER DATABASE ... ALLOW_CONNECTIONS")
        }
        ("53300", "InitializeSessionUserId") => (
            "the role has as many connections as its CONNECTION LIMIT allows",
            "cutter needs one, and one more for each of `workers`",
        ),
        ("53300", "CheckMyDatabase") => (
            "the database has as many connections as its CONNECTION LIMIT allows",
            "cutter needs one, and one more for each of `workers`",
        ),
        _ => (phrase(state), "the server's log says more"),
    };
    (reason.to_owned(), help.to_owned())
}

/// What the client itself found wrong, by the kind of its error, and what to do about it.
fn client_cause(error: &postgres::Error, has_passfile: bool) -> Option<(&'static str, &'static str)> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        let inside = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inside = inside.map(|inside| inside as &(dyn std::error::Error + 'static));
        for found in [Some(inner), inside].into_iter().flatten() {
            if let Some(rustls::Error::InvalidCertificate(wrong)) = found.downcast_ref::<rustls::Error>() {
                return Some(certificate_cause(wrong));
            }
        }
        match inner.to_string().as_str() {
            "password missing" if has_passfile => {
                return Some((
                    "the server requires a password, and the password file has none for this host, port, database and user",
                    "add a line `host:port:database:user:password` to it; a socket's host is `localhost`",
                ));
            }
            "password missing" => {
                return Some((
                    "the server requires a password, and none is configured",
                    "add `password_env` or `passfile` to `[database]`",
                ));
            }
            text if text.starts_with("failed to lookup address") => {
                return Some((
                    "its host has no address: the name is not known",
                    "check the host, and the names that this machine knows",
                ));
            }
            text if text.contains("server does not support TLS") => {
                return Some((
                    "the server does not offer TLS",
                    "switch `ssl` on there, or name a socket or a local address",
                ));
            }
            _ => {}
        }
        cause = inner.source();
    }
    None
}

fn certificate_cause(wrong: &rustls::CertificateError) -> (&'static str, &'static str) {
    use rustls::CertificateError as Wrong;
    match wrong {
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => (
            "the server's certificate is for another name than the host that `[database]` names",
            "name the host as the certificate does",
        ),
        Wrong::UnknownIssuer => (
            "the server's certificate was not signed by any certificate in `ca_file`",
            "put the certificate of its issuer into `ca_file`",
        ),
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            ("the server's certificate has expired", "renew it on the server")
        }
        _ => ("the server's certificate is not valid", "check it and `ca_file`"),
    }
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
        "57014" => "it took longer than `statement_timeout_seconds` allows",
        "25006" => "it would write, and the session can only read",
        "25P03" => "the session was idle for too long",
        "28P01" => "the password was refused",
        "3D000" => "there is no such database",
        "53300" => "the server has no connection left",
        "57P01" | "57P02" => "the server ended the connection",
        "57P03" => "the server is starting up or shutting down",
        code => match code.get(..2) {
            Some("08") => "a connection of the server to another one failed",
            Some("22") => "a value does not fit its type",
            Some("53") => "the server has not enough resources",
            Some("XX") => "the server has an internal error",
            _ => OTHER,
        },
    }
}

const OTHER: &str = "the server refused";
