//! Who is running, by the effective user id: what the kernel says, never what the environment says.

use super::guarded;
use crate::problem::{Problem, Problems};
use std::path::Path;

/// A user of the operating system, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunningUser {
    name: String,
    id: u32,
}

impl RunningUser {
    /// The user whose rights this process has.
    ///
    /// The name comes from `/etc/passwd` alone: a user whom only a directory service knows has none.
    pub fn of_this_process() -> Result<Self, Problems> {
        refuse_own_namespace()?;
        Self::of_id(rustix::process::geteuid().as_raw())
    }

    /// The user of this id on this machine.
    pub fn of_id(id: u32) -> Result<Self, Problems> {
        let bytes = guarded::read_bytes(Path::new(PASSWD), "the list of users").map_err(Problems::into_untrusted)?;
        Ok(Self::named(id, &bytes)?)
    }

    /// The user of this id in the text of a `passwd` file; an id with no name, or with two, is nobody.
    pub fn named(id: u32, passwd: &[u8]) -> Result<Self, Problem> {
        let mut names = passwd.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b':');
            let (name, user) = (fields.next()?, fields.nth(1)?);
            let user: u32 = std::str::from_utf8(user).ok()?.parse().ok()?;
            (user == id).then(|| std::str::from_utf8(name).ok().filter(|name| !name.is_empty())).flatten()
        });
        let help = "run as a user of its own, with one line in `/etc/passwd`";
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(Self { name: name.to_owned(), id }),
            (None, _) => Err(Problem::untrusted(format!("user {id} has no name in `{PASSWD}`")).help(help)),
            (Some(first), Some(second)) => {
                let message = format!("user {id} has two names in `{PASSWD}`, `{first}` and `{second}`");
                Err(Problem::untrusted(message).help(help))
            }
        }
    }

    /// The user of this name on this machine.
    pub fn of_name(name: &str) -> Result<Self, Problems> {
        let bytes = guarded::read_bytes(Path::new(PASSWD), "the list of users").map_err(Problems::into_untrusted)?;
        let fields = bytes.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b':'));
        let mut ids = fields.filter_map(|mut fields| {
            let is_it = fields.next()? == name.as_bytes();
            std::str::from_utf8(fields.nth(1)?).ok()?.parse::<u32>().ok().filter(|_| is_it)
        });
        match (ids.next(), ids.next()) {
            // Whoever has the id has one name only.
            (Some(id), None) => Self::of_id(id),
            _ => Err(Problem::untrusted(format!("`{PASSWD}` has not exactly one user `{name}`"))
                .help("name a user of its own, with one line there")
                .into()),
        }
    }

    /// The number that the kernel knows the user by.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// In a user namespace of its own anybody is root, and anybody's file belongs to root.
fn refuse_own_namespace() -> Result<(), Problem> {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if map.split_whitespace().eq(["0", "0", "4294967295"]) {
        return Ok(());
    }
    Err(Problem::untrusted("this process has a user namespace of its own, in which it may claim to be any user")
        .help("run it outside of `unshare -U` and of containers that map users"))
}

const PASSWD: &str = "/etc/passwd";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"root:x:0:0::/root:/bin/sh\n\xff:x:7:7:::\ntoor:x:0:0:::\na:x:5:6:::\n+::::::\nb\n:x:8:8:::\n";

    #[test]
    fn an_id_with_one_name_is_that_user() {
        assert_eq!(RunningUser::named(5, TEXT).unwrap().name(), "a");
    }

    #[test]
    fn an_id_with_no_name_or_two_is_nobody() {
        for id in [0, 6, 7, 8] {
            assert!(RunningUser::named(id, TEXT).is_err(), "{id}");
        }
    }
}
