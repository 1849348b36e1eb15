//! Whose signature it is: one detached SSH signature judged against the signers, the revocations and a time.
//!
//! A signature brings its public key along. That key only says what to look up; trust comes from the signers alone.

use super::allowed_signers::{AllowedSigner, AllowedSigners};
use super::key::{Fingerprint, KeyKind, PublicKey, shown};
use super::rejection::{Rejection, RejectionCode, RejectionReason};
use super::revocation::Revocations;
use super::wire::{Reader, dearmor};
use crate::time::Timestamp;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, Signature, SshSig};

/// Who made a signature that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signer {
    /// The name, exactly as the signers file has it. Count persons by it.
    pub principal: String,
    /// The namespace that was signed.
    pub namespace: String,
    /// The key that signed. Equal keys have equal fingerprints.
    pub key: Fingerprint,
    /// The kind of that key.
    pub kind: KeyKind,
    /// What the key says about a person being there.
    pub presence: Presence,
}

/// What a signature says about a person being there when it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Presence {
    /// Nothing: the key is held in a file or an agent, where programs can use it.
    Unstated,
    /// Somebody touched the FIDO security key.
    Touched,
    /// Somebody touched the FIDO security key and proved to it who they are, by PIN or fingerprint.
    Verified,
}

/// Accepts a detached signature over the exact bytes of `message` in exactly this namespace, or says why not.
///
/// `signature` is the content of a `.sig` file. It does not matter when the signature was made: `at`, the time of use,
/// must lie within the times of the signer.
pub fn verify(
    namespace: &str,
    message: &[u8],
    signature: &[u8],
    signers: &AllowedSigners,
    revocations: &Revocations,
    at: Timestamp,
) -> Result<Signer, Rejection> {
    verify_one_of(&[namespace], message, signature, signers, revocations, at)
}

/// Accepts a signature in one of several namespaces; [`Signer::namespace`] says in which. The signer must be allowed to
/// sign in that one.
pub fn verify_one_of(
    namespaces: &[&str],
    message: &[u8],
    signature: &[u8],
    signers: &AllowedSigners,
    revocations: &Revocations,
    at: Timestamp,
) -> Result<Signer, Rejection> {
    let claim = Claim::read(signature)?;
    claim.check(message)?;
    let lines: Vec<&AllowedSigner> = signers.of_key(&claim.key).collect();
    let faults = [
        claim.namespace_fault(namespaces),
        claim.signer_fault(&lines, signers.name(), namespaces, at),
        claim.presence_fault(),
        claim.revocation_fault(revocations),
    ];
    match (Rejection::of(faults.into_iter().flatten().collect()), lines.first(), claim.presence) {
        (None, Some(line), Some(presence)) => Ok(Signer {
            principal: line.principal().to_owned(),
            namespace: claim.namespace,
            key: claim.key.fingerprint(),
            kind: claim.key.kind(),
            presence,
        }),
        (Some(rejection), _, _) => Err(rejection),
        (None, _, _) => Err(Rejection::bad_signature("the signature could not be judged")),
    }
}

/// The key that a detached signature brings along, whatever it is worth; none where it is no signature.
pub fn key_of(signature: &[u8]) -> Option<Fingerprint> {
    Claim::read(signature).ok().map(|claim| claim.key.fingerprint())
}

/// What a signature says of itself, read from the one encoding OpenSSH writes.
pub(super) struct Claim {
    pub(super) key: PublicKey,
    pub(super) namespace: String,
    /// `None` if a FIDO security key did not see anybody.
    pub(super) presence: Option<Presence>,
    hash: HashAlg,
    signature: Signature,
}

impl Claim {
    /// Reads a `.sig` file. Nothing is checked against any bytes yet.
    pub(super) fn read(armored: &[u8]) -> Result<Self, Rejection> {
        if armored.len() > SIGNATURE_BYTES {
            let detail = format!("the signature is larger than {SIGNATURE_BYTES} bytes");
            return Err(Rejection::bad_signature(detail));
        }
        let blob = dearmor(armored).map_err(|cause| Rejection::bad_signature(format!("the signature {cause}")))?;
        let (key, rest) = Self::split(&blob).ok_or_else(|| Rejection::bad_signature(NOT_ENCODED))?;
        let key = PublicKey::decode(key)
            .map_err(|error| Rejection::bad_signature(format!("the key of the signature is refused: {error}")))?;
        Self::of(key, rest).ok_or_else(|| Rejection::bad_signature(NOT_ENCODED))
    }

    /// The key and what comes behind it.
    fn split(blob: &[u8]) -> Option<(&[u8], Reader<'_>)> {
        let mut reader = Reader::new(blob);
        let right_version = reader.take()? == *b"SSHSIG" && reader.uint32()? == 1;
        let key = reader.string()?;
        right_version.then_some((key, reader))
    }

