//! Password and service files in the forms that libpq reads, refused where others could read them.

use crate::problem::Problem;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Where a connection goes, to find its line in a password file.
#[derive(Debug)]
pub struct Target<'a> {
    pub host: &'a str,
    pub port: u16,
    pub dbname: &'a str,
    pub user: &'a str,
}

/// The password of the first line that matches, from `host:port:database:user:password`.
pub fn password(path: &Path, target: &Target<'_>) -> Result<Option<String>, Problem> {
    let text = private(path)?;
    let port = target.port.to_string();
    let host = if target.host.starts_with('/') { "localhost" } else { target.host };
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields = fields(line);
        let [hosts, ports, dbnames, users, password] = fields.as_slice() else { continue };
        let matches = |field: &str, wanted: &str| field == "*" || field == wanted;
        let host_matches = matches(hosts, host) || hosts == target.host;
        if host_matches && matches(ports, &port) && matches(dbnames, target.dbname) && matches(users, target.user) {
            return Ok(Some(password.clone()));
        }
    }
    Ok(None)
}

/// The keys of one `[service]`.
pub fn service(path: &Path, name: &str) -> Result<BTreeMap<String, String>, Problem> {
    let text = crate::files::read_bytes(path)?;
    let text = String::from_utf8(text)
        .map_err(|_| Problem::failure(format!("the service file `{}` is not UTF-8", path.display())))?;
    let (mut found, mut inside, mut keys) = (false, false, BTreeMap::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = section == name;
            found |= inside;
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            keys.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    if !found {
        return Err(Problem::failure(format!("the service file `{}` has no service of that name", path.display()))
            .help("`service` names one of its sections"));
    }
    if keys.contains_key("password") {
        private(path)?;
    }
    Ok(keys)
}

/// The text of a file that only its owner can read.
fn private(path: &Path) -> Result<String, Problem> {
    let name = path.display();
    let bytes = crate::files::read_bytes(path)?;
    let mode = std::fs::metadata(path).map(|metadata| metadata.mode());
    if mode.is_ok_and(|mode| mode & 0o077 == 0) {
        return String::from_utf8(bytes).map_err(|_| Problem::failure(format!("`{name}` is not UTF-8")));
    }
    Err(Problem::failure(format!("`{name}` holds a password that others may read")).help(format!("chmod 600 {name}")))
}

/// The fields of a line; a backslash takes the meaning from what follows it.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut letters) = (vec![String::new()], line.chars());
    while let Some(letter) = letters.next() {
        let kept = match letter {
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => letters.next(),
            other => Some(other),
        };
        if let Some(field) = fields.last_mut() {
            field.extend(kept);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_takes_the_meaning_from_colons_and_backslashes() {
        assert_eq!(fields(r"h:1:d:u\:v:p\\w\:x"), ["h", "1", "d", "u:v", r"p\w:x"]);
        assert_eq!(fields("h:1:d:u:a:b"), ["h", "1", "d", "u", "a:b"]);
    }
}
