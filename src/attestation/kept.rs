//! The facts that a statement holds: each set by its digest, each text once.

use super::grounds::Grounds;
use crate::digest::Digest;
use crate::record::FactText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Facts as one digest names them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct FactSet {
    /// Sha-256 over the listing of its files.
    pub sha256: Digest,
    /// Its files, in the order in which they were read.
    pub files: Vec<FactFile>,
}

/// One file of a set of facts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct FactFile {
    /// The name that the listing has it under.
    pub name: String,
    /// Sha-256 over its text.
    pub sha256: Digest,
}

/// A text that is named by its digest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct KeptText {
    /// Sha-256 over the text.
    pub sha256: Digest,
    /// All of it.
    pub text: String,
}

/// Sets of facts and their texts, each kept once.
pub fn keep_facts(sets: &[Vec<FactText>]) -> (Vec<FactSet>, Vec<KeptText>) {
    let (mut kept, mut texts) = (BTreeSet::new(), BTreeSet::new());
    for set in sets {
        let mut files = Vec::new();
        for FactText { name, text } in set {
            let sha256 = Digest::of(text.as_bytes());
            texts.insert(KeptText { sha256, text: text.clone() });
            files.push(FactFile { name: name.clone(), sha256 });
        }
        let sha256 = Digest::of_listing(files.iter().map(|file| (file.name.as_str(), file.sha256)));
        kept.insert(FactSet { sha256, files });
    }
    (kept.into_iter().collect(), texts.into_iter().collect())
}

impl Grounds {
    /// The facts of this digest; `None` where the statement does not hold them.
    pub fn facts(&self, sha256: Digest) -> Option<Vec<FactText>> {
        let set = self.facts.iter().find(|set| set.sha256 == sha256)?;
        let text = |file: &FactFile| {
            let kept = self.texts.iter().find(|kept| kept.sha256 == file.sha256)?;
            Some(FactText { name: file.name.clone(), text: kept.text.clone() })
        };
        set.files.iter().map(text).collect()
    }
}
