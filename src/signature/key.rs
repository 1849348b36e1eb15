//! Public keys that may sign, read in the one encoding OpenSSH writes, and the fingerprints that name them.

use super::wire::{Reader, decode_base64};
use crate::digest::Digest;
use base64ct::{Base64Unpadded, Encoding as _};
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, SkEcdsaSha2NistP256, SkEd25519};
use std::fmt;

/// The kinds of key that may sign. RSA and the larger curves are left out: one strong form of each is enough.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyKind {
    /// Ed25519, held in a file or an agent.
    Ed25519,
    /// ECDSA on the curve P-256, held in a file or an agent.
    EcdsaP256,
    /// Ed25519, held in a FIDO security key.
    SkEd25519,
    /// ECDSA on the curve P-256, held in a FIDO security key.
    SkEcdsaP256,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ed25519, Self::EcdsaP256, Self::SkEd25519, Self::SkEcdsaP256];

    /// The name OpenSSH gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// Whether the private key is held in a FIDO security key, whose signatures say if a person was present.
    pub fn is_security_key(self) -> bool {
        matches!(self, Self::SkEd25519 | Self::SkEcdsaP256)
    }

    /// Whether a word is the type of a key, be it one that may sign or not.
    pub(super) fn is_type(word: &str) -> bool {
        word.ends_with(CERTIFICATE) || OTHER_TYPES.contains(&word) || Self::ALL.iter().any(|kind| kind.name() == word)
    }

    pub(super) fn named(name: &str) -> Result<Self, KeyError> {
        if name.ends_with(CERTIFICATE) {
            return Err(KeyError::Certificate(shown(name)));
        }
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| KeyError::Kind(shown(name)))
    }
}

/// Why a public key is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// A kind of key that may not sign.
    #[error("a key of type `{0}` may not sign")]
    Kind(String),
    /// A certificate in place of a key.
    #[error("`{0}` is a certificate, and certificates may not sign")]
    Certificate(String),
    /// The type beside the key is not the type inside it.
    #[error("the key is written as `{0}` but is of another type")]
    OtherKind(&'static str),
    /// Not the encoding OpenSSH writes.
    #[error("the key is not encoded as OpenSSH writes it")]
    Encoding,
    /// Not a point of its curve, or one under which anybody can sign.
    #[error("the key is not a sound point of its curve")]
    Point,
}

impl KeyError {
    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Kind(_) => {
                "keys may be `ssh-ed25519`, `ecdsa-sha2-nistp256`, `sk-ssh-ed25519@openssh.com` or \
                 `sk-ecdsa-sha2-nistp256@openssh.com`"
            }
            Self::Certificate(_) => "name the plain key, from the `.pub` file without `-cert`",
            Self::OtherKind(_) | Self::Encoding | Self::Point => "copy the whole line of the `.pub` file again",
        }
    }
}

/// A public key that may sign.
///
/// INVARIANT: equal keys have equal `blob`s, since [`PublicKey::decode`] takes one encoding only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PublicKey {
    kind: KeyKind,
    blob: Vec<u8>,
    data: KeyData,
}

impl PublicKey {
    /// Reads the type and base64 fields of a `.pub` file.
    pub(super) fn parse(kind: &str, base64: &str) -> Result<Self, KeyError> {
        let kind = KeyKind::named(kind)?;
        let key = Self::decode(&decode_base64(base64).ok_or(KeyError::Encoding)?)?;
        if key.kind == kind { Ok(key) } else { Err(KeyError::OtherKind(kind.name())) }
    }

    /// Reads the binary form.
    pub(super) fn decode(blob: &[u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(blob);
        let name = reader.string().and_then(|name| std::str::from_utf8(name).ok()).ok_or(KeyError::Encoding)?;
        let kind = KeyKind::named(name)?;
        let point = match kind {
            KeyKind::Ed25519 | KeyKind::SkEd25519 => edwards_point(&mut reader)?,
            KeyKind::EcdsaP256 | KeyKind::SkEcdsaP256 => p256_point(&mut reader)?,
        };
        let data = match (kind, point) {
            (KeyKind::SkEd25519, KeyData::Ed25519(point)) => SkEd25519::new(point, application(&mut reader)?).into(),
            (KeyKind::SkEcdsaP256, KeyData::Ecdsa(EcdsaPublicKey::NistP256(point))) => {
                SkEcdsaSha2NistP256::new(point, application(&mut reader)?).into()
            }
            (_, plain) => plain,
        };
        reader.finish(Self { kind, blob: blob.to_vec(), data }).ok_or(KeyError::Encoding)
    }

    pub(super) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(super) fn data(&self) -> &KeyData {
        &self.data
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.blob)
    }
}

