//! The file of a key that is to sign, looked at before `ssh-keygen` is: whether it is there, what it is, who can read it.

use super::wire::{Reader, decode_base64};
use crate::problem::Problem;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What the file of a key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFile {
    /// A private key that anybody who reads the file can use.
    Plain,
    /// A private key under a passphrase.
    Encrypted,
    /// A public key, whose private half an agent or a security key holds.
    Public,
    /// Something that only `ssh-keygen` can judge.
    Other,
}

impl KeyFile {
    /// Looks at a key; a file that no signature can come from is a problem.
    pub fn look(path: &Path) -> Result<Self, Problem> {
        let name = path.display();
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::failure(format!("the key `{name}` does not exist"))
                .help("name a private key, or a public key whose private half an agent holds"),
            _ => unreadable(path, &error),
        })?;
        if !metadata.is_file() {
            return Err(
                Problem::failure(format!("the key `{name}` is not a regular file")).help("name the file of a key")
            );
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(LARGEST_KEY).read_to_end(&mut bytes));
        read.map_err(|error| unreadable(path, &error))?;
        let text = String::from_utf8_lossy(&bytes);
        let kind = kind(text.trim_start()).ok_or_else(|| {
            Problem::failure(format!("`{name}` is neither a private nor a public SSH key"))
                .help("`--key` names the file that `ssh-keygen` made, such as `~/.ssh/id_ed25519`")
        })?;
        // OpenSSH asks the same, and would show a page about it.
        let is_own = metadata.uid() == rustix::process::getuid().as_raw();
        if !matches!(kind, Self::Public) && is_own && metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o7777;
            return Err(Problem::failure(format!("others can read the private key `{name}` (mode {mode:04o})"))
                .help(format!("`chmod 600 {name}`; and take a new key if somebody may have read it")));
        }
        Ok(kind)
    }
}

fn kind(text: &str) -> Option<KeyFile> {
    match text.strip_prefix(BEGIN) {
        Some(body) => Some(match cipher(body).as_deref() {
            Some("none") => KeyFile::Plain,
            Some(_) => KeyFile::Encrypted,
            None => KeyFile::Other,
        }),
        None if text.starts_with("-----BEGIN ") && text.contains("PRIVATE KEY") => Some(KeyFile::Other),
        None if is_public(text) => Some(KeyFile::Public),
        None => None,
    }
}

/// The cipher that OpenSSH's form names in its first field, after the magic.
fn cipher(body: &str) -> Option<String> {
    let base64: String = body.lines().take_while(|line| !line.starts_with("-----")).collect();
    let bytes = decode_base64(&base64)?;
    let mut reader = Reader::new(bytes.strip_prefix(MAGIC)?);
    String::from_utf8(reader.string()?.to_vec()).ok()
}

fn is_public(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| first.starts_with(prefix))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::failure(format!("the key `{}` cannot be read: {}", path.display(), crate::files::cause(error)))
}

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// No key is larger, in bytes.
const LARGEST_KEY: u64 = 64 * 1024;
