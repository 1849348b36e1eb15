//! `cutter observe`: a process of another user that observes runs beside them; what they ask for says neither what nor how.

pub mod kept;
mod service;
mod station;
pub mod wire;

pub use station::Station;

use super::evidence::configuration;
use super::shared::clock::system_time;
use super::shared::exit::{CommandResult, Exit};
use super::shared::output::OutputArguments;
use super::shared::signing;
use crate::files::cause;
use crate::layout::printable;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::runtime::told_to_stop;
use crate::trust::RunningUser;
use clap::Args;
use kept::check_owner;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args, Debug)]
pub struct Arguments {
    /// The configuration, the same as that of the runs: `[observer]` says where it is asked and where it keeps what it sees,
    /// `[database]` and `[evidence]` what to observe
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
    /// Sign all that is seen: a private key, or a public key whose private half an agent holds
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// A user whose runs are observed; may be given several times
    #[arg(long = "for", value_name = "USER", required = true)]
    users: Vec<String>,
    /// Look so often as a witness
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    every: u64,
}

impl Arguments {
    pub fn run(&self, output: &OutputArguments) -> CommandResult {
        let (config, _) = configuration(&self.config)?;
        let settings = config.observer.as_ref();
        let Some((settings, (socket, user))) = settings.and_then(|settings| Some((settings, settings.other()?))) else {
            return Err(Problem::invalid(format!("`{}` has no `[observer]` with a socket", self.config.display()))
                .help("add `folder`, `socket` and `user`")
                .coded(Code::ConfigInvalid)
                .into());
        };
        let own = RunningUser::of_this_process()?;
        if own.name() != user {
            return Err(Problem::invalid(format!("the observer is `{user}`, and this is `{}`", own.name()))
                .help("start it as that user, or name another in [observer]")
                .coded(Code::ObserverUntrusted)
                .into());
        }
        signing::check_key(&self.key)?;
        check_owner(&settings.folder, &own)?;
        let mut may_ask = Vec::new();
        for name in &self.users {
            let user = RunningUser::of_name(name).coded(Code::ObserverUntrusted)?;
            if user == own {
                return Err(Problem::invalid(format!("`{name}` cannot be observed by itself")).into());
            }
            may_ask.push(user.id());
        }
        let listener = listen(socket, &own)?;
        let station = Station::new(self.config.clone(), Some(self.key.clone()), Duration::from_millis(self.every));
        let told = told_to_stop()?;
        let say = |what: &str| {
            let time = system_time().map(|time| time.to_string()).unwrap_or_default();
            output.say(&format!("{time}  {}\n", printable(what)));
        };
        say(&format!("observes at {}", socket.display()));
        let served = service::serve(&listener, &station, &may_ask, &told, &say);
        drop(fs::remove_file(socket));
        let mut problems = Problems::new();
        problems.absorb(served.map_err(Problems::from));
        problems.absorb(station.close_all());
        problems.or((String::new(), Exit::Authorized))
    }
}

/// Listens where only the process's own group may connect; a socket that somebody left behind is taken away.
fn listen(socket: &Path, own: &RunningUser) -> Result<UnixListener, Problem> {
    let failed = |error: &std::io::Error| {
        Problem::failure(format!("the socket `{}` cannot be made: {}", socket.display(), cause(error)))
    };
    if let Some(folder) = socket.parent() {
        check_owner(folder, own)?;
    }
    match fs::symlink_metadata(socket) {
        Ok(found) if found.file_type().is_socket() && found.uid() == own.id() => {
            if UnixStream::connect(socket).is_ok() {
                return Err(Problem::failure(format!("another observer listens at `{}`", socket.display())));
            }
            fs::remove_file(socket).map_err(|error| failed(&error))?;
        }
        Ok(_) => {
            return Err(Problem::failure(format!("`{}` is there, and is no socket of this user", socket.display())));
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(socket).map_err(|error| failed(&error))?;
    fs::set_permissions(socket, Permissions::from_mode(0o660)).map_err(|error| failed(&error))?;
    Ok(listener)
}
