//! Plain Ed25519 signatures (RFC 8032) over exact bytes, for envelopes that other tools read (DSSE). Who may sign is said by
//! the same allowed signers; what is signed must say by itself what it is for.

use super::allowed_signers::{AllowedSigner, AllowedSigners};
use super::key::{Fingerprint, KeyKind};
use super::rejection::{Rejection, RejectionCode, RejectionReason};
use super::revocation::Revocations;
use super::ssh::{Presence, Signer};
use crate::time::Timestamp;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ssh_key::public::KeyData;

/// Accepts a signature of 64 bytes by any signer who may sign in this namespace at this time, or says why not.
pub fn verify_plain(
    namespace: &str,
    message: &[u8],
    signature: &[u8],
    signers: &AllowedSigners,
    revocations: &Revocations,
    at: Timestamp,
) -> Result<Signer, Rejection> {
    let Ok(signature) = <[u8; 64]>::try_from(signature) else {
        return Err(Rejection::bad_signature("a plain signature has 64 bytes"));
    };
    let signature = Signature::from_bytes(&signature);
    let made_it = |line: &&AllowedSigner| match line.key().data() {
        KeyData::Ed25519(key) => {
            VerifyingKey::from_bytes(&key.0).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
        }
        _ => false,
    };
    let lines: Vec<&AllowedSigner> = signers.iter().filter(made_it).collect();
    let Some(first) = lines.first() else {
        let detail = format!("no key of `{}` made this signature over these bytes", signers.name());
        return Err(Rejection::one(RejectionCode::UnknownSigner, detail));
    };
    let key = first.fingerprint();
    let revoked = revocations.contains(key).then(|| RejectionReason {
        code: RejectionCode::Revoked,
        detail: format!("the key `{key}` of `{}` was revoked", first.principal()),
    });
    let faults = first.fault(&lines, Some(namespace), at).into_iter().chain(revoked).collect();
    match Rejection::of(faults) {
        Some(rejection) => Err(rejection),
        None => Ok(Signer {
            principal: first.principal().to_owned(),
            namespace: namespace.to_owned(),
            key,
            kind: KeyKind::Ed25519,
            presence: Presence::Unstated,
        }),
    }
}

/// An Ed25519 key of an unencrypted OpenSSH file; other keys make SSH signatures alone.
pub struct PlainKey {
    key: SigningKey,
    fingerprint: Fingerprint,
}

impl PlainKey {
    /// Reads the content of a private key's file; `None` where it is of another kind, encrypted, or no private key.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let key = ssh_key::PrivateKey::from_openssh(content).ok()?;
        let pair = key.key_data().ed25519()?;
        let fingerprint = Fingerprint::of(&key.public_key().to_bytes().ok()?);
        Some(Self { key: SigningKey::from_bytes(&pair.private.to_bytes()), fingerprint })
    }

    /// The key's fingerprint, as OpenSSH shows it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Signs exactly these bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a private key")
    }
}