    fn of(key: PublicKey, mut reader: Reader<'_>) -> Option<Self> {
        let namespace = String::from_utf8(reader.string()?.to_vec()).ok().filter(|name| !name.is_empty())?;
        let reserved = reader.string()?;
        let hash = match reader.string()? {
            b"sha256" => HashAlg::Sha256,
            b"sha512" => HashAlg::Sha512,
            _ => return None,
        };
        let mut inner = Reader::new(reader.string()?);
        let mut of_key = reserved.is_empty();
        // INVARIANT: the signature is of its key's own kind; `ssh-key` does not compare the two for every kind.
        of_key &= inner.string()? == key.kind().name().as_bytes();
        let mut bytes = inner.string()?.to_vec();
        let mut presence = Some(Presence::Unstated);
        if key.kind().is_security_key() {
            let [flags, counter @ ..] = inner.take::<5>()?;
            presence = presence_of(flags);
            bytes.push(flags);
            bytes.extend(counter);
        }
        let signature = Signature::new(algorithm(key.kind()), bytes).ok()?;
        reader.finish(())?;
        inner.finish(())?;
        of_key.then_some(Self { key, namespace, presence, hash, signature })
    }

    /// Whether the key that the signature brings along made it over these bytes.
    pub(super) fn check(&self, message: &[u8]) -> Result<(), Rejection> {
        let key = ssh_key::PublicKey::from(self.key.data().clone());
        SshSig::new(self.key.data().clone(), self.namespace.as_str(), self.hash, self.signature.clone())
            .and_then(|signature| key.verify(&self.namespace, message, &signature))
            .map_err(|_| Rejection::bad_signature("the signature is not over these bytes"))
    }

    fn namespace_fault(&self, wanted: &[&str]) -> Option<RejectionReason> {
        let detail = || {
            let wanted: Vec<String> = wanted.iter().map(|name| format!("`{name}`")).collect();
            format!("the signature is for `{}`, not for {}", shown(&self.namespace), wanted.join(" or "))
        };
        (!self.is_for(wanted)).then(|| RejectionReason { code: RejectionCode::WrongNamespace, detail: detail() })
    }

    fn signer_fault(
        &self,
        lines: &[&AllowedSigner],
        file: &str,
        wanted: &[&str],
        at: Timestamp,
    ) -> Option<RejectionReason> {
        let key = self.key.fingerprint();
        let Some(first) = lines.first() else {
            return Some(RejectionReason {
                code: RejectionCode::UnknownSigner,
                detail: format!("the key `{key}` is not in `{file}`"),
            });
        };
        // What the signer may do in a namespace that nobody asked about is beside the point.
        let namespace = self.is_for(wanted).then_some(self.namespace.as_str());
        first.fault(lines, namespace, at)
    }

    fn presence_fault(&self) -> Option<RejectionReason> {
        let detail = || format!("the security key `{}` signed without anybody touching it", self.key.fingerprint());
        self.presence.is_none().then(|| RejectionReason { code: RejectionCode::NoPresence, detail: detail() })
    }

    fn revocation_fault(&self, revocations: &Revocations) -> Option<RejectionReason> {
        let key = self.key.fingerprint();
        revocations
            .contains(key)
            .then(|| RejectionReason { code: RejectionCode::Revoked, detail: format!("the key `{key}` was revoked") })
    }

    fn is_for(&self, wanted: &[&str]) -> bool {
        wanted.contains(&self.namespace.as_str())
    }
}

/// The flags of a FIDO security key: bit 0 says that it was touched, bit 2 that it knew who touched it.
fn presence_of(flags: u8) -> Option<Presence> {
    match (flags & TOUCHED != 0, flags & VERIFIED != 0) {
        (false, _) => None,
        (true, false) => Some(Presence::Touched),
        (true, true) => Some(Presence::Verified),
    }
}

fn algorithm(kind: KeyKind) -> Algorithm {
    match kind {
        KeyKind::Ed25519 => Algorithm::Ed25519,
        KeyKind::EcdsaP256 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        KeyKind::SkEd25519 => Algorithm::SkEd25519,
        KeyKind::SkEcdsaP256 => Algorithm::SkEcdsaSha2NistP256,
    }
}

const TOUCHED: u8 = 1;
const VERIFIED: u8 = 4;
const SIGNATURE_BYTES: usize = 16 << 10;
const NOT_ENCODED: &str = "the signature is not encoded as OpenSSH encodes it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_random_and_huge_signatures_are_bad_signatures() {
        for text in [vec![], vec![0xff; 100], vec![b'-'; 10 << 20], b"-----BEGIN SSH SIGNATURE-----\n".to_vec()] {
            assert_eq!(Claim::read(&text).err().map(|rejection| rejection.code()), Some(RejectionCode::BadSignature));
        }
    }

    #[test]
    fn only_bit_zero_says_that_somebody_was_there() {
        assert_eq!([0, 4, 0x80, 0xfe].map(presence_of), [None; 4]);
        assert_eq!([1, 0x09].map(presence_of), [Some(Presence::Touched); 2]);
        assert_eq!(presence_of(5), Some(Presence::Verified));
    }
}
