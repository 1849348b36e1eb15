//! How to reach the database that the configuration names.

use crate::db::Access;
use crate::problem::{Code, Coded as _, Problem};
use crate::settings::Config;

/// How to reach the database that the configuration names.
pub fn access(config: &Config) -> Result<Access, Problem> {
    let settings = config.database.as_ref().ok_or_else(|| {
        Problem::invalid("`cutter.toml` has no `[database]`")
            .help("add it with `url_env = \"NAME\"`: the environment variable that holds the connection string")
            .coded(Code::ConfigInvalid)
    })?;
    Access::resolve(settings, &|name| std::env::var_os(name)).coded(Code::DatabaseSettings)
}

/// How a role of `[connections]` reaches the database.
pub fn role_access(config: &Config, role: &str) -> Result<Access, Problem> {
    let settings = config.connections.get(role).ok_or_else(|| {
        Problem::invalid(format!("`cutter.toml` has no `[connections.{role}]`"))
            .help("add it: how that role reaches the database")
            .coded(Code::ConfigInvalid)
    })?;
    Access::resolve(settings, &|name| std::env::var_os(name)).coded(Code::DatabaseSettings)
}
