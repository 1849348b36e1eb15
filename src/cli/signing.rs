//! Signatures that commands make: room for them is looked for first, `ssh-keygen` makes them, and they go into new files.

use crate::files;
use crate::problem::{Code, Coded as _, Problem};
use crate::signature::Fingerprint;
use crate::signature::sign::{Prompts, SSH_KEYGEN, Signed, Signing, sign};
use std::path::Path;

/// Signs exactly these bytes; nothing is stored.
pub fn make(key: &Path, namespace: &str, bytes: &[u8]) -> Result<Signed, Problem> {
    let program = Path::new(SSH_KEYGEN);
    sign(&Signing { program, key, namespace, prompts: Prompts::Person }, bytes).coded(Code::SigningFailed)
}

/// Signs exactly these bytes into a new file; gives the fingerprint of the key.
pub fn make_file(path: &Path, key: &Path, namespace: &str, bytes: &[u8]) -> Result<Fingerprint, Problem> {
    // Before anybody is asked to touch a key.
    files::check_free(path)?;
    let signed = make(key, namespace, bytes)?;
    files::create(path, &signed.text)?;
    Ok(signed.key)
}
