//! Who vouches for evidence, and whether that is somebody else than those whose work it shows.

use super::signed::Signed;
use super::{SignatureFile, TrustRoot};
use crate::problem::Problems;
use crate::signature::{self, Revocations, Signer};
use crate::time::Timestamp;
use cedar_policy::EntityUid;
use std::collections::BTreeSet;

/// Who signed evidence, by the trust root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceSigner {
    /// The name and the key.
    pub signer: Signer,
    /// The entity that the trust root binds the name to, where it says so.
    pub entity: Option<EntityUid>,
}

/// Whose signature over these bytes of evidence this is, at `now`, the time of use; none where there is no signature.
///
/// `bytes` are the whole file as it was read, be it a capture or the record of a witness.
pub fn judge_evidence(
    trust: &TrustRoot,
    bytes: &[u8],
    signature: &SignatureFile,
    revocations: &Revocations,
    now: Timestamp,
) -> Result<Option<EvidenceSigner>, Problems> {
    if signature.bytes().is_none() {
        return Ok(None);
    }
    let signed = Signed {
        what: "the evidence",
        command: "cutter evidence capture --sign",
        namespace: signature::EVIDENCE,
        bytes,
    };
    let signer = signed.signer(trust, signature, revocations, now)?;
    let entity = trust.entity_of_signer(&signer.principal).cloned();
    Ok(Some(EvidenceSigner { signer, entity }))
}

impl EvidenceSigner {
    /// Why such evidence is only what a run says of itself (`self_reported`); none where somebody else vouches for it
    /// (`measured`).
    ///
    /// `parties` are the plan's author, its principals, and the principal of whoever is running.
    pub fn interest(&self, parties: &BTreeSet<&EntityUid>) -> Option<String> {
        let name = &self.signer.principal;
        match &self.entity {
            Some(entity) if parties.contains(entity) => {
                Some(format!("it is signed by `{name}`, who is `{entity}` and takes part in the run"))
            }
            Some(_) => None,
            // Nobody says that it is not one of them.
            None => Some(format!("it is signed by `{name}`, whom the trust root does not identify")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Source;
    use crate::signature::sign::{Prompts, SSH_KEYGEN, Signing, sign};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    const EVIDENCE: &[u8] = b"{}\n";

    /// A folder with a key and the evidence, which the key has signed.
    struct Desk(tempfile::TempDir);

    impl Desk {
        fn new(namespace: &str) -> Self {
            let desk = Self(tempfile::tempdir().unwrap());
            let key = desk.path("key");
            let made =
                Command::new(SSH_KEYGEN).args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key).status();
            assert!(made.unwrap().success());
            let program = Path::new(SSH_KEYGEN);
            let signed = sign(&Signing { program, key: &key, namespace, prompts: Prompts::Problem }, EVIDENCE).unwrap();
            std::fs::write(desk.path("capture.json.sig"), signed.text).unwrap();
            desk
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn judge(&self, bytes: &[u8], more: &str) -> Result<Option<EvidenceSigner>, Problems> {
            let key = std::fs::read_to_string(self.path("key.pub")).unwrap();
            let text = format!("observer namespaces=\"cutter-evidence\" {}\n{more}", key.trim());
            let trust = TrustRoot::parse(&Source::new("trusted_signers", text)).unwrap();
            let signature = SignatureFile::beside(&self.path("capture.json")).unwrap();
            let now = Timestamp::parse("2026-05-21T08:15:00Z").unwrap();
            judge_evidence(&trust, bytes, &signature, &Revocations::none(), now)
        }
    }

    #[test]
    fn evidence_is_measured_if_its_signer_is_known_and_takes_no_part() {
        let desk = Desk::new(signature::EVIDENCE);
        let (run, other) = ("Cutter::Agent::\"builder\"".parse().unwrap(), "Cutter::Agent::\"observer\"");
        let parties = BTreeSet::from([&run]);
        let interest = |more: &str| desk.judge(EVIDENCE, more).unwrap().unwrap().interest(&parties);
        assert_eq!(interest(&format!("# cutter-signer: observer = {other}\n")), None);
        assert!(interest(&format!("# cutter-signer: observer = {run}\n")).unwrap().ends_with("takes part in the run"));
        assert!(interest("").unwrap().ends_with("does not identify"));
    }

    #[test]
    fn evidence_without_a_signature_has_no_signer() {
        let desk = Desk::new(signature::EVIDENCE);
        std::fs::remove_file(desk.path("capture.json.sig")).unwrap();
        assert_eq!(desk.judge(EVIDENCE, "").unwrap(), None);
    }

    #[test]
    fn a_changed_byte_or_another_namespace_is_an_error_and_not_unsigned() {
        assert!(Desk::new(signature::EVIDENCE).judge(b"{}\n ", "").is_err());
        assert!(Desk::new(signature::PLAN).judge(EVIDENCE, "").is_err());
    }
}
