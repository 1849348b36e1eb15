//! Making a detached signature: `ssh-keygen` signs, so that agents and FIDO keys work; cutter checks and stores it.

use super::key::{Fingerprint, shown};
use super::ssh::Claim;
use crate::problem::Problem;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What to sign with, what for, and where the signature goes.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The `ssh-keygen` to call: a path, or a name that is looked up in `PATH`. Usually [`SSH_KEYGEN`].
    pub program: &'a Path,
    /// A private key, or a public key whose private half an agent holds.
    pub key: &'a Path,
    /// What the signature is for.
    pub namespace: &'a str,
    /// The file that gets the signature. It must not exist.
    pub output: &'a Path,
    /// Who sees what `ssh-keygen` says, such as "touch the key".
    pub prompts: Prompts,
}

/// Where the messages of `ssh-keygen` go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prompts {
    /// To the standard error stream, for the person at the terminal.
    Person,
    /// Into the problem, if there is one.
    Problem,
}

/// Signs exactly these bytes and stores the signature in a new file; gives the fingerprint of the key.
pub fn sign(signing: &Signing<'_>, message: &[u8]) -> Result<Fingerprint, Problem> {
    // Before anybody is asked to touch a key.
    if signing.output.symlink_metadata().is_ok() {
        return Err(exists(signing.output));
    }
    let armored = call(signing, message)?;
    let fingerprint = examine(signing, message, &armored)?;
    store(signing.output, &armored)?;
    Ok(fingerprint)
}

/// The usual `ssh-keygen`.
pub const SSH_KEYGEN: &str = "ssh-keygen";

fn call(signing: &Signing<'_>, message: &[u8]) -> Result<Vec<u8>, Problem> {
    let (program, key) = (signing.program.display(), signing.key.display());
    let output = run(signing, message).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::failure(format!("`{program}` is not installed"))
            .help("install the OpenSSH client, on Debian with `apt-get install openssh-client`"),
        _ => Problem::failure(format!("`{program}` could not be called: {error}")),
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or(match signing.prompts {
        Prompts::Person => "it says why above",
        Prompts::Problem => "it did not say why",
    });
    let message = format!("`{program}` did not sign with the key `{key}`: {}", shown(last.trim()));
    Err(Problem::failure(message).help("try `ssh-add -l` for keys of an agent, and plug in and touch a security key"))
}

/// The bytes go in by a pipe: what was read once is what gets signed, whatever happens to the file meanwhile.
fn run(signing: &Signing<'_>, message: &[u8]) -> io::Result<Output> {
    let errors = match signing.prompts {
        Prompts::Person => Stdio::inherit(),
        Prompts::Problem => Stdio::piped(),
    };
    let mut child = Command::new(signing.program)
        .args(["-Y", "sign", "-n", signing.namespace, "-f"])
        .arg(signing.key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()?;
    // A child that refuses early closes its end; its exit status then says more than the broken pipe.
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(message));
    let output = child.wait_with_output()?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe || output.status.success() => Err(error),
        _ => Ok(output),
    }
}

/// Refuses a signature that nobody would accept later.
fn examine(signing: &Signing<'_>, message: &[u8], armored: &[u8]) -> Result<Fingerprint, Problem> {
    let key = signing.key.display();
    let claim = Claim::read(armored)
        .and_then(|claim| claim.check(message).map(|()| claim))
        .map_err(|rejection| Problem::failure(format!("the key `{key}` cannot be used: {}", rejection.detail())))?;
    if claim.namespace != signing.namespace {
        let message = format!("`{}` signed for `{}`", signing.program.display(), shown(&claim.namespace));
        return Err(Problem::failure(message));
    }
    if claim.presence.is_none() {
        let message = format!("the security key `{key}` signed without anybody touching it");
        return Err(Problem::failure(message).help("make a key without the option `no-touch-required`"));
    }
    Ok(claim.key.fingerprint())
}

/// Writes beside, syncs, and gives the file its name only if nobody else has taken it.
fn store(output: &Path, content: &[u8]) -> Result<(), Problem> {
    let beside = beside(output);
    let written = write_new(&beside, content).and_then(|()| fs::hard_link(&beside, output));
    // Nothing depends on it any more, and the next attempt uses another name.
    let _ = fs::remove_file(&beside);
    written.and_then(|()| sync_folder(output)).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(output),
        _ => Problem::failure(format!("the signature `{}` could not be written: {error}", output.display())),
    })
}

fn beside(output: &Path) -> PathBuf {
    let mut name = output.file_name().map_or_else(OsString::new, OsString::from);
    name.push(format!(".{}.new", std::process::id()));
    output.with_file_name(name)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn exists(output: &Path) -> Problem {
    Problem::failure(format!("the signature `{}` exists already", output.display()))
        .help("move it away if it is not wanted; cutter never overwrites a signature")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signing<'a>(program: &'a str, output: &'a Path) -> Signing<'a> {
        let (program, key) = (Path::new(program), Path::new("key"));
        Signing { program, key, namespace: "cutter-approval", output, prompts: Prompts::Problem }
    }

    fn said(program: &str, output: &Path, message: &[u8]) -> String {
        sign(&signing(program, output), message).unwrap_err().message
    }

    #[test]
    fn a_missing_ssh_keygen_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let problem = sign(&signing("no-such-ssh-keygen", &folder.path().join("a.sig")), b"").unwrap_err();
        assert_eq!(problem.message, "`no-such-ssh-keygen` is not installed");
        assert!(problem.help.is_some_and(|help| help.contains("openssh-client")));
    }

    #[test]
    fn a_program_that_fails_or_does_not_sign_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("a.sig");
        assert!(said("false", &output, &[0; 1 << 20]).ends_with("it did not say why"));
        assert!(said("true", &output, b"").contains("does not begin with the line"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_signature_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("a.sig");
        fs::write(&output, "precious").unwrap();
        assert!(said("no-such-ssh-keygen", &output, b"").ends_with("exists already"));
        assert!(store(&output, b"other").unwrap_err().message.ends_with("exists already"));
        assert_eq!(fs::read_to_string(&output).unwrap(), "precious");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_dangling_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("a.sig");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &output).unwrap();
        assert!(store(&output, b"x").unwrap_err().message.ends_with("exists already"));
    }
}
