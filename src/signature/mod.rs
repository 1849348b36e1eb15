//! SSH signatures, verified in process: who may sign what, who has lost the right, and whose signature this is.
//!
//! Nothing here reads the clock or decides what a signature is good for. Only [`sign`] and [`KeyFile`] touch files, and
//! only [`sign`] starts `ssh-keygen`.
//!
//! ```
//! use cutter::problem::Source;
//! use cutter::signature::{AllowedSigners, RejectionCode, Revocations, verify};
//! use cutter::time::Timestamp;
//!
//! let source = Source::new("allowed_signers", "# nobody yet\n");
//! let (signers, revocations) = (AllowedSigners::parse(&source).unwrap(), Revocations::none());
//! let now = Timestamp::parse("2026-05-21T08:15:00Z").unwrap();
//! let rejection = verify("cutter-approval", b"{}", b"no signature", &signers, &revocations, now).unwrap_err();
//! assert_eq!(rejection.code(), RejectionCode::BadSignature);
//! ```

mod allowed_signers;
mod key;
mod key_file;
mod lines;
mod options;
mod plain;
mod rejection;
mod revocation;
pub mod sign;
mod ssh;
mod wire;

pub use allowed_signers::AllowedSigners;
pub use key::Fingerprint;
#[cfg(feature = "internals")]
pub use key::KeyKind;
pub use key_file::KeyFile;
pub use plain::{PlainKey, verify_plain};
pub use rejection::{Rejection, RejectionCode};
pub use revocation::Revocations;
#[cfg(feature = "internals")]
pub use ssh::Presence;
pub use ssh::{Signer, key_of, verify, verify_one_of};

/// The namespace of an approval.
pub const APPROVAL: &str = "cutter-approval";
/// The namespace of a rejection.
pub const REJECT: &str = "cutter-reject";
/// The namespace of policy bundles.
pub const BUNDLE: &str = "cutter-bundle";
/// The namespace of plans.
pub const PLAN: &str = "cutter-plan";
/// The namespace of evidence.
pub const EVIDENCE: &str = "cutter-evidence";
/// The namespace of attestations.
pub const ATTESTATION: &str = "cutter-attestation";