/// The sha-256 digest of a public key, as `ssh-keygen -l` shows it. Two keys are the same key when it is equal.
///
/// ```
/// use cutter::signature::Fingerprint;
/// let text = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
/// assert_eq!(Fingerprint::parse(text).unwrap().to_string(), text);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// Reads `SHA256:` and 43 characters of base64 without padding; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Base64Unpadded::decode_vec(text.strip_prefix("SHA256:")?).ok()?;
        Some(Self(Digest::from_bytes(bytes.try_into().ok()?)))
    }

    pub(super) fn of(blob: &[u8]) -> Self {
        Self(Digest::of(blob))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", Base64Unpadded::encode_string(self.0.bytes()))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that may come from an adversary, safe to show: short, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_default).collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        short.push('…');
    }
    short
}

fn edwards_point(reader: &mut Reader<'_>) -> Result<KeyData, KeyError> {
    let bytes: [u8; 32] = reader.string().and_then(|point| point.try_into().ok()).ok_or(KeyError::Encoding)?;
    let point = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Point)?;
    if point.is_weak() { Err(KeyError::Point) } else { Ok(KeyData::Ed25519(Ed25519PublicKey(bytes))) }
}

fn p256_point(reader: &mut Reader<'_>) -> Result<KeyData, KeyError> {
    let (curve, point) = (reader.string(), reader.string());
    // The compressed form is a second encoding of the same key, and OpenSSH refuses it too.
    let (Some(b"nistp256"), Some(point @ [UNCOMPRESSED, ..])) = (curve, point) else {
        return Err(KeyError::Encoding);
    };
    p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| KeyError::Point)?;
    EcdsaPublicKey::from_sec1_bytes(point).map(KeyData::Ecdsa).map_err(|_| KeyError::Encoding)
}

fn application(reader: &mut Reader<'_>) -> Result<String, KeyError> {
    let application = reader.string().and_then(|text| std::str::from_utf8(text).ok()).ok_or(KeyError::Encoding)?;
    let sound = !application.is_empty() && application.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(application.to_owned()) } else { Err(KeyError::Encoding) }
}

const CERTIFICATE: &str = "-cert-v01@openssh.com";
const OTHER_TYPES: [&str; 5] =
    ["ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"];
const UNCOMPRESSED: u8 = 4;
const SHOWN_CHARACTERS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::Base64;

    fn blob(strings: &[&[u8]]) -> Vec<u8> {
        strings.iter().flat_map(|text| [&u32::try_from(text.len()).unwrap().to_be_bytes(), *text].concat()).collect()
    }

    #[test]
    fn other_kinds_of_key_are_refused_by_name() {
        for name in ["ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "x"] {
            assert_eq!(PublicKey::parse(name, "AAAA"), Err(KeyError::Kind(name.to_owned())));
        }
        let certificate = "ssh-ed25519-cert-v01@openssh.com";
        assert_eq!(PublicKey::parse(certificate, "AAAA"), Err(KeyError::Certificate(certificate.to_owned())));
    }

    #[test]
    fn a_key_under_which_anybody_can_sign_is_refused() {
        let identity = [&[1][..], &[0; 31]].concat();
        assert_eq!(PublicKey::decode(&blob(&[b"ssh-ed25519", &identity])), Err(KeyError::Point));
    }

    #[test]
    fn a_key_off_its_curve_compressed_or_with_bytes_to_spare_is_refused() {
        let point = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let point = point.verifying_key().to_encoded_point(false);
        let good = blob(&[b"ecdsa-sha2-nistp256", b"nistp256", point.as_bytes()]);
        assert!(PublicKey::decode(&good).is_ok());
        let off = [&point.as_bytes()[..64], &[point.as_bytes()[64] ^ 1]].concat();
        let off = blob(&[b"ecdsa-sha2-nistp256", b"nistp256", &off]);
        assert_eq!(PublicKey::decode(&off), Err(KeyError::Point));
        let compressed = blob(&[b"ecdsa-sha2-nistp256", b"nistp256", point.compress().as_bytes()]);
        assert_eq!(PublicKey::decode(&compressed), Err(KeyError::Encoding));
        assert_eq!(PublicKey::decode(&[good.clone(), vec![0]].concat()), Err(KeyError::Encoding));
        let text = Base64::encode_string(&good);
        assert_eq!(PublicKey::parse("ssh-ed25519", &text), Err(KeyError::OtherKind("ssh-ed25519")));
    }

    #[test]
    fn a_fingerprint_in_another_form_is_refused() {
        let good = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        let stray_bit = good.replace("uFU", "uFV");
        let others = [good.replace("SHA", "sha"), format!("{good}="), format!("{good}A"), good.replace(':', "")];
        for text in others.into_iter().chain([stray_bit, good.replace("SHA256", "SHA512")]) {
            assert_eq!(Fingerprint::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn hostile_text_is_shown_short_and_escaped() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}"), "a\\u{1b}[2J\\u{202e}");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN_CHARACTERS + 1);
    }
}
