//! Signatures that commands make: key and room are looked at first, `ssh-keygen` makes them, they go into new files, and a signer
//! whom nobody listed is said.

use super::clock::system_time;
use super::ledger::NamedLedger;
use super::output::OutputArguments;
use super::trust::TrustArguments;
use crate::digest::Digest;
use crate::files::{self, Output};
use crate::ledger::{Record, Vote};
use crate::problem::{Code, Coded as _, Problem, Problems, Source};
use crate::signature::sign::{Prompts, SSH_KEYGEN, Signed, Signing, sign};
use crate::signature::{APPROVAL, AllowedSigners, Fingerprint, KeyFile, REJECT, Revocations, verify_one_of};
use crate::trust::SignatureFile;
use std::path::{Path, PathBuf};

/// Signs exactly these bytes; nothing is stored.
pub fn make(key: &Path, namespace: &str, bytes: &[u8]) -> Result<Signed, Problem> {
    let kind = check_key(key)?;
    let program = Path::new(SSH_KEYGEN);
    let signed = sign(&Signing { program, key, namespace, prompts: Prompts::Person }, bytes);
    let signed = signed.map_err(|problem| match kind {
        KeyFile::Encrypted if !is_attended() => encrypted(key),
        _ => problem,
    });
    signed.coded(Code::SigningFailed)
}

/// Signs exactly these bytes into a new file; gives the fingerprint of the key.
pub fn make_file(path: &Path, key: &Path, namespace: &str, bytes: &[u8]) -> Result<Fingerprint, Problem> {
    // Before anybody is asked to touch a key.
    files::check_free(path)?;
    let signed = make(key, namespace, bytes)?;
    files::create(path, &signed.text)?;
    Ok(signed.key)
}

/// The same into a file that takes the place of the one there.
pub fn replace_file(path: &Path, key: &Path, namespace: &str, bytes: &[u8]) -> Result<Fingerprint, Problem> {
    files::check(path)?;
    let signed = make(key, namespace, bytes)?;
    files::write_together(&[Output::replacing(path, signed.text)])?;
    Ok(signed.key)
}

/// Writes a result together with the signature over it, which goes into a new file beside it.
pub fn write_signed(result: Output, key: &Path, namespace: &str) -> Result<(), Problem> {
    let signed = make(key, namespace, result.bytes())?;
    let signature = Output::new_file(SignatureFile::path_beside(result.path())?, signed.text);
    files::write_together(&[result, signature])
}

/// Keeps a vote in the ledger that its document names, where nobody who runs the plan can take it away; gives its record's number.
pub fn lodge(
    named: &NamedLedger,
    id: &str,
    document: &Source,
    signature: &Path,
    signers: &AllowedSigners,
) -> Result<u64, Problems> {
    let ledger = named.store();
    if ledger.id()?.is_none_or(|ours| ours.to_string() != id) {
        let message = format!("`{}` is not the ledger `{id}`, which the document names", ledger.name());
        return Err(Problem::failure(message).coded(Code::LedgerMissing).into());
    }
    let (text, bytes) = (files::read(signature)?, document.text().as_bytes());
    let (namespaces, now) = ([APPROVAL, REJECT], system_time()?);
    verify_one_of(&namespaces, bytes, text.text().as_bytes(), signers, &Revocations::none(), now)
        .map_err(|rejection| Problem::untrusted(format!("the vote would not count: {rejection}")))?;
    let vote = Vote { approval: Digest::of(bytes), signature: text.text().to_owned() };
    Ok(ledger.note(&Record::Vote(vote))?)
}

/// Whether the key can sign here, as far as its file and the surroundings show; said before any work.
pub fn check_key(key: &Path) -> Result<KeyFile, Problem> {
    usable(key).coded(Code::SigningFailed)
}

fn usable(key: &Path) -> Result<KeyFile, Problem> {
    let kind = KeyFile::look(key)?;
    let has_agent = is_set("SSH_AUTH_SOCK");
    match kind {
        KeyFile::Encrypted if !has_agent && !is_attended() => Err(encrypted(key)),
        KeyFile::Public if !has_agent => {
            let private: PathBuf = key.with_extension("");
            let help = match key.extension().is_some_and(|extension| extension == "pub") && private.is_file() {
                true => format!("name the private key, `{}`", private.display()),
                false => "name the private key, or start an agent that holds it: `ssh-add KEY`".to_owned(),
            };
            let message =
                format!("`{}` is a public key, and no agent is here that holds its private half", key.display());
            Err(Problem::failure(message).help(help))
        }
        kind => Ok(kind),
    }
}

fn encrypted(key: &Path) -> Problem {
    let name = key.display();
    Problem::failure(format!("the key `{name}` is encrypted, and nobody is here to type its passphrase"))
        .help(format!("`ssh-add {name}` first, or sign at a terminal"))
}

/// Whether somebody can type a passphrase.
fn is_attended() -> bool {
    std::fs::File::open("/dev/tty").is_ok() || is_set("SSH_ASKPASS")
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Says of a signature whose key nobody listed that it will not count.
pub fn warn_of_stranger(signers: &AllowedSigners, key: Fingerprint, namespace: &str, output: &OutputArguments) {
    let lines: Vec<_> = signers.iter().filter(|signer| signer.fingerprint() == key).collect();
    let may_sign = lines.iter().any(|signer| signer.namespaces().iter().any(|listed| listed == namespace));
    let (cause, help) = match lines.first() {
        None => (
            format!("nobody in `{}` has the key {key}", signers.name()),
            "have its public half listed there, or sign with a key that is",
        ),
        Some(_) if may_sign => return,
        Some(first) => (
            format!("`{}` does not let `{}` sign for `{namespace}`", signers.name(), first.principal()),
            "have the namespace added there, or sign with another key",
        ),
    };
    output.warn(&Problem::untrusted(format!("the signature will not count: {cause}")).help(help).into());
}

/// The same for what the trust root judges, revoked keys included; where none is at hand, nothing can be said.
pub fn warn_of_distrusted(trust: &TrustArguments, key: Fingerprint, namespace: &str, output: &OutputArguments) {
    if trust.revocations().is_ok_and(|revocations| revocations.contains(key)) {
        let message = format!("the signature will not count: the key {key} was revoked");
        output.warn(&Problem::untrusted(message).help("sign with another key").into());
    }
    if trust.is_there() {
        match trust.load() {
            Ok(root) => warn_of_stranger(root.signers(), key, namespace, output),
            Err(problems) => output.warn(&problems),
        }
    }
}
