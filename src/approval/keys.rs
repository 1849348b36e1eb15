//! Whose a key is: one person who is listed under two names, or a party under the name of somebody else, is still one.

use crate::signature::{Fingerprint, key_of};
use cedar_policy::EntityUid;
use std::collections::BTreeMap;

/// Keys of which is known whose they are, whatever name approvals list them under.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct KnownKeys(BTreeMap<Fingerprint, KeyHolder>);

/// Whose a key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct KeyHolder {
    /// In words, for whoever reads why an approval does not count.
    pub(super) whose: String,
    /// The entity that the key is bound to; none where only what it signed is known.
    pub(super) entity: Option<EntityUid>,
}

impl KnownKeys {
    /// The keys that a trust root binds to entities, and the one that signed the plan.
    pub fn new<'a>(
        bound: impl IntoIterator<Item = (Fingerprint, &'a EntityUid)>,
        author: &EntityUid,
        plan_signature: Option<&[u8]>,
    ) -> Self {
        let holder = |entity: &EntityUid| KeyHolder {
            whose: if entity == author { format!("the plan's author `{entity}`") } else { format!("`{entity}`") },
            entity: Some(entity.clone()),
        };
        let mut keys: BTreeMap<_, _> = bound.into_iter().map(|(key, entity)| (key, holder(entity))).collect();
        if let Some(key) = plan_signature.and_then(key_of) {
            keys.insert(key, KeyHolder { whose: "whoever signed the plan".to_owned(), entity: None });
        }
        Self(keys)
    }

    /// Whose a key is, where that is known.
    pub(super) fn holder(&self, key: &Fingerprint) -> Option<&KeyHolder> {
        self.0.get(key)
    }
}
