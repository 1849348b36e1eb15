//! Making a detached signature: `ssh-keygen` signs, so that agents and FIDO keys work; cutter checks it. It stores nothing.

use super::key::{Fingerprint, shown};
use super::ssh::Claim;
use crate::problem::Problem;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What to sign with, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The `ssh-keygen` to call: a path, or a name that is looked up in `PATH`. Usually [`SSH_KEYGEN`].
    pub program: &'a Path,
    /// A private key, or a public key whose private half an agent holds.
    pub key: &'a Path,
    /// What the signature is for.
    pub namespace: &'a str,
    /// Who sees what `ssh-keygen` says, such as "touch the key".
    pub prompts: Prompts,
}

/// Where the messages of `ssh-keygen` go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prompts {
    /// To the standard error stream, for the person at the terminal.
    Person,
    /// Into the problem, if there is one.
    #[cfg_attr(not(feature = "internals"), expect(dead_code, reason = "tests alone sign without a person"))]
    Problem,
}

/// A signature that was made.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The armored signature, as `ssh-keygen` writes it.
    pub text: Vec<u8>,
    /// The key that made it.
    pub key: Fingerprint,
}

/// Signs exactly these bytes.
pub fn sign(signing: &Signing<'_>, message: &[u8]) -> Result<Signed, Problem> {
    let text = call(signing, message)?;
    let key = examine(signing, message, &text)?;
    Ok(Signed { text, key })
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
        .args(["-q", "-Y", "sign", "-n", signing.namespace, "-f"])
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(program: &str, message: &[u8]) -> Problem {
        let (program, key) = (Path::new(program), Path::new("key"));
        let signing = Signing { program, key, namespace: "cutter-approval", prompts: Prompts::Problem };
        sign(&signing, message).unwrap_err()
    }

    #[test]
    fn a_missing_ssh_keygen_is_said() {
        let problem = refused("no-such-ssh-keygen", b"");
        assert_eq!(problem.message, "`no-such-ssh-keygen` is not installed");
        assert!(problem.help.is_some_and(|help| help.contains("openssh-client")));
    }

    #[test]
    fn a_program_that_fails_or_does_not_sign_gives_no_signature() {
        assert!(refused("false", &[0; 1 << 20]).message.ends_with("it did not say why"));
        assert!(refused("true", b"").message.contains("does not begin with the line"));
    }
}
