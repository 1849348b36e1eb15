//! The keys that lost the right to sign: a plain list, kept where the author of a run cannot change it.

use super::key::{Fingerprint, KeyError, KeyKind, PublicKey};
use super::lines::{Part, contents};
use super::wire::{Reader, decode_base64};
use crate::problem::{Problem, Problems, Source};
use std::collections::BTreeSet;

/// Keys whose signatures are not accepted, whoever they belong to.
///
/// Each line is a public key as a `.pub` file has it, which `ssh-keygen -Y verify -r` takes too, or its `SHA256:`
/// fingerprint; a comment may follow. Revoking a key that may not sign anyhow, such as an RSA key, is no mistake.
///
/// ```
/// use cutter::problem::Source;
/// use cutter::signature::Revocations;
/// let source = Source::new("revoked", "# lost in May\nSHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n");
/// assert!(Revocations::parse(&source).is_ok());
/// assert!(Revocations::parse(&Source::new("revoked", "SHA256:oops\n")).is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Revocations(BTreeSet<Fingerprint>);

impl Revocations {
    /// No key is revoked.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a whole list; a line that is not understood might be the one that counts, so nothing of it is used then.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        if source.text().starts_with("SSHKRL\n") {
            let message = format!("`{}` is a binary revocation list of OpenSSH", source.name());
            let help = "list the keys as text, one public key or `SHA256:` fingerprint a line";
            return Err(Problem::invalid(message).of(source).help(help).into());
        }
        let mut problems = Problems::new();
        let lines = contents(source, &mut problems);
        let keys = lines.into_iter().filter_map(|line| problems.absorb(read_line(source, line))).collect();
        problems.or(Self(keys))
    }

    /// The keys of both lists.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether this key is revoked.
    pub fn contains(&self, key: Fingerprint) -> bool {
        self.0.contains(&key)
    }
}

fn read_line(source: &Source, line: Part<'_>) -> Result<Fingerprint, Problems> {
    let (kind, rest) = line.word();
    let (base64, _comment) = rest.word();
    if kind.text.starts_with("SHA256:") {
        let problem = || Problem::invalid("the fingerprint is not one that `ssh-keygen -l` shows");
        let help = "`SHA256:` must be followed by 43 characters of base64";
        return Fingerprint::parse(kind.text).ok_or_else(|| problem().at(source, kind.span()).help(help).into());
    }
    fingerprint(kind.text, base64.text)
        .map_err(|error| Problem::invalid(error.to_string()).at(source, line.span()).help(FORM).into())
}

fn fingerprint(kind: &str, base64: &str) -> Result<Fingerprint, KeyError> {
    match PublicKey::parse(kind, base64) {
        Ok(key) => Ok(key.fingerprint()),
        // A key that cannot sign may be listed all the same, but not a word that nobody knows, or half a key.
        Err(error @ KeyError::Kind(_)) if KeyKind::is_type(kind) => {
            let blob = decode_base64(base64).ok_or(KeyError::Encoding)?;
            if Reader::new(&blob).string() == Some(kind.as_bytes()) { Ok(Fingerprint::of(&blob)) } else { Err(error) }
        }
        Err(error) => Err(error),
    }
}

const FORM: &str = "a line is a public key, as a `.pub` file has it, or its `SHA256:` fingerprint";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const FINGERPRINT: &str = "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ";

    fn parse(text: &str) -> Result<Revocations, Problems> {
        Revocations::parse(&Source::new("revoked", text))
    }

    #[test]
    fn a_key_and_its_fingerprint_revoke_the_same() {
        let by_key = parse(&format!("# lost\n\n{KEY} a comment\n")).unwrap();
        assert_eq!(by_key, parse(&format!("{FINGERPRINT} lost\n")).unwrap());
        assert!(by_key.contains(Fingerprint::parse(FINGERPRINT).unwrap()));
        assert!(!by_key.contains(Fingerprint::of(b"")));
    }

    #[test]
    fn a_key_that_may_not_sign_can_be_listed() {
        assert!(parse("ssh-rsa AAAAB3NzaC1yc2E= old").is_ok());
    }

    #[test]
    fn a_line_that_is_not_understood_is_refused() {
        for line in [
            "x",
            "ssh-ed25519",
            "ssh-rsa",
            "ssh-rsa AAAA",
            "ssh-foo AAAAB3NzaC1yc2E=",
            "ssh-ed25519 AAAA",
            "SHA256:",
            "SHA256:UCUiLr7P",
            "MD5:00",
            "SSHKRL\n\0",
            "a ssh-ed25519 AAAA",
            "ssh-dss AAAAB3NzaC1yc2E=",
            &KEY.replace("qti", "qt"),
            &format!("{FINGERPRINT}="),
            &format!("key: {KEY}"),
            "ssh-ed25519-cert-v01@openssh.com AAAA",
            &format!("{KEY}\r\n"),
            &format!("@revoked {KEY}"),
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
