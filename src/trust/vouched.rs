//! What is good enough for turning a declared switch off: somebody who may sign bundles once vouched for its declaration.

use super::{SignatureFile, TrustRoot, Trusted};
use crate::digest::{Digest, Listing};
use crate::signature::{self, RejectionCode, Revocations, verify};
use crate::time::Timestamp;

/// Proof that a bundle was signed under the trust root, whatever the time is now and whatever came after it.
///
/// Only [`Vouched::ever`] and [`Vouched::of`] make one. A key that was revoked vouches for nothing, not even for what it signed before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vouched(Digest);

impl Vouched {
    /// The proof; none where the signature never counted.
    pub fn ever(
        trust: &TrustRoot,
        listing: &Listing,
        signature: &SignatureFile,
        revocations: &Revocations,
    ) -> Option<Self> {
        let (bytes, at) = (listing.text().as_bytes(), Timestamp::from_milliseconds(0)?);
        match verify(signature::BUNDLE, bytes, signature.bytes()?, trust.signers(), revocations, at) {
            Ok(_) => Some(Self(listing.digest())),
            Err(rejection) => {
                let is_of_another_time = rejection.faults().all(|fault| fault.code == RejectionCode::SignerExpired);
                is_of_another_time.then(|| Self(listing.digest()))
            }
        }
    }

    /// The proof for a bundle that is trusted now.
    pub fn of(trusted: &Trusted) -> Self {
        Self(trusted.policies())
    }

    /// The digest of the bundle.
    pub fn policies(&self) -> Digest {
        self.0
    }
}
