//! The DSSE envelope v1 (<https://github.com/secure-systems-lab/dsse>): a payload, its type, and plain Ed25519 signatures
//! over both.

use crate::problem::{Problem, Source};
use crate::signature::{AllowedSigners, PlainKey, Rejection, Revocations, Signer, verify_plain};
use crate::time::Timestamp;
use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};

/// A signed payload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Envelope {
    /// The payload's bytes in base64 (RFC 4648, section 4).
    payload: String,
    /// The media type of the payload.
    #[serde(rename = "payloadType")]
    payload_type: String,
    /// Signatures over the pre-authentication encoding.
    signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct EnvelopeSignature {
    /// A hint which key made it; nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    /// The 64 bytes in base64.
    sig: String,
}

impl Envelope {
    /// Signs a payload of this type.
    pub fn sign(payload: &[u8], payload_type: &str, keys: &[PlainKey]) -> Self {
        let message = pre_authentication_encoding(payload_type, payload);
        let signatures = keys.iter().map(|key| EnvelopeSignature {
            keyid: Some(key.fingerprint().to_string()),
            sig: Base64::encode_string(&key.sign(&message)),
        });
        Self {
            payload: Base64::encode_string(payload),
            payload_type: payload_type.to_owned(),
            signatures: signatures.collect(),
        }
    }

    /// Its exact text.
    pub fn text(&self) -> Result<String, Problem> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n")
            .map_err(|error| Problem::failure(format!("the envelope has no JSON form: {error}")))
    }

    /// Reads an envelope; a text that differs from its own encoding is refused.
    pub fn parse(source: &Source) -> Result<Self, Problem> {
        let refused = |cause: &str| {
            Problem::untrusted(format!("`{}` is not a DSSE envelope: {cause}", source.name()))
                .help("an envelope is written in one way only; take the file that was published")
        };
        let envelope: Self = serde_json::from_str(source.text()).map_err(|error| refused(&error.to_string()))?;
        if envelope.text()? != source.text() {
            return Err(refused("it is not written as cutter writes it"));
        }
        if envelope.bytes().is_none() {
            return Err(refused("its payload is not base64"));
        }
        Ok(envelope)
    }

    /// The type of the payload.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload; `None` where it is not base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        Base64::decode_vec(&self.payload).ok()
    }

    /// What became of each signature.
    pub fn verify(
        &self,
        namespace: &str,
        signers: &AllowedSigners,
        revocations: &Revocations,
        at: Timestamp,
    ) -> Vec<Result<Signer, Rejection>> {
        let message = pre_authentication_encoding(&self.payload_type, &self.bytes().unwrap_or_default());
        let judge = |one: &EnvelopeSignature| {
            // What is no base64 has not the length of a signature either.
            let signature = Base64::decode_vec(&one.sig).unwrap_or_default();
            verify_plain(namespace, &message, &signature, signers, revocations, at)
        };
        self.signatures.iter().map(judge).collect()
    }
}

/// What is signed: `DSSEv1 LEN(type) type LEN(body) body`, lengths in decimal bytes (DSSE protocol, section "PAE").
///
/// ```
/// use cutter::attestation::envelope::pre_authentication_encoding;
/// let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
/// assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
/// ```
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend(payload);
    encoded
}

/// The media type of in-toto statements in envelopes.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
