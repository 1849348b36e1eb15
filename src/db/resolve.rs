//! A connection made of what `[database]` of `cutter.toml` names. A password never stands there itself.

use super::passfile::{self, Target};
use super::{Access, Encryption, Limits, Place, can_be_verified};
use crate::problem::Problem;
use crate::settings::database::DatabaseSettings;
use postgres::Config;
use postgres::config::{Host, SslMode};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

/// Makes an access of settings, or says by name what is missing.
pub(super) fn resolve(
    settings: &DatabaseSettings,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Access, Problem> {
    let parts = Parts { settings, variable };
    let mut config = match &settings.url_env {
        Some(name) => parts.whole(name)?,
        None => parts.assemble()?,
    };
    check_named(&config, settings)?;
    // What a connection string would pin is pinned by the session instead.
    config.options("").application_name("cutter-observe").connect_timeout(Duration::from_secs(10));
    let place = place(&config, settings);
    let encryption = encryption(&mut config, settings, &place)?;
    let secret = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    let seconds = |value: Option<u32>, default| Duration::from_secs(u64::from(value.unwrap_or(default).max(1)));
    let statement = seconds(settings.statement_timeout_seconds, 300);
    let limits = Limits {
        statement,
        lock: seconds(settings.lock_timeout_seconds, 1),
        idle: statement + Duration::from_secs(60),
    };
    Ok(Access { config, secret, encryption, limits, place, section: String::new() })
}

/// What the section names is the only thing to which a variable or a service beside it may lead: it is signed with the bundle, and what
/// they hold is not. No value of theirs is repeated; it may be part of a password.
fn check_named(config: &Config, settings: &DatabaseSettings) -> Result<(), Problem> {
    let host = config.get_hosts().first();
    let is_host = |name: &String| match host {
        Some(Host::Tcp(host)) => host == name,
        Some(Host::Unix(folder)) => folder == Path::new(name),
        None => false,
    };
    let origin = |own: &Option<String>| match settings.url_env.as_ref().or(own.as_ref()) {
        Some(name) => format!("the environment variable `{name}`"),
        None => "the service".to_owned(),
    };
    let help = "set it to what is named; that is signed with the bundle";
    // A client goes where this says, whatever the host beside it is.
    if !config.get_hostaddrs().is_empty() && (settings.host.is_some() || matches!(host, Some(Host::Unix(_)))) {
        let message = format!("{} names a `hostaddr`, which leads past the host of `[database]`", origin(&None));
        return Err(Problem::untrusted(message).help("leave `hostaddr` out of the connection string"));
    }
    // A connection string holds host and port, so that whoever names the host means both.
    let is_whole = settings.url_env.is_some() && settings.host.is_some();
    let port = settings.port.or(is_whole.then_some(DEFAULT_PORT));
    let (user, dbname) = (settings.user.as_deref(), settings.dbname.as_deref());
    let parts = [
        ("host", &settings.host_env, settings.host.clone().filter(|name| !is_host(name))),
        ("port", &settings.port_env, port.filter(|port| *port != port_of(config)).map(|port| port.to_string())),
        ("user", &settings.user_env, user.filter(|name| config.get_user() != Some(name)).map(str::to_owned)),
        ("database", &settings.dbname_env, dbname.filter(|name| config.get_dbname() != Some(name)).map(str::to_owned)),
    ];
    for (what, own, named) in parts {
        if let Some(named) = named {
            let message = format!("{} leads to another {what} than that of `[database]`, `{named}`", origin(own));
            return Err(Problem::untrusted(message).help(help));
        }
    }
    Ok(())
}

/// The port to which a connection goes.
pub(super) fn port_of(config: &Config) -> u16 {
    config.get_ports().first().copied().unwrap_or(DEFAULT_PORT)
}

const DEFAULT_PORT: u16 = 5432;

struct Parts<'a> {
    settings: &'a DatabaseSettings,
    variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Parts<'_> {
    /// A connection string from a variable; what is wrong with it is never repeated.
    fn whole(&self, name: &str) -> Result<Config, Problem> {
        let text = self.read(name)?;
        let refused = |what: &str| {
            Problem::failure(format!("the connection string in `{name}` {what}"))
                .help("write postgres://user:password@host:port/database, with every other sign than letters and digits of the password percent-encoded")
        };
        let config = Config::from_str(&text).map_err(|_| refused("cannot be read"))?;
        let [host] = config.get_hosts() else { return Err(refused("must name one host")) };
        if let Host::Tcp(host) = host {
            // A stray sign in a password moves part of it into the host.
            if !can_be_verified(host) {
                return Err(refused("has a host that is not a host name"));
            }
        }
        if config.get_user().is_none() || config.get_dbname().is_none() {
            return Err(refused("must name a user and a database"));
        }
        if config.get_dbname().is_some_and(|name| name.contains(['/', '@', ':', '?', '#'])) {
            return Err(refused("has a database that is not a plain name"));
        }
        Ok(config)
    }

    /// A connection from single parts.
    fn assemble(&self) -> Result<Config, Problem> {
        let settings = self.settings;
        let service = match (&settings.service, &settings.service_file) {
            (Some(name), Some(file)) => passfile::service(file, name)?,
            (None, None) => BTreeMap::new(),
            _ => {
                return Err(Problem::failure("`[database]` has one of `service` and `service_file` without the other"));
            }
        };
        let host = self.part("host", &settings.host, &settings.host_env, &service)?;
        let user = self.part("user", &settings.user, &settings.user_env, &service)?;
        let dbname = self.part("dbname", &settings.dbname, &settings.dbname_env, &service)?;
        let named = settings.port.map(|port| port.to_string()).or_else(|| Some(DEFAULT_PORT.to_string()));
        let default = if settings.port_env.is_some() || service.contains_key("port") { None } else { named };
        let port = self.part("port", &default, &settings.port_env, &service)?;
        let port: u16 = port.parse().map_err(|_| self.no_port(&port))?;
        let mut config = Config::new();
        config.host(&host).port(port).user(&user).dbname(&dbname);
        let target = Target { host: &host, port, dbname: &dbname, user: &user };
        let passfile = settings.passfile.clone().or_else(|| service.get("passfile").map(PathBuf::from));
        let password = match (&settings.password_env, passfile, service.get("password")) {
            (Some(name), _, _) => Some(self.value(name)?),
            (None, Some(file), _) => passfile::password(&file, &target)?,
            (None, None, password) => password.cloned(),
        };
        if let Some(password) = password {
            config.password(password);
        }
        Ok(config)
    }

    /// One part: from its variable, from the settings, or from the service.
    fn part(
        &self,
        what: &str,
        plain: &Option<String>,
        variable: &Option<String>,
        service: &BTreeMap<String, String>,
    ) -> Result<String, Problem> {
        if let Some(name) = variable {
            return self.read(name);
        }
        let value = plain.clone().or_else(|| service.get(what).cloned()).ok_or_else(|| {
            Problem::failure(format!("`[database]` does not say where the {what} is"))
                .help(format!("add `{what}` or `{what}_env`, or `url_env`"))
        })?;
        match value.is_empty() {
            true => {
                Err(Problem::failure(format!("the {what} of `[database]` is empty")).help("write it, or remove it"))
            }
            false => Ok(value),
        }
    }

    /// What is wrong with a port. A value in the wrong variable may be a password, and is not repeated.
    fn no_port(&self, port: &str) -> Problem {
        let origin = match &self.settings.port_env {
            Some(name) => format!("the environment variable `{name}`"),
            None => "`port` of the service".to_owned(),
        };
        let is_secret = port.chars().count() > 8 || self.secret().is_some_and(|secret| secret == port);
        let value = if is_secret { "what".to_owned() } else { format!("`{port}`, which") };
        Problem::failure(format!("{origin} holds {value} is not a port number")).help("write a number from 1 to 65535")
    }

    fn secret(&self) -> Option<String> {
        (self.variable)(self.settings.password_env.as_deref()?)?.into_string().ok()
    }

    /// A variable that must hold something.
    fn read(&self, name: &str) -> Result<String, Problem> {
        let value = self.value(name)?;
        match value.is_empty() {
            true => Err(Problem::failure(format!("the environment variable `{name}` is empty"))
                .help("`[database]` names it; set it, or remove it there")),
            false => Ok(value),
        }
    }

    fn value(&self, name: &str) -> Result<String, Problem> {
        let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !plain || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            // Somebody may have written the value where its name belongs.
            return Err(Problem::failure("an `_env` of `[database]` is not the name of an environment variable")
                .help("write the variable's name, never its value"));
        }
        let value = (self.variable)(name).ok_or_else(|| {
            Problem::failure(format!("the environment variable `{name}` is not set")).help("`[database]` names it")
        })?;
        value.into_string().map_err(|_| Problem::failure(format!("the environment variable `{name}` is not UTF-8")))
    }
}

