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
    Access::resolve(settings, "[database]", &|name| std::env::var_os(name)).coded(Code::DatabaseSettings)
}

/// The name of the database that `[database]` names, or to which its variables lead now.
pub fn database_name(config: &Config) -> Result<String, Problem> {
    Ok(access(config)?.database().unwrap_or_default().to_owned())
}

/// How a role of `[connections]` reaches the database.
pub fn role_access(config: &Config, role: &str) -> Result<Access, Problem> {
    let section = format!("[connections.{role}]");
    let settings = config.connections.get(role).ok_or_else(|| {
        Problem::invalid(format!("`cutter.toml` has no `{section}`"))
            .help("add it: how that role reaches the database")
            .coded(Code::ConfigInvalid)
    })?;
    Access::resolve(settings, &section, &|name| std::env::var_os(name)).coded(Code::DatabaseSettings)
}
