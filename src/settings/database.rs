//! `[database]` of `cutter.toml`: where the parts of a connection stand, by name. A password never stands there itself.

use serde::Deserialize;
use std::path::PathBuf;

/// Where the parts of a connection stand; each `_env` names an environment variable.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// The variable that holds a whole connection string.
    pub url_env: Option<String>,
    /// A host name, or the folder of a Unix socket.
    pub host: Option<String>,
    /// The variable that holds the host.
    pub host_env: Option<String>,
    /// The port; 5432 where nothing is said.
    pub port: Option<u16>,
    /// The variable that holds the port.
    pub port_env: Option<String>,
    /// The login role.
    pub user: Option<String>,
    /// The variable that holds the login role.
    pub user_env: Option<String>,
    /// The database; beside a variable, the only one that it may lead to.
    pub dbname: Option<String>,
    /// The variable that holds the database's name.
    pub dbname_env: Option<String>,
    /// The variable that holds the password.
    pub password_env: Option<String>,
    /// A password file in libpq's form.
    pub passfile: Option<PathBuf>,
    /// A service of `service_file`.
    pub service: Option<String>,
    /// A service file in libpq's form.
    pub service_file: Option<PathBuf>,
    /// The certificates, in PEM, that may have signed the server's; needed where the server is not local.
    pub ca_file: Option<PathBuf>,
    /// For one statement; 300 where nothing is said.
    pub statement_timeout_seconds: Option<u32>,
    /// For a lock that somebody else holds; 1 where nothing is said.
    pub lock_timeout_seconds: Option<u32>,
}
