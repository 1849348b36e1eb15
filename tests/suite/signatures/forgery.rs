//! Signatures put together by hand, with software keys that can play FIDO security keys.

use crate::signatures::bench::{signers, string};
use base64ct::{Base64, Encoding as _};
use cutter::digest::Digest;
use cutter::signature::{AllowedSigners, KeyKind};
use ed25519_dalek::Signer as _;

pub const MESSAGE: &[u8] = b"{\"id\":\"SG_1\"}\n";
pub const NAMESPACE: &str = "cutter-approval";

/// What goes into a signature (PROTOCOL.sshsig, PROTOCOL.u2f). The namespace, hash and flags are signed as they stand.
#[derive(Clone)]
pub struct Forgery {
    pub kind: KeyKind,
    pub version: u32,
    pub namespace: &'static str,
    pub reserved: &'static str,
    pub hash: &'static str,
    pub signature_type: String,
    pub flags: u8,
    pub after_inner: &'static [u8],
    pub after_all: &'static [u8],
}

impl Forgery {
    pub fn good(kind: KeyKind) -> Self {
        let signature_type = kind.name().to_owned();
        let (after_inner, after_all): (&[u8], &[u8]) = (b"", b"");
        let (namespace, reserved, hash) = (NAMESPACE, "", "sha256");
        Self { kind, version: 1, namespace, reserved, hash, signature_type, flags: 1, after_inner, after_all }
    }

    fn key(&self) -> Vec<u8> {
        let mut key = string(self.kind.name());
        match self.kind {
            KeyKind::Ed25519 | KeyKind::SkEd25519 => key.extend(string(edwards().verifying_key().as_bytes())),
            KeyKind::EcdsaP256 | KeyKind::SkEcdsaP256 => {
                let point = p256().verifying_key().to_encoded_point(false);
                key.extend([string("nistp256"), string(point.as_bytes())].concat());
            }
        }
        if self.kind.is_security_key() {
            key.extend(string("ssh:"));
        }
        key
    }

    pub fn blob(&self) -> Vec<u8> {
        let digest = Digest::of(MESSAGE);
        let head = |reserved: &str| [string(self.namespace), string(reserved), string(self.hash)].concat();
        let signed = [&b"SSHSIG"[..], &head(""), &string(digest.bytes())].concat();
        let presence = [&[self.flags][..], &7u32.to_be_bytes()].concat();
        let signed = match self.kind.is_security_key() {
            true => [Digest::of(b"ssh:").bytes(), &presence[..], Digest::of(&signed).bytes()].concat(),
            false => signed,
        };
        let signature = match self.kind {
            KeyKind::Ed25519 | KeyKind::SkEd25519 => edwards().sign(&signed).to_bytes().to_vec(),
            KeyKind::EcdsaP256 | KeyKind::SkEcdsaP256 => {
                let signature: p256::ecdsa::Signature = p256().sign(&signed);
                let (r, s) = signature.split_bytes();
                [mpint(&r), mpint(&s)].concat()
            }
        };
        let mut inner = [string(&self.signature_type), string(signature)].concat();
        if self.kind.is_security_key() {
            inner.extend(presence);
        }
        inner.extend(self.after_inner);
        let start = [&b"SSHSIG"[..], &self.version.to_be_bytes(), &string(self.key())].concat();
        [start, head(self.reserved), string(inner), self.after_all.to_vec()].concat()
    }

    pub fn line(&self) -> String {
        format!("o9 namespaces=\"{NAMESPACE}\" {} {}\n", self.kind.name(), Base64::encode_string(&self.key()))
    }

    pub fn signers(&self) -> AllowedSigners {
        signers(&self.line())
    }
}

fn edwards() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[3; 32])
}

fn p256() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap()
}

fn mpint(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap();
    let digits = &bytes[start..];
    string(if digits[0] >= 0x80 { [&[0], digits].concat() } else { digits.to_vec() })
}
