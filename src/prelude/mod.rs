//! The prelude: what makes an approval mean anything, as Cedar text in the binary. It is loaded with every bundle.

use crate::digest::Digest;
use crate::problem::Source;

/// One version of the prelude. Every version that was ever shipped stays here, so that old attestations can be verified.
#[derive(Debug)]
pub struct Prelude {
    /// Its number, as records name it.
    pub version: u32,
    /// Its part of the schema, which leaves four names open.
    pub schema: &'static str,
    /// Its policies.
    pub policies: &'static str,
    /// What holds of every bundle within it, as invariants.
    pub promises: &'static str,
}

static V1: Prelude = Prelude {
    version: 1,
    schema: include_str!("v1/prelude.cedarschema"),
    policies: include_str!("v1/prelude.cedar"),
    promises: include_str!("v1/promises.cedar"),
};

static ALL: [&Prelude; 1] = [&V1];

impl Prelude {
    /// The one that new decisions are made with.
    pub fn current() -> &'static Self {
        &V1
    }

    /// The one of this number, if this program has it.
    pub fn of_version(version: u32) -> Option<&'static Self> {
        ALL.into_iter().find(|prelude| prelude.version == version)
    }

    /// Its policies, as places in them are named.
    pub fn source(&self) -> Source {
        Source::new(NAME, self.policies)
    }

    /// Its promises, as places in them are named.
    pub fn promised(&self) -> Source {
        Source::new(PROMISES, self.promises)
    }

    /// Sha-256 over its schema and then its policies.
    pub fn digest(&self) -> Digest {
        Digest::of([self.schema, self.policies].concat().as_bytes())
    }
}

/// What places in its policies, and its line in the listing of a bundle, are called.
pub const NAME: &str = "prelude";

/// What places in its promises are called.
pub const PROMISES: &str = "prelude/promises";

/// The namespace of everything that it declares.
pub const NAMESPACE: &str = "Cutter";

/// What the ids of its policies begin with, and those of no other.
pub const PREFIX: &str = "cutter-";

/// The groups of which each action of a bundle is in exactly one.
pub const GROUPS: [&str; 3] = ["mutating", "non_mutating", "never"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_prelude_is_the_last_of_all() {
        assert_eq!(ALL.last().map(|prelude| prelude.version), Some(Prelude::current().version));
        assert!(ALL.iter().map(|prelude| prelude.version).eq(1..=Prelude::current().version));
    }
}
