//! Bytes that somebody signed, judged under a trust root; the messages say what they are and how to sign them again.

use super::{SignatureFile, TrustRoot};
use crate::problem::{Problem, Problems};
use crate::signature::{RejectionCode, Revocations, Signer, verify};
use crate::time::Timestamp;

/// What is signed, and what messages call it.
pub(super) struct Signed<'a> {
    pub(super) what: &'static str,
    pub(super) command: &'static str,
    pub(super) namespace: &'static str,
    pub(super) bytes: &'a [u8],
}

impl Signed<'_> {
    /// Who signed it, or every reason why nobody counts.
    pub(super) fn signer(
        &self,
        trust: &TrustRoot,
        signature: &SignatureFile,
        revocations: &Revocations,
        now: Timestamp,
    ) -> Result<Signer, Problems> {
        let path = signature.path().display();
        let Some(content) = signature.bytes() else {
            let message = format!("{} is not signed: `{path}` does not exist", self.what);
            return Err(Problem::untrusted(message).help(format!("have it signed with `{}`", self.command)).into());
        };
        verify(self.namespace, self.bytes, content, trust.signers(), revocations, now).map_err(|rejection| {
            let mut problems = Problems::new();
            for fault in rejection.faults() {
                let message = format!("the signature `{path}` of {} is not accepted: {}", self.what, fault.detail);
                problems.push(Problem::untrusted(message).help(self.help(fault.code, trust.name())));
            }
            problems
        })
    }

    fn help(&self, code: RejectionCode, trust: &str) -> String {
        let Self { what, command, namespace, .. } = self;
        match code {
            RejectionCode::BadSignature => {
                format!(
                    "find out what changed since {what} was signed; if all of it is wanted, sign again with `{command}`"
                )
            }
            RejectionCode::WrongNamespace => {
                format!("sign with `{command}`, or with `ssh-keygen -Y sign -n {namespace}`")
            }
            RejectionCode::UnknownSigner => {
                format!("have it signed by somebody whom `{trust}` allows to; only root can change that file")
            }
            RejectionCode::SignerExpired => format!("have {what} signed with a key that is valid now"),
            RejectionCode::NoPresence => "sign again and touch the security key".to_owned(),
            RejectionCode::Revoked => format!("review {what} again and have it signed with another key"),
        }
    }
}
