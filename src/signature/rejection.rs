//! Why a signature is not accepted: codes for machines, sentences for people.

use std::fmt;

/// The reasons, in the order in which the first is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RejectionCode {
    /// It is not a signature over these bytes.
    BadSignature,
    /// It was made for another purpose.
    WrongNamespace,
    /// Its key is not allowed to sign this.
    UnknownSigner,
    /// Its key is not yet, or no longer, allowed to sign.
    SignerExpired,
    /// The FIDO security key did not see a person.
    NoPresence,
    /// Its key was revoked.
    Revoked,
}

impl RejectionCode {
    /// The word that machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::WrongNamespace => "wrong_namespace",
            Self::UnknownSigner => "unknown_signer",
            Self::SignerExpired => "signer_expired",
            Self::NoPresence => "no_presence",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for RejectionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason with its sentence: lower case, no full stop, foreign text in backticks and escaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RejectionReason {
    /// The word that machines read.
    pub code: RejectionCode,
    /// What people read.
    pub detail: String,
}

/// Why a signature is not accepted: at least one reason, the one to show first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    first: RejectionReason,
    others: Vec<RejectionReason>,
}

impl Rejection {
    /// A rejection with all these reasons, in the order of their codes; `None` if there is no reason.
    pub(super) fn of(mut faults: Vec<RejectionReason>) -> Option<Self> {
        faults.sort_by_key(|fault| fault.code);
        let mut faults = faults.into_iter();
        faults.next().map(|first| Self { first, others: faults.collect() })
    }

    pub(super) fn bad_signature(detail: impl Into<String>) -> Self {
        Self::one(RejectionCode::BadSignature, detail)
    }

    /// A rejection for this reason alone.
    pub(super) fn one(code: RejectionCode, detail: impl Into<String>) -> Self {
        Self { first: RejectionReason { code, detail: detail.into() }, others: Vec::new() }
    }

    /// The code to show.
    pub fn code(&self) -> RejectionCode {
        self.first.code
    }

    /// The sentence to show.
    pub fn detail(&self) -> &str {
        &self.first.detail
    }

    /// All reasons, in the order of their codes.
    pub fn faults(&self) -> impl Iterator<Item = &RejectionReason> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.first.code, self.first.detail)
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_code_in_the_order_is_shown_and_all_are_kept() {
        let fault = |code| RejectionReason { code, detail: String::new() };
        let rejection =
            Rejection::of(vec![fault(RejectionCode::Revoked), fault(RejectionCode::UnknownSigner)]).unwrap();
        assert_eq!(rejection.code(), RejectionCode::UnknownSigner);
        assert_eq!(
            rejection.faults().map(|fault| fault.code).collect::<Vec<_>>(),
            [RejectionCode::UnknownSigner, RejectionCode::Revoked]
        );
        assert_eq!(Rejection::of(Vec::new()), None);
    }
}