/// Where a connection goes, and which names say so.
fn place(config: &Config, settings: &DatabaseSettings) -> Place {
    let host = config.get_hosts().first();
    let port = port_of(config);
    let address = match (host, &settings.url_env) {
        // A stray sign in a password moves part of it into the host of a connection string.
        (Some(host), Some(name)) if !is_loopback(host) => format!("the host in `{name}`"),
        (Some(Host::Tcp(host)), _) => format!("{host}:{port}"),
        (Some(Host::Unix(folder)), _) => format!("{}, port {port}", folder.display()),
        (None, _) => format!("port {port}"),
    };
    let variable = |name: &Option<String>, plain: &str, is_plain: bool| match (name, is_plain) {
        (Some(name), _) => format!("the {plain} in `{name}`"),
        (None, true) => format!("the {plain} in `[database]`"),
        (None, false) => format!("the {plain} of the service"),
    };
    let origin = match &settings.url_env {
        Some(name) => format!("host and port in `{name}`"),
        None => format!(
            "{} and {}",
            variable(&settings.host_env, "host", settings.host.is_some()),
            variable(&settings.port_env, "port", settings.port.is_some() || settings.service.is_none())
        ),
    };
    let has_passfile = settings.url_env.is_none() && settings.passfile.is_some();
    Place { address, origin, has_passfile }
}

fn is_loopback(host: &Host) -> bool {
    matches!(host, Host::Tcp(host) if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

/// None for a local server; else verified TLS, or nothing at all.
fn encryption(config: &mut Config, settings: &DatabaseSettings, place: &Place) -> Result<Encryption, Problem> {
    let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)) || is_loopback(host));
    // An address given beside a host name is where the connection really goes.
    let is_local = is_local && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    match &settings.ca_file {
        Some(file) if config.get_hosts().iter().all(|host| matches!(host, Host::Tcp(_))) => {
            config.ssl_mode(SslMode::Require);
            Ok(Encryption::Verified(file.clone()))
        }
        _ if is_local => {
            config.ssl_mode(SslMode::Disable);
            Ok(Encryption::Local)
        }
        _ => {
            let message = format!(
                "the database at {} is not on this machine, and `[database]` names no `ca_file`",
                place.address
            );
            Err(Problem::failure(message).help(format!(
                "check {}; `ca_file` is a PEM file with the certificate that signed the server's, and without it cutter \
                 connects to this machine only",
                place.origin
            )))
        }
    }
}
